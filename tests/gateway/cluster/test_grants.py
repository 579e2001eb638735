"""Processes that share one database: what their limiters admit between them."""

import asyncio

import pytest

from gateway.keys.key import Limit, Measure
from gateway.repository.revision import current_revision
from gateway.settings import Settings
from gateway.store.database import StoreUnavailable
from gateway.store.models import LimitCounterRow
from gateway.store.shared.tables import AskRow, GrantRow
from tests.gateway.cluster.limiting_processes import (
    LIMITS,
    Process,
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


async def test_one_alone_writes_what_it_uses_and_asks_nobody(start, store):
    process = await start()
    held = await process.reserve()
    assert await process.turn()
    await process.grants.flush()
    (row,) = await store.read(rows, GrantRow)
    assert (row["used"], row["held"]) == (1, 1)
    assert await store.read(rows, AskRow) == []
    held.release()
    await stop(process, [])
    assert await store.read(rows, GrantRow) == []
    (counter,) = await store.read(rows, LimitCounterRow)
    assert counter["used"] == 1
    assert (await start()).used == 1


async def test_together_they_admit_exactly_what_one_would(start, store):
    a_key = key((*LIMITS, Limit(2, Measure.TOKENS, 1_000, "1h")))
    one = await start(a_key)
    assert await one.turn()
    two, three = await start(a_key), await start(a_key)
    turns = [process.turn() for _ in range(12) for process in (one, two, three)]
    admitted = await asyncio.gather(*turns)
    assert admitted.count(True) == 19
    for process in (one, two, three):
        await process.grants.flush()
    used = await store.read(
        lambda: [(row["resource"], row["used"]) for row in rows(GrantRow)]
    )
    assert sum(number for name, number in used if name == "limit:1") == 20
    assert sum(number for name, number in used if name == "limit:2") == 100
    assert await store.read(rows, AskRow) == []


async def test_who_comes_counts_what_runs_already(start):
    one = await start(key(concurrency=2))
    held = [await one.reserve(), await one.reserve()]
    two = await start(one.key)
    waiting = asyncio.create_task(two.reserve())
    await until(lambda: two.limiter.waiting)
    await two.grants.flush()
    assert not waiting.done()
    held[0].release()
    (await waiting).release()
    held[1].release()


async def test_who_joins_waits_until_the_others_share(store, tmp_path, start):
    one = await start()
    held = await one.reserve()
    two = Process(store, Settings.from_env(), one.key)
    await two.members.join(takes_over=False)
    joining = asyncio.create_task(two.grants.start())
    await two.grants.flush()
    assert not joining.done()
    await one.members.look()
    await one.members.acknowledge(await store.read(current_revision))
    await joining
    assert one.limiter.shared.are_shared
    written = {row["resource"]: row["held"] for row in await store.read(rows, GrantRow)}
    assert written["limit:1"] == 1
    held.release()


async def test_who_join_at_once_do_not_wait_for_each_other(store):
    joining = []
    for _ in range(3):
        one = Process(store, Settings.from_env(), key())
        await one.members.join(takes_over=False)
        await one.members.acknowledge(await store.read(current_revision))
        joining.append(one)
    async with asyncio.timeout(10):
        for one in joining:
            await one.members.look()
            await one.grants.start()
            # From here on it follows whatever comes.
            await one.members.acknowledge(await store.read(current_revision))


async def test_a_failing_database_loses_nothing_that_was_counted(start, store):
    one = await start()
    two = await start(one.key)
    assert await one.turn()
    assert await two.turn()
    transact, failures = store.transact, []

    async def fail(*args):
        failures.append(args)
        raise StoreUnavailable

    store.transact = fail
    assert await one.turn()  # of what is granted
    for process in (one, two):
        with pytest.raises(StoreUnavailable):
            await process.grants.flush()
    store.transact = transact
    for process in (one, two):
        await process.grants.flush()
    used = await store.read(lambda: sum(row["used"] for row in rows(GrantRow)))
    assert used == 3
    assert failures
