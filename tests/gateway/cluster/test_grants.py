"""Processes that share one database: what their limiters admit between them."""

import asyncio
import time

import pytest

from gateway.accounts.account import Account
from gateway.accounts.eligibility import Demand
from gateway.accounts.pool import Pool
from gateway.cluster.grants import Grants
from gateway.cluster.membership import Membership
from gateway.errors import KeyLimitReached
from gateway.events import Topic
from gateway.keys.counters import Charge
from gateway.keys.key import Key, KeyRing, Limit, Measure
from gateway.keys.limiter import Limiter
from gateway.keys.reservation import Patience
from gateway.protocol.facts import Usage
from gateway.repository.revision import current_revision
from gateway.settings import Settings
from gateway.store.database import StoreUnavailable
from gateway.store.models import LimitCounterRow
from gateway.store.shared.tables import AskRow, GrantRow
from gateway.store.tables import TABLES
from tests.gateway.store.store_rows import make_store
from tests.serving import until

pytestmark = pytest.mark.gen_test(timeout=30)

CREATED = int(time.time()) - 30
LIMITS = (Limit(1, Measure.REQUESTS, 20, "1d"),)
SPEND = Charge(Usage(5), 0)


def key(limits=LIMITS, **rules):
    return Key(5, "a", "a", "d", CREATED, limits=limits, **rules)


class Process:
    """What of a gateway has to do with limits."""

    def __init__(self, store, settings, a_key):
        self.key = a_key
        self.ring = KeyRing()
        self.ring.replace([a_key])
        self.limiter = Limiter(patience=Patience(2, 2))
        self.members = Membership(store, settings)
        self.members._is_on_file = False  # each has a data directory of its own
        self.pool = Pool(settings)
        self.pool.replace([Account(3, "three", concurrency=2)])
        self.grants = Grants(
            store, self.members, self.limiter, self.pool, self.ring, Topic()
        )
        self.running = None
        self.has_ended = False

    async def reserve(self):
        return await self.limiter.reserve(self.key, SPEND, "m")

    async def turn(self):
        """Whether one was admitted; it has ended."""
        try:
            (await self.reserve()).settle(Usage(5), 0)
        except KeyLimitReached:
            return False
        return True

    def go_silent(self):
        self.running.cancel()

    @property
    def used(self):
        return self.limiter.report(self.key, time.time())[0]["current_value"]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path, io_loop):
    url = {}
    if request.param == "postgresql":
        url = {"url": request.getfixturevalue("server").url}
    made = make_store(tmp_path, **url)
    io_loop.run_sync(made.start)
    io_loop.run_sync(lambda: made.write(empty))
    yield made
    io_loop.run_sync(made.stop)


def empty():
    for table in TABLES:
        table.delete().execute()


@pytest.fixture
def processes():
    return []


@pytest.fixture
def start(store, tmp_path, monkeypatch, processes):
    """A maker of processes, which the others come to know."""

    async def make(a_key=None):
        monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path / str(len(processes))))
        process = Process(store, Settings.from_env(), a_key or key())
        await process.members.join(takes_over=True)
        revision = await store.read(current_revision)
        for other in [*processes, process]:
            if other.has_ended:
                continue
            await other.members.look()
            await other.members.acknowledge(revision)
        processes.append(process)
        await process.grants.start()
        process.running = asyncio.create_task(process.grants.run())
        return process

    yield make
    for process in processes:
        process.running.cancel()


async def stop(process, others):
    process.running.cancel()
    process.has_ended = True
    await process.grants.leave()
    await process.members.leave()
    for other in others:
        await other.members.look()


def rows(table):
    return [row for row in table.select().dicts()]


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
