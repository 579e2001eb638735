"""Whatever stands where a number belongs, a bounded one or none is read."""

import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol import numbers
from gateway.protocol.headers import retry_after
from gateway.protocol.lenient_json import load_object
from gateway.protocol.limit_windows import windows
from gateway.protocol.numbers import LATEST, LONGEST_WAIT, LONGEST_WINDOW
from gateway.protocol.outcome import OutcomeReader

NOW = 1_700_000_000.0
HTTP_DATE = "Tue, 14 Nov 2023 22:13:30 GMT"  # ten seconds from NOW

no_numbers: list = [
    True,
    False,
    None,
    "",
    "x",
    "nan",
    "Infinity",
    "-inf",
    [],
    {},
    "9" * 5000,
]
odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from([1e306, 1e20, 1e12, -1e306, 10**400, "1e306", "9" * 5000]),
    st.from_regex(r"[-+]?\d{1,30}(e\d{1,4})?", fullmatch=True),
    st.datetimes().map(str),
)


@pytest.mark.parametrize("value", no_numbers)
def test_what_is_no_number_is_none(value):
    assert numbers.number(value) is None
    assert numbers.count(value) == 0
    assert numbers.seconds(value) is None
    assert numbers.unix_time(value) is None
    assert numbers.percent(value) is None
    assert numbers.window_minutes(value) is None


@pytest.mark.parametrize(
    ("value", "tokens"),
    [(12, 12), (12.0, 12), ("12", 12), (-5, 0), (1e306, 10_000_000), (10**400, 0)],
)
def test_tokens_are_counted_within_bounds(value, tokens):
    assert numbers.count(value) == tokens


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        (2, 2.0),
        (" 2 ", 2.0),
        ("-1", 0.0),
        ("1e306", LONGEST_WAIT),
        (HTTP_DATE, 10.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        ("Sun, 31 Dec 1950 23:59:59 GMT", None),
        ("2023-11-14T22:13:30Z", 10.0),
        ("Tue, 14 Nov " + "2" * 5000 + " 22:13:30 GMT", None),
    ],
)
def test_a_wait_is_seconds_or_a_date(value, wait):
    assert numbers.retry_time(value, NOW) == wait


@pytest.mark.parametrize(
    ("at", "after", "reset"),
    [
        (NOW + 5, None, NOW + 5),
        ((NOW + 5) * 1000, None, NOW + 5),
        (str(NOW + 5), 9, NOW + 5),
        (None, 5, NOW + 5),
        ("soon", "5", NOW + 5),
        (-1, 5, NOW + 5),
        (1e306, None, NOW + LONGEST_WINDOW),
        (None, 1e306, NOW + LONGEST_WINDOW),
        (None, -5, NOW),
        (None, None, None),
    ],
)
def test_a_reset_is_an_absolute_time_within_a_month(at, after, reset):
    assert numbers.reset_time(at, after, NOW) == reset


def test_a_wait_is_at_most_a_week_and_a_window_a_month():
    assert (LONGEST_WAIT, LONGEST_WINDOW) == (7 * 86_400, 31 * 86_400)


@given(odd_values, odd_values)
def test_whatever_is_told_stays_within_bounds(value, other):
    assert 0 <= numbers.count(value) <= numbers.LARGEST_COUNT
    assert 0 <= (numbers.retry_time(value, NOW) or 0) <= LONGEST_WAIT
    assert 0 <= (numbers.reset_time(value, other, NOW) or 0) <= NOW + LONGEST_WINDOW
    assert 0 <= (numbers.percent(value) or 0) <= 1_000
    assert 0 < (numbers.window_minutes(value) or 1) <= LONGEST_WINDOW / 60
    at = numbers.unix_time(value)
    if at is not None:
        assert 0 < at <= LATEST
        datetime.fromtimestamp(at)  # as the command line shows it
        time.localtime(at)


@pytest.mark.parametrize("value", ["1e306", "1e20", "1e12"])
def test_windows_and_waits_of_headers_are_bounded(value):
    told = {f"x-codex-primary-{name}": value for name in ("used-percent", "reset-at")}
    (window,) = windows({**told, "x-codex-primary-window-minutes": value}, NOW)
    assert window.used_percent <= 1_000
    assert window.resets_at <= NOW + LONGEST_WINDOW
    assert window.window_minutes <= LONGEST_WINDOW / 60
    assert retry_after({"retry-after": value}, NOW) == LONGEST_WAIT
    assert retry_after({"retry-after-ms": value}, NOW) <= LONGEST_WAIT


@pytest.mark.parametrize("odd", ["1e400", "9" * 5000, "NaN", "-Infinity", "9" * 25])
def test_a_number_beyond_all_bounds_does_not_cost_the_facts_beside_it(odd):
    usage = f'{{"input_tokens":{odd},"output_tokens":7}}'
    event = f'{{"type":"x","response":{{"id":"resp_1","usage":{usage}}}}}'
    reader = OutcomeReader()
    reader.feed("response.completed", event.encode())
    assert (reader.status, reader.response_id) == ("completed", "resp_1")
    assert reader.usage.output_tokens == 7
    assert 0 <= reader.usage.input_tokens <= numbers.LARGEST_COUNT


no_json = ['{"a":', "[" * 100_000, '{"a":"\\ud800"}', "{'a':NaN}", '{"a":"\xff']


@pytest.mark.parametrize("text", no_json, ids=len)
def test_what_is_no_json_stays_empty(text):
    assert load_object(text) == {}
