"""When a window runs out at the pace it had so far."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.facts import Window
from gateway.protocol.limit_windows import LEAST_PASSED, SeenWindow, runs_out_at

HOUR = 3600.0


@pytest.mark.parametrize(
    ("used", "seen", "told"),
    [
        (0.5, 1 * HOUR, 2 * HOUR),
        (0.5, 2.5 * HOUR, None),  # just enough: it ends with its window
        (0.2, 1 * HOUR, None),  # used up when it has ended
        (0.21, 1 * HOUR, HOUR / 0.21),
        (0.0, 1 * HOUR, None),
        (0.9, 60, None),  # of five hours a minute says nothing
        (1.0, 1 * HOUR, 1 * HOUR),
        (1.3, 60, 60),  # what is used up is so however soon
    ],
)
def test_a_window_of_five_hours(used, seen, told):
    assert runs_out_at(used, 0, 5 * HOUR, seen) == told


@given(
    used=st.floats(0, 2),
    length=st.floats(60, 1e7),
    passed=st.floats(0, 1),
    at=st.just(9e8),
)
def test_it_is_between_now_and_the_window_s_end(used, length, passed, at):
    seen = at + passed * length
    told = runs_out_at(used, at, at + length, seen)
    if told is None:
        assert used < 1
    else:
        assert used > 0
        assert seen <= told <= at + length + 1
        assert used >= 1 or passed >= LEAST_PASSED * 0.99


def window(minutes, resets_at):
    return Window("primary", 50.0, minutes, resets_at)


def test_a_seen_window_is_told_from_its_length_and_end():
    seen = SeenWindow(window(300, 5 * HOUR), 1 * HOUR, True)
    assert seen.runs_out_at(1.5 * HOUR) == 2 * HOUR
    assert seen.runs_out_at(6 * HOUR) is None  # it has been reset since


@pytest.mark.parametrize(("minutes", "resets_at"), [(None, HOUR), (300, None)])
def test_of_what_is_not_known_nothing_is_told(minutes, resets_at):
    assert SeenWindow(window(minutes, resets_at), 1.0, True).runs_out_at(2.0) is None
