"""What of several processes on one database has to do with limits, in one process."""

import asyncio
import time

import pytest

from gateway.accounts.account import Account
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
from gateway.store.tables import TABLES
from tests.gateway.store.store_rows import make_store

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
