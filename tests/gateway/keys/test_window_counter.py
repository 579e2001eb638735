"""One counter of one limit: what is reserved, counted and left."""

import pytest

from gateway.keys.counters import WindowCounter
from tests.gateway.keys.limits import CREATED, DAY, limit, spend


def counter(maximum=1_000_000, **fields):
    return WindowCounter(limit(maximum), CREATED, CREATED + 7 * DAY, **fields)


def test_a_turn_is_expected_to_use_what_a_recent_one_did():
    made = counter()
    assert made.reserve(spend(5)) == 5
    made.count(800)
    assert made.reserve(spend(5)) == 800
    assert made.reserve(spend(900)) == 900


def test_the_largest_turn_is_forgotten_by_an_eighth_with_each_smaller_one():
    made = counter()
    expected = [800, 700, 613, 537, 470, 600, 525]
    for used, peak in zip((800, 1, 1, 1, 1, 600, 1), expected, strict=True):
        made.count(used)
        assert made.peak == peak


def test_one_at_least_is_reserved():
    made = counter()
    assert made.reserve(spend(0)) == 1
    assert made.reserved == 1


def test_only_what_this_process_counts_is_to_be_written():
    made = counter(100)
    made.count(30)
    made.count_remote(50)
    assert (made.used, made.unpersisted, made.remaining) == (80, 30, 20)
    made.count(50)
    assert (made.used, made.unpersisted, made.remaining) == (130, 80, 0)


@pytest.mark.parametrize(
    ("used", "reserved", "is_exhausted", "is_full"),
    [
        (0, 0, False, False),
        (99, 0, False, False),
        (99, 1, False, True),
        (0, 100, False, True),
        (100, 0, True, True),
        (101, 0, True, True),
    ],
)
def test_a_counter_is_full_before_it_is_exhausted(
    used, reserved, is_exhausted, is_full
):
    made = counter(100, used=used, reserved=reserved)
    assert (made.is_exhausted, made.is_full) == (is_exhausted, is_full)
