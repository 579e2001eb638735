"""The form of a key's rules. Plain calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.errors import Unacceptable
from gateway.keys.key import parse_limit
from handlers.dashboard.forms import SentForm
from handlers.dashboard.screens.keys.key_form import (
    KeyFields,
    LimitFields,
    changed_rules,
    expiry_text,
    given_rules,
    rules_in,
)

LIMIT_TEXTS = ["tokens 2000000/7d", "cost 5.5/30d model=gpt-5* open"]
SHOWN = {
    "name": "laptop",
    "models": ["gpt-5*"],
    "enforce_model": None,
    "enforce_effort": "low",
    "enforce_tier": None,
    "accounts": ["two", "one"],
    "rpm": 60,
    "concurrency": None,
    "unpriced": None,
    "limits": LIMIT_TEXTS,
    "tools": ["refuse web_search"],
    "aliases": [],
    "expires_at": 1_900_000_000.0,
}
LIMITS = tuple(map(parse_limit, LIMIT_TEXTS))


def sent(fields, **changes):
    """The form that a browser sends of these fields."""
    many = {name: [text] for name, text in fields.texts.items()}
    many["accounts"] = sorted(fields.accounts)
    for name in ("measure", "amount", "window", "model", "open"):
        many[f"limit_{name}"] = [getattr(row, name) for row in fields.limits]
    changed = {
        name: value if isinstance(value, list) else [value]
        for name, value in changes.items()
    }
    told = {name: values for name, values in {**many, **changed}.items() if values}
    return SentForm(told, {})


@pytest.fixture
def fields():
    return KeyFields.of_key(SHOWN, LIMITS)


def test_a_form_sent_as_it_was_shown_changes_nothing(fields):
    assert changed_rules(sent(fields), SHOWN) == {}


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"name": "desk"}, {"name": "desk"}),
        ({"rpm": ""}, {"rpm": None}),
        ({"concurrency": "1,000"}, {"concurrency": 1000}),
        ({"models": "gpt-5*, o9"}, {"models": ["gpt-5*", "o9"]}),
        ({"models": " \r\n"}, {"models": []}),
        ({"accounts": ["one"]}, {"accounts": ["one"]}),
        ({"accounts": []}, {"accounts": None}),
        ({"enforce_effort": " "}, {"enforce_effort": None}),
        ({"expires": ""}, {"expires": None}),
        ({"expires": "90 days"}, {"expires": "90 days"}),
        ({"unpriced": "refuse"}, {"unpriced": "refuse"}),
        (
            {"limit_amount": ["3M", "5.50", "", ""]},
            {"limits": ["tokens 3000000/7d", "cost 5.5/30d model=gpt-5* open"]},
        ),
        (
            {"limit_amount": ["", "5.50"]},
            {"limits": ["cost 5.5/30d model=gpt-5* open"]},
        ),
        (
            {"limit_amount": ["nonsense", ""]},
            {"limits": ["tokens nonsense/7d"]},  # told apart by who reads it
        ),
    ],
)
def test_only_what_is_different_is_changed(fields, changes, rules):
    assert changed_rules(sent(fields, **changes), SHOWN) == rules


@pytest.mark.parametrize("text", ["1.5", "-1", "ten", "1e3", "٣", "9" * 20])
def test_what_is_no_number_is_a_mistake_of_its_field(fields, text):
    with pytest.raises(Unacceptable) as raised:
        rules_in(sent(fields, rpm=text))
    assert raised.value.param == "rpm"


def test_a_new_key_gets_what_the_form_names():
    assert given_rules(SentForm({"name": ["a"], "rpm": ["0"]}, {})) == {"rpm": 0}
    assert given_rules(SentForm({"models": [""], "rpm": [""]}, {})) == {}


@given(
    st.sampled_from(["tokens", "input", "output", "requests"]),
    st.integers(1, 10**15),
    st.sampled_from(["1h", "90m", "7d", "30d", "365d"]),
    st.none() | st.sampled_from(["gpt-5*", "vendor/model"]),
)
def test_a_limit_in_fields_is_the_same_limit(measure, amount, window, model):
    suffix = f" model={model}" if model else ""
    limit = parse_limit(f"{measure} {amount}/{window}{suffix}")
    assert parse_limit(LimitFields.of(limit).text) == limit


@given(st.integers(1, 10**15))
def test_a_cost_in_fields_is_the_same_cost(microdollars):
    text = f"cost {microdollars // 10**6}.{microdollars % 10**6:06}/30d"
    limit = parse_limit(text)
    assert parse_limit(LimitFields.of(limit).text) == limit


def test_an_expiry_is_read_as_it_is_written():
    assert expiry_text(None) == ""
    assert expiry_text(1_900_000_000.0) == "2030-03-17T17:46:40Z"
