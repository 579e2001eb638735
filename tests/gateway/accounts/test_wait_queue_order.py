"""Who waits for an account is served in turn, sender by sender."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.eligibility import Demand
from gateway.accounts.lease import Lease
from gateway.accounts.wait_queue import SHORTEST_QUEUE, WaitQueue
from gateway.errors import (
    GatewayOverloaded,
)
from tests.gateway.accounts.pools import (
    account,
)

GRANTED = Lease(account(1), Demand(), "test")


def asking(pool, order, demand, name):
    """A request that waits in line and, granted, is over at once."""

    async def ask():
        granted = await pool.lease(demand)
        order.append(name)
        granted.release()

    return asyncio.create_task(ask())


@pytest.mark.parametrize(
    ("many", "one", "two"),
    [
        (Demand(key_id=1), Demand(key_id=2), Demand(key_id=3)),
        (Demand(network="a"), Demand(network="b"), Demand(network="c")),
    ],
    ids=["keys", "networks"],
)
def test_senders_are_served_in_turn(pool, many, one, two):
    pool.replace([account(1, concurrency=1)])

    async def scenario():
        held = await pool.lease(many)
        order = []
        tasks = [asking(pool, order, many, n) for n in range(3)]
        await asyncio.sleep(0)
        tasks.append(asking(pool, order, one, "one"))
        await asyncio.sleep(0)
        assert pool.waiting == SHORTEST_QUEUE
        tasks.append(asking(pool, order, two, "two"))
        await asyncio.sleep(0)
        held.release()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert order == [0, "one", "two", 1]
        assert [n for n, result in enumerate(results) if result is not None] == [2]
        assert isinstance(results[2], GatewayOverloaded)

    asyncio.run(scenario())
    assert pool.waiting == 0


def test_a_full_line_is_shared_out_evenly(pool):
    pool.replace([account(1, concurrency=1)])

    async def scenario():
        held = await pool.lease(Demand(key_id=1))
        line = []

        async def join(key_id):
            """Whether it waits now; the line is full before each."""
            line.append(
                (key_id, asyncio.create_task(pool.lease(Demand(key_id=key_id))))
            )
            for _ in range(5):  # until whoever had to leave has heard of it
                await asyncio.sleep(0)
            return not line[-1][1].done()

        def waiting():
            return sorted(key_id for key_id, task in line if not task.done())

        for _ in range(SHORTEST_QUEUE):
            assert await join(1)
        assert not await join(1)
        assert await join(2)
        assert await join(2)
        assert waiting() == [1, 1, 2, 2]
        assert not await join(2)  # its own line would be the longest
        assert await join(3)
        assert await join(4)
        assert waiting() == [1, 2, 3, 4]
        for key_id in (1, 4, 5):
            assert not await join(key_id)
        assert waiting() == [1, 2, 3, 4]
        # Of each key, the first that came is the one that stayed.
        for key_id in (1, 2, 3, 4):
            first = next(task for known, task in line if known == key_id)
            assert not first.done()
        refused = [task.exception() for _, task in line if task.done()]
        assert {type(error) for error in refused} == {GatewayOverloaded}
        for _, task in line:
            task.cancel()
        await asyncio.gather(*(task for _, task in line), return_exceptions=True)
        held.release()

    asyncio.run(scenario())
    assert pool.waiting == pool.accounts[1].in_flight == 0


def test_a_long_line_of_others_delays_nobody_by_more_than_one_of_each():
    """Turns of 20 s, one at a time: who is second waits in time, who is third not."""
    alone, line = [account(1, concurrency=1)], WaitQueue()
    other = Demand(key_id=2)

    async def scenario():
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(line.join(Demand(key_id=1), alone))
            line.record_lease(15.0)
            assert not line.has_room(Demand(key_id=1), alone)
            assert line.has_room(other, alone)
            stack.enter_context(line.join(other, alone))
            assert line.replaceable(Demand(key_id=3), alone) is None  # 45 s
            line.record_lease(-1e3)
            victim = line.replaceable(Demand(key_id=3), alone)
            assert victim is not None
            assert victim.demand.key_id == 1

    asyncio.run(scenario())


requests = st.lists(st.integers(1, 4), min_size=1, max_size=40)


@given(requests, requests)
def test_whoever_waits_is_served_within_a_round(first, then):
    """Between two services of a waiting sender, each other is served once at most."""
    line, accounts = WaitQueue(), [account(1, concurrency=1)]

    async def scenario():
        with contextlib.ExitStack() as stack:
            for key_id in first:
                stack.enter_context(line.join(Demand(key_id=key_id), accounts))
            served = []
            for key_id in [*then, *[None] * len(first)]:
                waiters = list(line)
                if not waiters:
                    break
                waiting = {one.demand.key_id for one in waiters}
                served.append((waiters[0].demand.key_id, waiting))
                line.grant(waiters[0], GRANTED)
                if key_id is not None:
                    stack.enter_context(line.join(Demand(key_id=key_id), accounts))
            for at, (key_id, _) in enumerate(served):
                since = served[at + 1 :]
                again = next(
                    (n for n, (other, _) in enumerate(since) if other == key_id), None
                )
                others = [other for other, _ in since[:again]]
                if all(key_id in waiting for _, waiting in since[:again]):
                    assert len(others) == len(set(others))

    asyncio.run(scenario())
