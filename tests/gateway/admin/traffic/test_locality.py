"""When owners are told that conversations lose what upstream has cached."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.traffic.locality import FEWEST_TURNS, Locality, locality_alarm

DAY = Locality(2_000, 20, 1_000_000, 800_000)  # 1 % moved, 80 % cached
numbers = st.integers(0, 10**9)
any_time = st.builds(
    lambda well, switches, asked, cached: Locality(
        well, min(switches, well), asked, min(cached, asked)
    ),
    *(numbers, numbers, numbers, numbers),
)


@pytest.mark.parametrize(
    ("hour", "alarm"),
    [
        (Locality(100, 1, 50_000, 40_000), None),
        (Locality(100, 9, 50_000, 40_000), None),
        (Locality(100, 10, 50_000, 40_000), "moved"),
        (Locality(100, 1, 50_000, 28_000), None),
        (Locality(100, 1, 50_000, 27_000), "uncached"),
        # Too few say nothing.
        (Locality(FEWEST_TURNS - 1, FEWEST_TURNS - 1, 50_000, 0), None),
    ],
)
def test_an_hour_beside_the_day_before(hour, alarm):
    assert locality_alarm(hour, DAY) == alarm


@pytest.mark.parametrize(
    ("day", "hour"),
    [
        # Its conversations always move so often, or hardly anything was cached.
        (Locality(2_000, 400, 1_000, 800), Locality(100, 30, 1_000, 800)),
        (Locality(2_000, 0, 1_000, 100), Locality(100, 0, 1_000, 0)),
        (Locality(0, 0, 0, 0), Locality(100, 100, 1_000, 0)),
    ],
)
def test_what_was_so_the_day_before_is_no_alarm(day, hour):
    assert locality_alarm(hour, day) is None


@given(any_time)
def test_the_same_as_before_is_never_worse(time):
    assert locality_alarm(time, time) is None
    assert 0 <= time.moved <= 1
    assert 0 <= time.cached <= 1
