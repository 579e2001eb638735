"""Processes that are stopped while they have locks, and those that wait for these."""

import asyncio
import threading

import psycopg
import pytest

from gateway.store.database import StoreUnavailable
from gateway.store.models import SettingRow
from gateway.store.shared import brief_transaction
from tests.gateway.store.test_postgres import running


@pytest.fixture
def limits(monkeypatch):
    """`limits(old, new)`: another limit than the usual."""

    def change(old, new):
        changed = brief_transaction._LIMITS.replace(f"'{old}'", f"'{new}'")
        monkeypatch.setattr(brief_transaction, "_LIMITS", changed)

    return change


def add(name):
    SettingRow.create(name=name, value="1")


def test_a_lock_that_another_keeps_stops_nothing_else(server, tmp_path, limits):
    limits("3s", "50ms")

    async def scenario():
        async with running(server, tmp_path) as store, asyncio.timeout(10):
            await store.transact(add, "theirs")
            with psycopg.connect(server.url) as other:
                other.execute("UPDATE setting SET value = '2' WHERE name = 'theirs'")
                change = SettingRow.update(value="3").where(SettingRow.name == "theirs")
                waiting = asyncio.create_task(store.transact(change.execute))
                await store.transact(add, "mine")  # behind it
                with pytest.raises(StoreUnavailable):
                    await waiting

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["transact", "write"])
def test_who_is_stopped_with_a_lock_loses_it_and_goes_on(
    server, tmp_path, limits, kind
):
    limits("5s", "50ms")
    has_lock, goes_on = asyncio.Event(), threading.Event()

    def change(loop):
        add("half")
        loop.call_soon_threadsafe(has_lock.set)
        goes_on.wait()
        add("whole")

    async def scenario():
        async with running(server, tmp_path) as store:
            loop = asyncio.get_running_loop()
            stopped = asyncio.create_task(getattr(store, kind)(change, loop))
            await has_lock.wait()
            try:
                with psycopg.connect(server.url) as other:
                    other.execute("SET lock_timeout = '5s'")
                    add_theirs = "INSERT INTO setting (name, value) VALUES ('half', '')"
                    other.execute(add_theirs)
            finally:
                goes_on.set()
            with pytest.raises(StoreUnavailable):
                await stopped
            await getattr(store, kind)(add, "later")

    asyncio.run(scenario())
