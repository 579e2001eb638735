"""Durations and moments in the spellings people use."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.keys.texts.times import parse_duration, parse_moment, short_duration

NOW = datetime(2026, 11, 30, 15, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90m", 5400), ("90 min", 5400), ("90 minutes", 5400), ("1h", 3600)),
        *(("1h30m", 5400), ("1 hour and 30 minutes", 5400), ("1h, 30min", 5400)),
        *(("1.5h", 5400), ("12H", 43_200), ("a week", 604_800), ("day", 86_400)),
        *(("2 weeks", 1_209_600), ("3 months", 7_776_000), ("1mo", 2_592_000)),
        *(("1y", 31_536_000), ("30s", 30), ("an hour", 3600), (" 2  days ", 172_800)),
    ],
)
def test_a_duration_in_every_usual_spelling(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "h1", "1", "1 parsec", "-1h", "1h-30m", "٣h", "1hour30", "a", "1e3s"]
)
def test_what_is_no_duration(text):
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "ahead", "moment"),
    [
        ("1h", True, "2026-11-30T16:00"),
        ("1h", False, "2026-11-30T14:00"),
        ("90 minutes ago", True, "2026-11-30T13:30"),
        ("in 2 days", False, "2026-12-02T15:00"),
        ("5m", False, "2026-11-30T14:55"),
        ("5min", True, "2026-11-30T15:05"),
        ("tomorrow", True, "2026-12-01"),
        ("Yesterday", False, "2026-11-29"),
        ("today", False, "2026-11-30"),
        ("now", False, "2026-11-30T15:00"),
        ("2027-01-31", True, "2027-01-31"),
        ("2027-01-31 14:30", True, "2027-01-31T14:30"),
        ("2027-01-31T14:30Z", True, "2027-01-31T14:30"),
        ("2027-01-31T14:30+02:00", True, "2027-01-31T12:30"),
        *((text, True, "2027-01-31") for text in ("2027/01/31", "31.01.2027")),
        *((text, True, "2027-01-31") for text in ("31 Jan 2027", "January 31, 2027")),
    ],
)
def test_a_moment_in_every_usual_spelling(text, ahead, moment):
    at = datetime.fromtimestamp(parse_moment(text, NOW, ahead=ahead), UTC)
    assert at == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "soon", "01/02/2027", "2027-02-30", "5", "x" * 999]
)
def test_what_is_no_moment_is_told_the_usual_spellings(text):
    with pytest.raises(ValueError, match=r"give 90 minutes, .* 2027-01-31"):
        parse_moment(text, NOW, ahead=False)


def test_a_bare_m_ahead_is_neither_minutes_nor_months():
    with pytest.raises(ValueError, match="Write 3min or 3mo"):
        parse_moment("3m", NOW, ahead=True)


@given(st.integers(1, 525_600))
def test_a_duration_survives_being_written_and_read(minutes):
    written = short_duration(60 * minutes)
    assert parse_duration(written) == 60 * minutes
    assert len(written) <= 8  # the column of a limit's window


@settings(max_examples=50)
@given(st.text() | st.from_regex(r"[0-9]{0,9}[a-z .,]{0,9}( ago)?", fullmatch=True))
def test_any_text_is_a_moment_or_a_value_error(text):
    with suppress(ValueError):
        assert isinstance(parse_moment(text, NOW, ahead=True), float | int)
