"""Keys: tokens, the ring, and what the command line's texts mean."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.keys.key import (
    Flaw,
    Key,
    KeyRing,
    Limit,
    Measure,
    digest,
    generate,
    parse_expiry,
    parse_limit,
    plain_word,
    prefix,
)

WINDOWS = ["1m", "1h", "5h", "1d", "7d", "30d", "365d"]
NOW = 1_764_000_000.5
TOKEN = "sk-cgw-" + "a" * 43


def key(token=TOKEN, **fields):
    return Key(1, "laptop", prefix(token), digest(token), 1_764_000_000, **fields)


def test_a_token_has_32_random_bytes_and_is_never_the_same():
    first, second = generate(), generate()
    assert first.startswith("sk-cgw-")
    assert len(first) == len("sk-cgw-") + 43
    assert first != second


def test_the_prefix_shows_eight_characters_of_the_secret():
    assert prefix("sk-cgw-abcdefghijklm") == "sk-cgw-abcdefgh"


def test_neither_token_nor_digest_is_in_the_text_of_a_key():
    assert digest(TOKEN) not in repr(key())
    assert TOKEN not in repr(key())


def test_the_ring_finds_a_key_by_its_token_only():
    ring = KeyRing()
    ring.replace([key()])
    assert ring.check(TOKEN, NOW) == (key(), None)
    for other in (digest(TOKEN), TOKEN[:-1], ""):
        assert ring.check(other, NOW) == (None, Flaw.UNKNOWN)


@given(st.text())
def test_no_other_text_finds_a_key(text):
    ring = KeyRing()
    ring.replace([key()])
    assert ring.check(text, NOW) == (None, Flaw.UNKNOWN)


def test_the_ring_tells_why_a_token_opens_nothing():
    ring, old = KeyRing(), "sk-cgw-" + "b" * 43
    ring.replace([key(old_digest=digest(old), old_expires_at=NOW + 60)])
    assert ring.check(old, NOW)[1] is None
    assert ring.check(old, NOW + 60)[1] is Flaw.ROTATED
    assert ring.check(TOKEN, NOW + 60)[1] is None
    assert len(ring) == len(list(ring)) == 1
    assert digest(old) not in repr(ring.check(old, NOW)[0])
    ring.replace([key(disabled=True)])
    assert ring.check(TOKEN, NOW)[1] is Flaw.DISABLED
    ring.replace([key(expires_at=NOW)])
    assert ring.check(TOKEN, NOW)[1] is Flaw.EXPIRED


def test_removing_the_last_key_does_not_open_the_door():
    ring = KeyRing()
    assert not ring.ever_made
    ring.replace([key()])
    ring.replace([])
    assert ring.ever_made
    assert len(ring) == 0


def test_keys_that_existed_before_a_restart_are_remembered():
    ring = KeyRing()
    ring.replace([], ever_made=True)
    assert ring.ever_made


def test_a_key_without_models_allows_all_and_globs_narrow_it():
    assert key().allows("gpt-5.4")
    narrow = key(models=("gpt-5.4", "gpt-5.3-*"))
    assert narrow.allows("gpt-5.3-codex")
    assert not narrow.allows("gpt-5.4-pro")


@pytest.mark.parametrize(
    "fields",
    [
        {"models": ("a",)},
        {"enforced_model": "a"},
        {"enforced_effort": "low"},
        {"enforced_tier": "flex"},
        {"accounts": frozenset()},
        {"limits": (Limit(1, Measure.COST, 5, "1d"),)},
        {"limits": (Limit(1, Measure.TOKENS, 5, "1d", "gpt-*"),)},
    ],
)
def test_what_depends_on_the_model_restricts_a_key(fields):
    assert key(**fields).is_restricted


def test_a_plain_budget_does_not_restrict_a_key():
    assert not key(limits=(Limit(1, Measure.TOKENS, 5, "1d"),)).is_restricted


def test_a_key_expires_at_its_second():
    assert not key(expires_at=NOW).is_expired(NOW - 0.1)
    assert key(expires_at=NOW).is_expired(NOW)
    assert not key().is_expired(NOW)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("tokens 2M/7d", Limit(0, Measure.TOKENS, 2_000_000, "7d")),
        ("TOKENS 1.5k / 5H", Limit(0, Measure.TOKENS, 1_500, "5h")),
        ("cost 5.50/30d", Limit(0, Measure.COST, 5_500_000, "30d")),
        ("cost $0.000001/1d", Limit(0, Measure.COST, 1, "1d")),
        (
            "requests 60/1m model=gpt-5*",
            Limit(0, Measure.REQUESTS, 60, "1m", "gpt-5*"),
        ),
        ("input 1G/30d", Limit(0, Measure.INPUT, 10**9, "30d")),
        ("output 9/1d", Limit(0, Measure.OUTPUT, 9, "1d")),
        ("tokens 9/24h", Limit(0, Measure.TOKENS, 9, "1d")),
        ("tokens 9/1h", Limit(0, Measure.TOKENS, 9, "1h")),
        ("tokens 9/90 minutes", Limit(0, Measure.TOKENS, 9, "90m")),
        ("tokens 9/week model=o3", Limit(0, Measure.TOKENS, 9, "7d", "o3")),
        ("tokens 2M per 3 months", Limit(0, Measure.TOKENS, 2_000_000, "90d")),
    ],
)
def test_limits_are_read_as_written(text, limit):
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "write MEASURE"),
        ("tokens 2M", "write MEASURE"),
        ("tokens -2/7d", "write MEASURE"),
        ("tokens ²/7d", "write MEASURE"),
        ("words 2/7d", "measure is one of tokens, input, output, cost, requests"),
        ("tokens 2/2 parsecs", "a window has whole minutes"),
        ("tokens 2/0d", "a window has whole minutes"),
        ("tokens 2/30s", "a window has whole minutes"),
        ("tokens 2/2y", "a window has whole minutes"),
        ("tokens 0/7d", "whole positive number"),
        ("tokens 1.5/7d", "whole positive number"),
        ("tokens 999999999999999G/7d", "whole positive number"),
    ],
)
def test_a_bad_limit_says_what_is_wrong(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_limit(text)


@given(
    st.builds(
        Limit,
        st.just(0),
        st.sampled_from(Measure),
        st.integers(1, 10**15),
        st.sampled_from(WINDOWS),
        st.none() | st.from_regex(r"[a-z0-9.*-]{1,20}", fullmatch=True),
    )
)
@example(Limit(0, Measure.TOKENS, 10**15, "1d"))
def test_a_limit_survives_being_written_and_read(limit):
    assert parse_limit(str(limit)) == limit


def nearly(*parts):
    """Text made of one choice of each part."""
    return st.tuples(*map(st.sampled_from, parts)).map("".join)


limits = nearly(
    ["tokens", "requests", "cost", "input_tokens", "words"],
    [" ", "  "],
    ["1", "100", "1k", "2.5M", "0", "-1", "\u0663"],
    ["/", "/", " / "],
    [*WINDOWS, "1y", "2 weeks", "fortnight"],
    ["", " model=gpt-5*", " for gpt-5"],
)


@given(limits | st.text())
def test_any_text_is_a_limit_or_a_value_error(text):
    with suppress(ValueError):
        assert parse_limit(text).maximum > 0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12h", 1_764_043_200),
        ("90d", 1_771_776_000),
        ("1w", 1_764_604_800),
        ("2027-01-31", 1_801_353_600),
        ("2027-01-31T00:00:00+01:00", 1_801_350_000),
        ("3 months", 1_771_776_000),
    ],
)
def test_expiry_is_a_span_or_a_date(text, moment):
    assert parse_expiry(text, NOW) == moment


@pytest.mark.parametrize(
    ("told", "logged"),
    [
        *[(word, word) for word in (None, "xhigh", "ultrafast", "a_b-1", "x" * 16)],
        *[(text, "other") for text in ("", "Zq7", "two words", "x" * 17, "é", "a\n")],
    ],
)
def test_efforts_and_tiers_are_no_list_of_ours(told, logged):
    assert plain_word(told) == logged


@pytest.mark.parametrize(
    "text", ["", "90", "0d", "2020-01-01", "999999w", "5m", "1d ago"]
)
def test_a_bad_expiry_is_a_value_error(text):
    with pytest.raises(ValueError, match="expiry"):
        parse_expiry(text, NOW)


LONG = "9" * 30 + "d"
expiries = nearly(
    ["12h", "1w", "90d", "2027-01-31", "2027-01-31T10:00:00", "2027-13-01", LONG],
    ["", "", "", "", "+01:00", "Z", "-99:00"],
)


@given(expiries | st.text() | st.sampled_from(["12h", "1w", "90d", "2099-01-31"]))
def test_any_text_is_an_expiry_or_a_value_error(text):
    with suppress(ValueError):
        assert parse_expiry(text, NOW) > NOW
