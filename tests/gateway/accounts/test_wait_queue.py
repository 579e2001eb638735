"""Turns wait for a full account: a sender's in their order, the senders in turn."""

import asyncio
import contextlib

import pytest

from gateway.accounts.eligibility import Demand
from gateway.accounts.wait_queue import LONGEST_QUEUE, SHORTEST_QUEUE, WaitQueue
from gateway.errors import (
    GatewayOverloaded,
    UsageLimitReached,
)
from tests.gateway.accounts.pools import (
    NOW,
    account,
    answered,
    failure,
    session,
)


def test_first_come_first_served_when_all_are_full(pool):
    pool.replace([account(1, concurrency=1)])

    async def scenario():
        held = await pool.lease(Demand())
        order = []

        async def wait(number):
            granted = await pool.lease(Demand())
            order.append(number)
            granted.release()

        tasks = [asyncio.create_task(wait(n)) for n in range(SHORTEST_QUEUE)]
        await asyncio.sleep(0)
        assert pool.waiting == SHORTEST_QUEUE
        held.release()
        await asyncio.gather(*tasks)
        assert order == list(range(SHORTEST_QUEUE))

    asyncio.run(scenario())
    assert pool.waiting == 0
    assert pool.accounts[1].in_flight == 0


def test_cancelled_in_the_moment_of_the_grant_leaks_nothing(pool):
    pool.replace([account(1, concurrency=1)])

    async def scenario():
        held = await pool.lease(Demand())
        waiting = asyncio.create_task(pool.lease(Demand()))
        await asyncio.sleep(0)
        held.release()  # grants to the waiting task, which has not run yet
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())
    assert pool.accounts[1].in_flight == 0


@pytest.mark.parametrize(
    ("caps", "longest"),
    [((1,), SHORTEST_QUEUE), ((10, 10), 10), ((300, 300), LONGEST_QUEUE)],
)
def test_half_as_many_wait_as_can_run(pool, caps, longest):
    pool.replace([account(n, concurrency=cap) for n, cap in enumerate(caps, 1)])

    async def scenario():
        held = [await pool.lease(Demand()) for _ in range(sum(caps))]
        tasks = [asyncio.create_task(pool.lease(Demand())) for _ in range(longest)]
        await asyncio.sleep(0)
        assert pool.waiting == longest
        with pytest.raises(GatewayOverloaded) as caught:
            await pool.lease(Demand())
        assert len(caught.value.passed_over) == len(caps)
        assert f"at its cap of {caps[0]} requests" in caught.value.passed_over[0][1]
        held.pop().release()
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(pool.lease(Demand())))
        await asyncio.sleep(0)
        assert pool.waiting == longest
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lease in held:
            lease.release()

    asyncio.run(scenario())


def test_nobody_waits_who_would_be_refused_in_the_end():
    """Turns of two minutes, ten at a time: the second waits 24 s, the third longer."""
    ten, line = [account(1, concurrency=10)], WaitQueue()

    async def scenario():
        with contextlib.ExitStack() as stack:
            line.record_lease(120.0)
            for _ in range(2):
                assert line.has_room(Demand(), ten)
                stack.enter_context(line.join(Demand(), ten))
            assert not line.has_room(Demand(), ten)
            for _ in range(50):
                line.record_lease(10.0)
            assert line.has_room(Demand(), ten)

    asyncio.run(scenario())


def test_who_waits_for_other_accounts_is_in_nobodys_way(pool):
    pool.replace([account(1, concurrency=1), account(2, concurrency=1)])
    one, two = (Demand(allowed_accounts=frozenset({n})) for n in (1, 2))

    async def scenario():
        for demand in (one, two):
            await pool.lease(demand)
        tasks = [asyncio.create_task(pool.lease(one)) for _ in range(SHORTEST_QUEUE)]
        await asyncio.sleep(0)
        with pytest.raises(GatewayOverloaded):
            await pool.lease(one)
        tasks.append(asyncio.create_task(pool.lease(two)))
        await asyncio.sleep(0)
        assert pool.waiting == SHORTEST_QUEUE + 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scenario())


def test_conversation_goes_elsewhere_when_too_many_wait_for_its_home(pool):
    pool.replace([account(1, concurrency=1), account(2)])
    pool.strategy = "fill_first"
    answered(pool, session())

    async def scenario():
        await pool.lease(Demand())
        home = Demand(allowed_accounts=frozenset({1}))
        tasks = [asyncio.create_task(pool.lease(home)) for _ in range(SHORTEST_QUEUE)]
        await asyncio.sleep(0)
        granted = await asyncio.wait_for(pool.lease(session()), 1)
        assert granted.account.id == 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scenario())


def test_those_who_wait_hear_of_a_limit(pool):
    pool.replace([account(1, concurrency=1)])

    async def scenario():
        held = await pool.lease(Demand())
        waiting = asyncio.create_task(pool.lease(Demand()))
        await asyncio.sleep(0)
        limited = failure(429, "usage_limit_reached", resets_at=NOW + 99)
        pool.observer.failure(held, limited)
        with pytest.raises(UsageLimitReached):
            await waiting
        held.release()

    asyncio.run(scenario())


def test_conversation_waits_for_its_full_home(pool):
    pool.replace([account(1, concurrency=1), account(2)])
    pool.strategy = "fill_first"
    answered(pool, session())

    async def scenario():
        held = await pool.lease(Demand())
        waiting = asyncio.create_task(pool.lease(session()))
        await asyncio.sleep(0)
        stranger = await pool.lease(Demand())
        assert stranger.account.id == 2
        held.release()
        assert (await waiting).account.id == 1

    asyncio.run(scenario())
