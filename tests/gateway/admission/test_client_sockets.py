"""Who makes room for one more socket of the same sender."""

import pytest

from gateway.admission.body_budget import Sender
from gateway.admission.client_sockets import ClientSockets
from gateway.errors import UpgradeRequired

SENDER = Sender("key 1", has_key=True)


class Socket:
    opened_at, turns = 0.0, 0

    def __init__(self, idle_since):
        self.idle_since = idle_since
        self.is_leaving = False

    def drain(self):
        self.is_leaving = True

    def cut(self):
        pass


def opened(sockets, *idle_since, sender=SENDER):
    found = [Socket(one) for one in idle_since]
    for one in found:
        sockets.make_room(sender)
        sockets.add(one, sender)
    return found


def test_the_longest_idle_one_leaves_and_busy_ones_stay():
    sockets = ClientSockets(3)
    before = opened(sockets, 5.0, None, 3.0)
    opened(sockets, 9.0)
    assert [one.is_leaving for one in before] == [False, False, True]
    opened(sockets, None, sender=Sender("key 2", has_key=True))
    assert not before[0].is_leaving


def test_who_does_not_read_that_they_are_to_leave_holds_up_to_as_many_again():
    sockets = ClientSockets(3)
    held = opened(sockets, *range(6))
    assert [one.is_leaving for one in held] == [True] * 3 + [False] * 3
    with pytest.raises(UpgradeRequired):
        sockets.make_room(SENDER)
    assert not held[3].is_leaving
    sockets.discard(held[0])
    opened(sockets, 7.0)
    assert held[3].is_leaving


def test_none_idle_is_a_refusal():
    sockets = ClientSockets(2)
    opened(sockets, None, None)
    with pytest.raises(UpgradeRequired):
        sockets.make_room(SENDER)
