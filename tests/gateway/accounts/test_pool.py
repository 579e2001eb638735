"""Leases, probes and reloads of the pool."""

import asyncio

from gateway.accounts.eligibility import Demand
from tests.gateway.accounts.pools import (
    NOW,
    account,
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
    pool.accounts[1].health.cool(NOW, 5, "broken")
    clock.now += 6

    async def scenario():
        probe = await pool.lease(Demand())
        assert probe.is_trial
        others = [asyncio.create_task(pool.lease(Demand())) for _ in range(3)]
        await asyncio.sleep(0)
        assert pool.waiting == 3
        pool.observe_success(probe)
        assert len(await asyncio.gather(*others)) == 3

    asyncio.run(scenario())


def test_a_401_is_judged_by_its_refresh(pool, clock):
    pool.replace([account(1)])
    granted = lease(pool)
    pool.observe_failure(granted, failure(401))
    assert granted.account.health.status(clock.now) == "active"
    pool.observe_failure(granted, failure(401))
    assert granted.account.health.status(clock.now) == "cooling"


def test_reload_keeps_what_is_known_live(pool):
    granted = lease(pool, session())
    pool.observe_failure(granted, failure(429, "usage_limit_reached"))
    stored = [account(1, name="new"), account(2, name="newer")]
    stored[0].health.pause()
    pool.replace(stored)
    assert pool.accounts[granted.account.id] is granted.account
    assert granted.account.in_flight == 1
    assert granted.account.health.limit is not None
    assert pool.find("new").health.status(NOW) == "paused"


def test_a_probe_that_is_given_up_makes_room_for_the_next(pool, clock):
    pool.replace([account(1)])
    pool.accounts[1].health.cool(NOW, 5, "broken")
    clock.now += 6
    for _ in range(3):
        granted = lease(pool)
        assert granted.is_trial
        granted.release()
