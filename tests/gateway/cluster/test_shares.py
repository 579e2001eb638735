"""What one member is granted of a limit, by the rows of all."""

import pytest

from gateway.cluster.shares import Ask, Grant, ResourceRows, decide_share, reported
from gateway.keys.shared.share import Holding, Resource

LIMIT = Resource("limit:1", 60)
ME, OTHER = 7, 8


def holding(used=0, held=0, want=0, *, is_frozen=False):
    return Holding(LIMIT, 100, used, held, want, is_frozen=is_frozen)


@pytest.mark.parametrize(
    ("wanted", "rows", "granted"),
    [
        (1, [], 50),  # half of what is left, for the next turns, too
        (70, [], 70),
        (1, [Grant(OTHER, 60, 10, 5)], 20),
        (1, [Grant(OTHER, 60, 70, 29)], 1),
        (5, [Grant(OTHER, 60, 70, 29)], 1),
        (5, [Grant(OTHER, 60, 70, 30)], 0),
        (1, [Grant(OTHER, 40, 40, 0, is_ended=True)], 30),
        (0, [], 0),
    ],
)
def test_slices_shrink_with_what_is_left(wanted, rows, granted):
    decided = decide_share(ME, holding(want=wanted), ResourceRows(rows), 10)
    assert decided.grant.granted == decided.share.granted == granted
    assert (decided.ask is not None) == (granted < wanted)


@pytest.mark.parametrize(
    ("mine", "ask", "granted"),
    [
        (holding(10, 5), Ask(1, OTHER, 9), 40),  # it may admit something just now
        (holding(10, 5, is_frozen=True), Ask(1, OTHER, 9), 15),
        (holding(10, 5, want=6, is_frozen=True), Ask(1, OTHER, 25), 15),
        (holding(10, 5, want=6, is_frozen=True), Ask(20, OTHER, 9), 21),
        (holding(10, 5, want=6, is_frozen=True), Ask(10, OTHER, 9), 21),
        (holding(10, 5, want=6, is_frozen=True), None, 40),
    ],
)
def test_who_waits_longest_gets_what_others_do_not_need(mine, ask, granted):
    held = ResourceRows(
        [Grant(ME, 40, 10, 5), Grant(OTHER, 60, 60, 0)], [ask] if ask else []
    )
    assert decide_share(ME, mine, held, 10).grant.granted == granted


def test_what_is_free_is_kept_for_who_has_waited_longer():
    rows, older = [Grant(OTHER, 0, 0, 0)], Ask(1, OTHER, 97)
    decided = decide_share(ME, holding(want=5), ResourceRows(rows, [older]), 10)
    assert (decided.grant.granted, decided.ask) == (3, Ask(10, ME, 2))
    assert (
        decide_share(ME, holding(want=5), ResourceRows(rows, [older]), 0).grant.granted
        == 5
    )


def test_the_last_rest_is_told_to_be_the_last():
    def sole(rows, used=0, held=0):
        return decide_share(
            ME, holding(used, held, 20), ResourceRows(rows), 1
        ).share.is_sole

    assert sole([Grant(OTHER, 90, 90, 0)])
    assert sole([Grant(OTHER, 90, 85, 5, is_ended=True)])
    assert not sole([Grant(OTHER, 90, 89, 1)])  # it runs, and may take less
    assert not sole([Grant(OTHER, 90, 89, 0)])  # and this lies idle
    assert not sole([Grant(OTHER, 90, 90, 0)], held=1)
    assert not sole([Grant(OTHER, 100, 100, 0)])


def test_who_was_taken_over_from_only_tells_what_it_used():
    rows = [Grant(ME, 30, 10, 20), Grant(OTHER, 40, 5, 30)]
    decided = reported(ME, holding(50, 10, 5), ResourceRows(rows, [], 3))
    assert decided.grant == Grant(ME, 60, 50, 10)
    assert (decided.share.granted, decided.share.used) == (60, 8)
