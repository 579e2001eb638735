"""An owner's price list: every mistake is told with its place."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pricing.price_list import UnusablePrices, read_price_list
from gateway.pricing.rates import Quote

RATE = {"input": 1, "output": 2}
MODEL = {"match": ["m"], "rates": [RATE]}


def read(document):
    return read_price_list(json.dumps(document).encode(), "file")


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "the list: is an object"),
        ({"model": []}, "the list: 'model' is no field; there are models, accounts"),
        ({"models": {}}, "models: is a list"),
        ({"models": [1]}, "models[0]: is an object"),
        ({"models": [{**MODEL, "match": "m"}]}, "models[0].match: is a list"),
        ({"models": [{**MODEL, "match": [1]}]}, "models[0].match[0]: is a text"),
        ({"models": [{**MODEL, "match": []}]}, "models[0]: needs names"),
        ({"models": [{**MODEL, "rates": []}]}, "models[0]: needs names"),
        ({"models": [MODEL, {"match": ["m"]}]}, "models[1].rates: is a list"),
        ({"models": [{**MODEL, "rates": [RATE, RATE]}]}, "two are for the same"),
        ({"models": [{**MODEL, "date": "soon"}]}, "models[0].date: is a date"),
        ({"date": 5}, "date: is a date as in 2027-01-31"),
        ({"models": [{**MODEL, "source": "a\nb"}]}, "source: has a character"),
        ({"accounts": []}, "accounts: is an object"),
        ({"accounts": {"azure": [{}]}}, "accounts.azure[0].match: is a list"),
    ],
)
def test_a_list_with_a_mistake(document, told):
    with pytest.raises(UnusablePrices) as caught:
        read(document)
    assert str(caught.value).startswith("file: ")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        ({"input": 1}, "rates[0].output: is missing"),
        ({**RATE, "cashed": 1}, "rates[0]: 'cashed' is no field"),
        ({**RATE, "input": -1}, "rates[0].input: is a number of dollars"),
        ({**RATE, "input": "1"}, "rates[0].input: is a number of dollars"),
        ({**RATE, "input": True}, "rates[0].input: is a number of dollars"),
        ({**RATE, "cached": None}, "rates[0].cached: is a number of dollars"),
        ({**RATE, "output": 1e-7}, "at most 6 decimal places"),
        ({**RATE, "output": 10**400}, "rates[0].output: is a number of dollars"),
        ({**RATE, "output": 1e300}, "rates[0].output: is a number of dollars"),
        ({**RATE, "above": -1}, "rates[0].above: is a whole number"),
        ({**RATE, "above": 1.5}, "rates[0].above: is a whole number"),
        ({**RATE, "tier": 5}, "rates[0].tier: is a text"),
        ({**RATE, "tier": "x" * 41}, "rates[0].tier: is a text of 0 to 40"),
    ],
)
def test_a_rate_with_a_mistake(rate, told):
    with pytest.raises(UnusablePrices) as caught:
        read({"models": [{"match": ["m"], "rates": [rate]}]})
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"date": NaN}',
        b'{"date": 1e-99999999999999999999}',
    ],
)
def test_what_is_no_json(text):
    with pytest.raises(UnusablePrices, match="file: no JSON"):
        read_price_list(text, "file")


def test_what_an_entry_does_not_tell_it_has_from_the_list():
    found = read(
        {
            "date": "2026-11-01",
            "models": [
                {"match": ["a"], "rates": [RATE, {**RATE, "tier": "Fast"}]},
                {
                    "match": ["b"],
                    "source": "contract",
                    "date": "2026-11-02",
                    "rates": [{**RATE, "tier": "gold", "date": "2026-11-03"}],
                },
            ],
        }
    )
    told = [
        (rate.tier, rate.source, rate.date)
        for model in found.models
        for rate in model.rates
    ]
    assert told == [
        ("standard", "file", "2026-11-01"),
        ("priority", "file", "2026-11-01"),
        ("gold", "contract", "2026-11-03"),
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["models", "match", "rates", "input", "above", "accounts"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)


@given(st.binary(max_size=60) | json_values.map(lambda one: json.dumps(one).encode()))
def test_any_bytes_are_a_list_or_a_mistake(document):
    with suppress(UnusablePrices):
        assert all(one.rates for one in read_price_list(document, "file").models)


prices = st.decimals(0, 1000, places=6)


@given(prices, prices, st.integers(0, 10_000_000))
def test_every_price_is_kept_exactly(fresh, output, tokens):
    document = (
        '{"models": [{"match": ["m"], "rates": '
        f'[{{"input": {fresh}, "output": {output}}}]}}]}}'
    )
    [model] = read_price_list(document.encode(), "file").models
    [(_, found)] = model.by_length("standard")
    assert found.input == fresh * 1_000_000
    assert found.output == output * 1_000_000
    assert Quote(((0, found),), found)
