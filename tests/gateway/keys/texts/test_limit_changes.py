"""Single limits added, raised and dropped; all others stay as they are."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.keys.key import parse_limit
from gateway.keys.texts.limit_changes import add_limit, drop_limit, raise_limit

HELD = list(
    map(
        parse_limit,
        (
            *("tokens 2M/7d", "cost 5.50/30d", "requests 100/1h"),
            *("requests 10/1h model=o3", "input 9/1d", "input 99/7d"),
        ),
    )
)


def changed(change, text):
    """What is no more among the limits, and what is new."""
    before, after = list(map(str, HELD)), list(map(str, change(HELD, text)))
    gone = [one for one in before if one not in after]
    return gone, [one for one in after if one not in before]


@pytest.mark.parametrize(
    ("change", "text", "gone", "new"),
    [
        (raise_limit, "tokens +2M", ["tokens 2000000/7d"], ["tokens 4000000/7d"]),
        (
            raise_limit,
            "TOKENS -500k/week",
            ["tokens 2000000/7d"],
            ["tokens 1500000/7d"],
        ),
        (raise_limit, "cost +$4.50", ["cost 5.5/30d"], ["cost 10/30d"]),
        (raise_limit, "input +1/1d", ["input 9/1d"], ["input 10/1d"]),
        (
            *(raise_limit, "requests +5 model=o3"),
            *(["requests 10/1h model=o3"], ["requests 15/1h model=o3"]),
        ),
        (drop_limit, "tokens", ["tokens 2000000/7d"], []),
        (drop_limit, "input/7 days", ["input 99/7d"], []),
        (drop_limit, "cost 5.50/30d", ["cost 5.5/30d"], []),
        (add_limit, "output 1k/1h", [], ["output 1000/1h"]),
        (add_limit, "tokens 9/30d", [], ["tokens 9/30d"]),
    ],
)
def test_one_limit_changes_and_no_other(change, text, gone, new):
    assert changed(change, text) == (gone, new)


@pytest.mark.parametrize(
    ("change", "text", "complaint"),
    [
        (raise_limit, "tokens 2M", "write MEASURE \\+AMOUNT"),
        (raise_limit, "tokens +", "write MEASURE \\+AMOUNT"),
        (raise_limit, "tokens -2M", "nothing would be left"),
        (raise_limit, "tokens +1.5", "whole positive number"),
        (raise_limit, "input +5", "may be any of 'input 9/1d', 'input 99/7d'"),
        (raise_limit, "output +5", "the key has 'tokens"),
        (raise_limit, "tokens +2M/1d", "the key has 'tokens"),
        (drop_limit, "requests", "may be any of 'requests 100/1h', 'requests 10/1h"),
        (drop_limit, "words", "the key has 'tokens"),
        (drop_limit, "", "write MEASURE"),
        (add_limit, "tokens 3M/7d", "there is 'tokens 2000000/7d' already"),
        (add_limit, "tokens", "write MEASURE"),
    ],
)
def test_what_cannot_be_meant_says_why(change, text, complaint):
    with pytest.raises(ValueError, match=complaint):
        change(HELD, text)


def test_a_key_without_limits_says_so():
    with pytest.raises(ValueError, match="the key has no limits"):
        drop_limit([], "tokens")


@given(st.sampled_from([add_limit, raise_limit, drop_limit]), st.text())
def test_any_text_changes_one_limit_at_most_or_is_a_value_error(change, text):
    with suppress(ValueError):
        gone, new = changed(change, text)
        assert len(gone) <= 1
        assert len(new) <= 1
