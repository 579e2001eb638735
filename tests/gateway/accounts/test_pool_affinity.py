"""A conversation stays with its account, or moves when it must."""

import pytest

from gateway.accounts.eligibility import Demand
from gateway.errors import (
    NoAccounts,
    PreviousResponseNotFound,
    UsageLimitReached,
)
from gateway.protocol.facts import Affinity
from tests.gateway.accounts.pools import (
    account,
    answered,
    cool,
    lease,
    limit,
    refused,
    session,
)


def test_bound_conversation_stays(pool):
    first = answered(pool, session()).account
    assert {answered(pool, session()).account for _ in range(20)} == {first}
    assert not pool.observer.switches


def test_passing_outage_sends_elsewhere_and_home_again(pool, clock):
    home = answered(pool, session()).account
    cool(home, clock.now, 10)
    away = answered(pool, session())
    assert away.account is not home
    assert (away.switched_from, away.switch_cause) == (home.name, "cooling")
    clock.now += 11
    back = answered(pool, session())
    assert back.account is home
    assert back.switch_cause == "returned"
    assert pool.observer.switches == {"cooling": 1, "returned": 1}


def test_conversation_away_from_home_stays_with_its_fallback(pool, clock):
    pool.replace([account(n) for n in range(1, 7)])
    home = answered(pool, session()).account
    cool(home, clock.now, 100)
    assert len({answered(pool, session()).account for _ in range(20)}) == 1


@pytest.mark.parametrize(("seconds", "moved"), [(30, False), (600, True)])
def test_limit_beyond_a_minute_moves_the_conversation(pool, clock, seconds, moved):
    home = answered(pool, session()).account
    home.health.set_limit(clock.now, "primary", clock.now + seconds)
    other = answered(pool, session()).account
    assert other is not home
    clock.now += 1_000
    assert answered(pool, session()).account is (other if moved else home)


@pytest.mark.parametrize("loss", ["login", "pause", "remove"])
def test_conversation_moves_when_its_account_is_gone(pool, loss):
    home = answered(pool, session()).account
    if loss == "login":
        home.health.require_login("account_deactivated")
    elif loss == "pause":
        home.health.pause()
    else:
        pool.replace([a for a in pool.accounts.values() if a is not home])
    moved = answered(pool, session())
    assert moved.account is not home
    home.health.logged_in()
    home.health.resume()
    pool.replace([account(1), account(2)])
    assert answered(pool, session()).account.id == moved.account.id
    assert sum(pool.observer.switches.values()) == 1


def test_conversation_that_was_never_answered_is_bound_by_nothing(pool, clock):
    first = lease(pool, session())
    first.release()
    second = answered(pool, session(excluded=frozenset({first.account.id})))
    assert second.account is not first.account
    assert second.switched_from is None
    assert {answered(pool, session()).account for _ in range(9)} == {second.account}


def test_previous_response_binds_hard(pool, clock):
    granted = answered(pool, session())
    pool.observer.bind(granted, response_id="resp_1")
    follow = Demand(affinity=Affinity(previous_response_id="resp_1"))
    assert {answered(pool, follow).account for _ in range(9)} == {granted.account}
    assert pool.count_eligible(follow, frozenset()) == 0
    cool(granted.account, clock.now, 20)
    refused(pool, follow, NoAccounts)
    socket = Demand(websocket=True, affinity=follow.affinity)
    refused(pool, socket, PreviousResponseNotFound)
    granted.account.health.require_login("gone")
    refused(pool, follow, PreviousResponseNotFound)


def test_no_key_steers_by_the_names_of_another(pool):
    pool.replace([account(n) for n in range(1, 9)])
    theirs = Affinity("resp_1", "turn_1", "s", "t", "c")
    granted = answered(pool, Demand(key_id=1, affinity=theirs))
    pool.observer.bind(granted, response_id="resp_1", turn_state="turn_1")
    taken = {
        answered(pool, Demand(key_id=n, affinity=theirs)).account.id
        for n in range(2, 30)
    }
    assert len(taken) > 1


def test_turn_state_reaches_only_the_account_that_spoke_it(pool, clock):
    granted = answered(pool, session())
    pool.observer.bind(granted, turn_state="turn_1")
    demand = Demand(affinity=Affinity(turn_state="turn_1", session_id="s"))
    same = answered(pool, demand)
    assert (same.account, same.turn_state) == (granted.account, "turn_1")
    assert same.reason == "turn_state"
    cool(granted.account, clock.now, 20)
    assert answered(pool, demand).turn_state is None


def test_pinned_means_this_account_or_none(pool):
    assert answered(pool, Demand(pinned=2)).account.id == 2
    limit(pool, 2, 600)
    refused(pool, Demand(pinned=2), UsageLimitReached)
    assert "was removed" in str(refused(pool, Demand(pinned=5), NoAccounts))
    assert answered(pool, Demand(pinned=2, probe=True)).account.id == 2
