"""Places, rates and caps of processes that wait, die and come back."""

import asyncio
import time

import pytest

from gateway.accounts.eligibility import Demand
from gateway.errors import KeyLimitReached
from gateway.protocol.facts import Usage
from gateway.store.shared.tables import AskRow
from tests.gateway.cluster.limiting_processes import (
    key,
    processes,
    rows,
    start,
    stop,
    store,
)
from tests.serving import until

__all__ = ["processes", "start", "store"]
pytestmark = pytest.mark.gen_test(timeout=30)


async def test_places_go_to_who_has_waited_longest_wherever_it_came(start):
    one = await start(key(concurrency=1))
    held = await one.reserve()
    two = await start(one.key)
    order = []

    async def wait(process, name):
        reservation = await process.reserve()
        order.append(name)
        reservation.release()

    tasks = []
    for process, name in ((two, "first"), (one, "second"), (two, "third")):
        tasks.append(asyncio.create_task(wait(process, name)))
        await until(lambda: one.limiter.waiting + two.limiter.waiting == len(tasks))
        await process.grants.flush()
    await one.grants.flush()  # it has seen who waits
    held.release()
    await asyncio.gather(*tasks)
    assert order == ["first", "second", "third"]


async def test_a_rate_is_one_rate_and_refused_at_once(start):
    one = await start(key((), rpm=4))
    assert await one.turn()
    two = await start(one.key)
    admitted = [await two.turn(), await one.turn(), await two.turn()]
    assert admitted == [True] * 3
    began = time.monotonic()
    with pytest.raises(KeyLimitReached, match="per minute"):
        await two.reserve()
    with pytest.raises(KeyLimitReached, match="per minute"):
        await one.limiter.check_rate(one.key, 0)
    assert time.monotonic() - began < 2


async def test_what_a_dead_one_was_granted_goes_on_but_for_what_it_held(start):
    one = await start()
    two = await start(one.key)
    assert await one.turn()
    await one.reserve()
    await one.grants.flush()
    one.go_silent()
    assert all([await two.turn() for _ in range(10)])
    last = asyncio.create_task(two.turn())
    await until(lambda: two.limiter.waiting)  # the rest lies with the silent one
    await two.members.note_dead(one.members.id)
    assert await last
    assert await asyncio.gather(*[two.turn() for _ in range(20)]) == [
        *[True] * 7,
        *[False] * 13,
    ]
    assert two.used == 19  # and one that the dead one held


async def test_one_taken_over_from_comes_back_with_what_it_used_and_no_more(
    start, store
):
    one = await start()
    two = await start(one.key)
    held = await one.reserve()
    await one.grants.flush()
    await two.members.note_dead(one.members.id)
    held.settle(Usage(5), 0)
    await one.members.beat()  # it hears of it
    for process in (one, two):
        await process.members.look()
    admitted = await asyncio.gather(*[p.turn() for _ in range(15) for p in (one, two)])
    assert admitted.count(True) == 19


async def test_an_accounts_cap_is_one_of_all(start, store):
    one = await start()
    held = [await one.pool.lease(Demand()) for _ in range(2)]
    two = await start(one.key)
    waiting = [asyncio.create_task(two.pool.lease(Demand())) for _ in range(2)]
    await until(lambda: two.pool.waiting == 2)
    await two.grants.flush()
    assert not any(task.done() for task in waiting)
    for lease in held:
        lease.release()
    leases = await asyncio.gather(*waiting)
    third = asyncio.create_task(one.pool.lease(Demand()))
    await until(lambda: one.pool.waiting)
    await one.grants.flush()
    assert not third.done()
    leases[0].release()
    (await third).release()
    leases[1].release()
    await stop(two, [one])
    await until(lambda: one.pool.accounts[3].share is None)
    held = [await one.pool.lease(Demand()) for _ in range(2)]
    assert all(lease.account.id == 3 for lease in held)


async def test_alone_again_all_that_is_left_is_the_ones(start, store):
    one = await start()
    two = await start(one.key)
    assert await two.turn()
    assert await one.turn()
    await stop(two, [one])
    await until(lambda: not one.limiter.shared.are_shared)
    assert one.used == 2
    assert [await one.turn() for _ in range(19)] == [*[True] * 18, False]
    assert await store.read(rows, AskRow) == []
