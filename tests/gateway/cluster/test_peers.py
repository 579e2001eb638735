"""Processes that serve from one database, three in a row: what they send."""

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest

from gateway.cluster.peers import GO, MAX_UNREAD_BYTES, RELOAD, PeerLink, Peers
from gateway.errors import KeyLimitReached
from gateway.keys.counters import Charge
from gateway.keys.key import Key, KeyRing, Limit, Measure
from gateway.keys.limiter import Limiter
from gateway.keys.reservation import Patience
from gateway.protocol.facts import Usage

CREATED = 1_764_000_000
NOW = CREATED + 30.0
KEY = Key(
    id=5,
    name="a",
    prefix="a",
    digest="d",
    created_at=CREATED,
    limits=(Limit(1, Measure.TOKENS, 100, "1d"), Limit(2, Measure.REQUESTS, 9, "1m")),
    rpm=4,
    concurrency=2,
)
SPEND = Charge(Usage(40), 0)


class Process:
    """What of a gateway its peers hear of."""

    def __init__(self):
        self.ring = KeyRing()
        self.ring.replace([KEY])
        self.limiter = Limiter(lambda: NOW, Patience(5, 5))
        self.reloads = asyncio.Queue()
        self.peers = Peers(self.ring, self.limiter, self.reload)
        self.written = 0

    async def reload(self):
        self.reloads.put_nowait("again")

    async def flush(self):
        self.written += 1

    async def reserve(self):
        return await self.limiter.reserve(KEY, SPEND, "m")

    @property
    def stands(self):
        """(tokens used, reserved, requests a minute, turns at a time)."""
        tokens, _, rate, running = self.limiter.report(KEY, NOW)
        return (
            tokens["current_value"],
            tokens["reserved_value"],
            rate["current_value"],
            running["current_value"],
        )


async def succeed(old, new):
    """`new` follows `old`."""
    ours, theirs = socket.socketpair()
    to_new, to_old = await PeerLink.open(ours), await PeerLink.open(theirs)
    await old.peers.send_snapshot(to_new, old.flush)
    told = []
    while GO not in (message := await to_old.receive()):
        told.append(message)
    new.peers.follow(to_old, told)
    old.peers.listen(to_new)


@asynccontextmanager
async def row(count):
    processes = [Process() for _ in range(count)]
    for old, new in pairwise(processes):
        await succeed(old, new)
    yield processes
    for process in processes:
        process.peers.close()
    await asyncio.sleep(0.01)


async def until(fact):
    async with asyncio.timeout(5):
        while not fact():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def test_a_successor_stands_where_its_predecessor_does():
    async def run():
        old, new = Process(), Process()
        held = await old.reserve()
        (await old.reserve()).settle(Usage(25), 0)
        new.limiter.ledger.restore(
            [(1, CREATED, 20)]
        )  # the database was a little behind

        await succeed(old, new)
        assert new.stands == old.stands == (25, 40, 2, 1)
        assert (
            new.limiter.ledger.take_increments() == []
        )  # nothing that it would persist again
        held.settle(Usage(45), 0)
        await until(lambda: new.stands == (70, 0, 2, 0))
        old.peers.close()
        new.peers.close()

    asyncio.run(run())


def test_a_key_that_is_used_much_can_be_handed_over():
    async def run():
        busy = replace(KEY, rpm=50_000, limits=(), concurrency=None)
        old, new = Process(), Process()
        for process in (old, new):
            process.ring.replace([busy])
        for _ in range(20_000):
            (await old.limiter.reserve(busy, SPEND, "m")).release()
        await succeed(old, new)
        (rate,) = new.limiter.report(busy, NOW)
        assert rate["current_value"] == 20_000
        old.peers.close()
        new.peers.close()

    asyncio.run(run())


def test_all_of_them_count_what_each_does():
    async def run():
        async with row(3) as processes:
            for process in processes:
                (await process.reserve()).settle(Usage(10), 0)
            held = await processes[1].reserve()
            await until(lambda: {p.stands for p in processes} == {(30, 40, 4, 1)})
            held.release()
            await until(lambda: {p.stands for p in processes} == {(30, 0, 4, 0)})
            for process in processes:
                assert process.limiter.ledger.take_increments() == [
                    (1, CREATED, 10),
                    (2, CREATED, 1),
                ]
                with pytest.raises(KeyLimitReached, match="per minute"):
                    await process.reserve()

    asyncio.run(run())


def test_a_turn_waits_for_one_of_another_process():
    async def run():
        async with row(2) as (old, new):
            held = [await old.reserve(), await old.reserve()]
            await until(lambda: new.stands[3] == 2)
            waiting = asyncio.create_task(new.reserve())
            await asyncio.sleep(0)
            assert not waiting.done()
            held[0].settle(Usage(1), 0)
            (await waiting).release()
            held[1].release()

    asyncio.run(run())


def test_a_reload_reaches_all_others_once():
    async def run():
        async with row(3) as processes:
            processes[2].peers.broadcast(RELOAD)
            for process in processes[:2]:
                await asyncio.wait_for(process.reloads.get(), 5)
            assert processes[2].reloads.empty()

    asyncio.run(run())


def test_what_one_held_that_is_gone_is_free_for_all():
    async def run():
        async with row(3) as processes:
            await processes[0].reserve()
            await until(lambda: processes[2].stands == (0, 40, 1, 1))
            (link,) = processes[0].peers._links
            link.close()  # as a killed process does
            await asyncio.wait_for(processes[1].peers.wait_for_predecessor(), 5)
            await until(lambda: processes[2].stands == (0, 0, 1, 0))
            assert processes[1].stands == (0, 0, 1, 0)

    asyncio.run(run())


def test_only_who_has_a_predecessor_waits_for_it():
    async def run():
        async with row(3) as (first, second, third):
            await asyncio.wait_for(first.peers.wait_for_predecessor(), 1)
            waiting = asyncio.create_task(second.peers.wait_for_predecessor())
            third.peers.close()  # the successor's end is no end of waiting
            await until(lambda: len(second.peers._links) == 1)
            assert not waiting.done()
            first.peers.close()
            await asyncio.wait_for(waiting, 5)

    asyncio.run(run())


def test_keys_and_limits_that_only_one_knows_do_no_harm():
    async def run():
        async with row(2) as (old, new):
            new.ring.replace([])
            new.limiter.ledger.retain(new.ring)
            held = await old.reserve()
            held.settle(Usage(7), 0)
            old.peers.broadcast(RELOAD)  # after that
            await asyncio.wait_for(new.reloads.get(), 5)

    asyncio.run(run())


@pytest.mark.gen_test
async def test_a_process_that_reads_nothing_is_given_up():
    ours, theirs = socket.socketpair()
    process, link = Process(), await PeerLink.open(ours)
    process.peers.listen(link)
    assert process.limiter.usage_changed.has_subscribers
    with theirs:
        for _ in range(MAX_UNREAD_BYTES // 1_000_000 + 2):
            process.peers.broadcast(RELOAD, "x" * 1_000_000)
        await until(lambda: not process.limiter.usage_changed.has_subscribers)
