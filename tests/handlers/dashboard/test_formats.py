"""Values as pages show them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.dashboard import formats

numbers = st.none() | st.floats() | st.integers(-(10**30), 10**30)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "—"),
        (0, "0 ms"),
        (0.0404, "40 ms"),
        (0.9996, "1.0 s"),
        (1.54, "1.5 s"),
        (9.96, "10 s"),
        (59.7, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (9000, "2 h 30 min"),
        (86400 * 3 + 3600 * 4 + 59, "3 d 4 h"),
        (-5, "0 ms"),
        (math.inf, "—"),
    ],
)
def test_a_length_of_time_has_two_units(seconds, shown):
    assert formats.span(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (None, "—"),
        (0, "0"),
        (987, "987"),
        (999.6, "1.00k"),
        (1310, "1.31k"),
        (12_345, "12.3k"),
        (99_960, "100k"),
        (999_600, "1.00M"),
        (4_049_999, "4.05M"),
        (48_310_000, "48.3M"),
        (1_200_000_000, "1.20B"),
    ],
)
def test_tokens_have_three_digits(number, shown):
    assert formats.token_count(number) == shown


@pytest.mark.parametrize(
    ("microdollars", "shown"),
    [
        (None, "—"),
        (0, "$0.00"),
        (1, "$0.000001"),
        (23_450, "$0.0234"),
        (1_000_000, "$1.00"),
        (1_234_567_890, "$1,234.57"),
        (-2_500_000, "-$2.50"),
    ],
)
def test_small_sums_are_not_nothing(microdollars, shown):
    assert formats.dollars(microdollars) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (None, 1, "—"),
        (1, 0, "—"),
        (0, 7, "0 %"),
        (1, 1000, "< 1 %"),
        (999, 1000, "> 99 %"),
        (7, 7, "100 %"),
        (0.62, 1, "62 %"),
        (1.2, 1, "120 %"),
    ],
)
def test_all_and_nothing_are_exact(part, whole, shown):
    assert formats.percent_text(part, whole) == shown


def test_times_are_in_the_zone_that_is_said():
    assert formats.time_text(1_800_000_000, "UTC") == "2027-01-15 08:00:00"
    assert formats.time_text(1_800_000_000, "Europe/Berlin") == "2027-01-15 09:00:00"
    assert formats.day_text(1_799_970_000, "Asia/Tokyo") == "2027-01-15"
    assert formats.hour_text(None, "UTC") == "—"
    assert formats.time_text(1e300, "UTC") == "—"
    assert formats.time_text(1_800_000_000, "+05:30") == "2027-01-15 13:30:00"


def test_how_long_ago_is_as_exact_as_it_is_of_use():
    now = 1_800_000_000
    assert formats.age(now, now) == "now"
    assert formats.age(now - 42, now) == "42 s ago"
    assert formats.age(now - 125, now) == "2 min ago"
    assert formats.age(now + 9010, now) == "in 2 h 30 min"
    assert formats.age(None, now) == "—"


def test_numbers_and_sizes():
    assert formats.number_text(1_234_567) == "1,234,567"
    assert formats.plural(1, "key") == "1 key"
    assert formats.plural(2_000, "entry", "entries") == "2,000 entries"
    assert formats.byte_size(1023) == "1023 B"
    assert formats.byte_size(1_048_575) == "1.0 MiB"
    assert formats.byte_size(3 * 1024**4) == "3.0 TiB"
    assert formats.milliseconds(1500) == "1.5 s"


@given(numbers)
def test_no_number_breaks_a_page(number):
    for show in (formats.span, formats.dollars, formats.token_count, formats.byte_size):
        assert show(number)
    assert formats.number_text(number)
    assert formats.percent_text(number)
    assert formats.age(number, 1.8e9)
    assert formats.time_text(number, "UTC")


def test_a_window_is_named_by_its_length():
    assert formats.window_label(300, "primary") == "5 h"
    assert formats.window_label(10_080, "secondary") == "7 d"
    assert formats.window_label(None, "primary") == "primary"
    assert formats.window_label(300, "codex_x primary", "Spark") == "Spark 5 h"


def test_an_error_has_a_heading_whatever_it_is():
    assert formats.heading_of(503, "pages_busy") == "Too many pages at once"
    assert formats.heading_of(404, "not_found") == "There is nothing here"
    assert formats.heading_of(418, "teapot") == "This did not work"
