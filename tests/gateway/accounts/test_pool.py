"""Leases, probes and reloads of the pool."""

import asyncio

from gateway.accounts.eligibility import Demand
from gateway.accounts.health import TRIAL_SECONDS
from tests.gateway.accounts.pools import (
    NOW,
    account,
    cool,
    failure,
    lease,
    session,
)


def test_release_is_idempotent(pool):
    granted = lease(pool)
    assert granted.account.in_flight == 1
    granted.release()
    granted.release()
    assert granted.account.in_flight == 0


def test_after_cooling_one_probe_goes_first(pool, clock):
    pool.replace([account(1)])
    cool(pool.accounts[1], NOW, 5)
    clock.now += 6

    async def scenario():
        probe = await pool.lease(Demand())
        assert probe.is_trial
        assert not (await pool.lease(Demand())).is_trial  # there is no better one
        pool.observer.success(probe)
        assert not pool.accounts[1].health.on_trial

    asyncio.run(scenario())


def test_while_one_is_on_trial_others_go_elsewhere(pool, clock):
    cool(pool.accounts[1], NOW, 5)
    clock.now += 6
    while not (probe := lease(pool)).is_trial:
        probe.release()
    assert {lease(pool).account.id for _ in range(9)} == {2}


def test_a_trial_that_hangs_holds_the_others_for_a_moment_only(pool, clock):
    cool(pool.accounts[1], NOW, 5)
    clock.now += 6
    while not (hanging := lease(pool)).is_trial:
        hanging.release()
    clock.now += TRIAL_SECONDS
    while not (second := lease(pool)).is_trial:
        second.release()
    assert second.account is hanging.account


def test_reload_keeps_what_is_known_live(pool):
    granted = lease(pool, session())
    limited = failure(429, "usage_limit_reached", resets_at=NOW + 99)
    pool.observer.failure(granted, limited)
    stored = [account(1, name="new"), account(2, name="newer")]
    stored[0].health.pause()
    pool.replace(stored)
    assert pool.accounts[granted.account.id] is granted.account
    assert granted.account.in_flight == 1
    assert granted.account.health.limit is not None
    assert granted.account.name == "new"
    assert granted.account.health.status(NOW) == "paused"


def test_a_probe_that_is_given_up_makes_room_for_the_next(pool, clock):
    pool.replace([account(1)])
    cool(pool.accounts[1], NOW, 5)
    clock.now += 6
    for _ in range(3):
        granted = lease(pool)
        assert granted.is_trial
        granted.release()
