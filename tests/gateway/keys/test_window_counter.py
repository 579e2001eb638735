"""One counter of one limit: what is reserved, counted and left."""

import pytest

from gateway.keys.counters import WindowCounter
from gateway.keys.shared.share import Share
from tests.gateway.keys.limits import CREATED, DAY, limit, spend


def counter(maximum=1_000_000, **fields):
    return WindowCounter(limit(maximum), CREATED, CREATED + 7 * DAY, **fields)


def test_one_at_least_is_reserved():
    made = counter()
    made.reserve(made.hold(spend(0)))
    assert made.reserved == 1


def test_only_what_this_process_counts_is_to_be_written():
    made = counter(100)
    made.count(30)
    made.take(Share(granted=40, used=50, lost=5))
    assert (made.used, made.own, made.remaining) == (80, 30, 15)
    made.count(50)
    assert (made.used, made.own, made.remaining) == (130, 80, 0)


@pytest.mark.parametrize(
    ("used", "reserved", "is_exhausted", "fits"),
    [
        (0, 0, False, True),
        (99, 0, False, True),  # alone, however much it takes
        (90, 1, False, False),
        (0, 90, False, True),
        (0, 91, False, False),
        (100, 0, True, False),
        (101, 0, True, False),
    ],
)
def test_a_turn_fits_beside_others_or_alone_into_what_is_left(
    used, reserved, is_exhausted, fits
):
    made = counter(100, used=used, reserved=reserved)
    assert (made.is_exhausted, made.fits(made.hold(spend(10)))) == (is_exhausted, fits)
