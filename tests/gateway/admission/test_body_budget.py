"""The budget for bodies: nobody takes it all, and all of it comes back."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.body_budget import BodyBudget, Sender, sender_of
from gateway.admission.client_address import RequestFacts, client_network
from gateway.errors import GatewayOverloaded
from gateway.keys.key import Key
from gateway.settings import Settings

LIMIT = 1000
KEYS = [Sender(f"key {number}", has_key=True) for number in range(5)]
STRANGERS = [Sender(f"10.0.0.{number}", has_key=False) for number in range(100)]


def fill(budget, sender):
    """Take byte by byte what the sender gets; the lease."""
    lease = budget.open_lease(sender)
    with suppress(GatewayOverloaded):
        for _ in range(LIMIT):
            lease.take(1)
    return lease


def test_one_sender_gets_half_and_the_next_half_of_the_rest():
    budget = BodyBudget(LIMIT)
    assert budget.largest_share == 500
    assert [fill(budget, key).held for key in KEYS] == [500, 250, 125, 62, 31]


def test_all_of_a_senders_bodies_are_one_share():
    budget = BodyBudget(LIMIT)
    first, second = budget.open_lease(KEYS[0]), budget.open_lease(KEYS[0])
    first.take(400)
    second.take(100)
    for lease in (first, second):
        with pytest.raises(GatewayOverloaded):
            lease.take(1)
    first.give_back(1)
    second.take(1)
    assert budget.used == 500


def test_more_than_there_is_is_refused_and_takes_nothing():
    budget = BodyBudget(LIMIT)
    lease = budget.open_lease(KEYS[0])
    with pytest.raises(GatewayOverloaded):
        lease.take(501)
    assert (lease.held, budget.used) == (0, 0)


def test_a_crowd_without_keys_leaves_room_for_who_is_known():
    """However many addresses it has; a key is known, and who sent a whole body."""
    budget = BodyBudget(LIMIT)
    regular = Sender("192.0.2.1", has_key=False)
    before = budget.open_lease(regular)
    before.take(10)
    before.note_arrival()
    before.release()
    for stranger in STRANGERS:
        fill(budget, stranger)
    assert budget.used == 500
    with pytest.raises(GatewayOverloaded):
        budget.open_lease(Sender("192.0.2.2", has_key=False)).take(1)
    budget.open_lease(regular).take(200)
    budget.open_lease(KEYS[0]).take(100)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KEYS[:3] + STRANGERS[:3]),
            st.sampled_from(["take", "give back", "note", "release"]),
            st.integers(0, 600),
        )
    )
)
def test_the_sum_is_what_the_leases_hold_and_never_too_much(steps):
    budget = BodyBudget(LIMIT)
    leases = []
    for sender, what, size in steps:
        mine = [one for one in leases if one[0] == sender]
        if what == "take" or not mine:
            lease = budget.open_lease(sender)
            leases.append((sender, lease))
            try:
                lease.take(size)
            except GatewayOverloaded:
                assert lease.held == 0
        elif what == "give back":
            mine[0][1].give_back(size)
        elif what == "note":
            mine[0][1].note_arrival()
        else:
            mine[-1][1].release()
        assert budget.used == sum(lease.held for _, lease in leases) <= LIMIT
    for _, lease in leases:
        lease.release()
        lease.release()
    assert budget.used == 0
    assert [fill(budget, key).held for key in KEYS[:2]] == [500, 250]


def test_the_share_is_the_keys_and_only_without_one_the_addresss(monkeypatch):
    monkeypatch.setenv("GATEWAY_TRUSTED_PROXIES", "127.0.0.1")
    settings = Settings.from_env(dotenv="/nonexistent")

    def sender(key=None, peer="127.0.0.1", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        network = client_network(RequestFacts(peer, named), settings)
        return sender_of(key, network)

    key = Key(7, "one", "sk", "digest", 0)
    assert sender(key) == sender(key, peer="192.0.2.7") != sender()
    assert sender(x_forwarded_for="2001:db8:0:1::7") == sender(
        x_forwarded_for="6.6.6.6, 2001:db8:0:1:ffff::1"
    )
    assert sender(x_forwarded_for="2001:db8:0:2::7") != sender(
        x_forwarded_for="2001:db8:0:1::7"
    )
    # Who is no trusted proxy names nobody.
    assert sender(peer="192.0.2.7", x_forwarded_for="192.0.2.8") == sender(
        peer="192.0.2.7"
    )
