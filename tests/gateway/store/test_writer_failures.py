"""The writer while the database refuses, and its end."""

import asyncio
import contextlib
import resource
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import peewee as pw
import pytest

from gateway.store import models
from gateway.store.database import StoreUnavailable
from gateway.store.models import (
    AccountRow,
    BindingRow,
    UsageDay,
    UsageHour,
)
from gateway.store.write_queue import BATCH_ROWS, MAX_JOBS, StoredHealth
from tests.gateway.store.store_rows import NOW, log_row, make_store
from tests.gateway.store.writers import count, running, total, until

IMPATIENT = 0.05  # seconds to wait for a lock, where the test holds it


def locked(directory):
    """Another process's transaction."""
    other = sqlite3.connect(directory / "gateway.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return closing(other)


@contextlib.contextmanager
def full_disk(directory):
    """No file of this process may grow beyond what the write-ahead log has now."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (directory / "gateway.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_rows_wait_while_the_database_is_locked_and_go_in_by_themselves(tmp_path):
    async def scenario():
        async with running(tmp_path, lock_timeout=IMPATIENT) as store:
            writer = store.writer
            with locked(tmp_path):
                for _ in range(700):
                    writer.log(log_row(input_tokens=1))
                with pytest.raises(StoreUnavailable):
                    await store.flush()
                await until(lambda: writer.last_error is not None)
                assert "locked" in writer.last_error
                assert writer.queue_depth == 700
                assert writer.lag_seconds > 0
                # Reading goes on.
                assert await store.read(count) == 0
            await until(lambda: writer.last_error is None and not writer.queue_depth)
            await store.flush()
            assert await store.read(count) == 700
            assert await store.read(total, UsageHour) == (700, 700)
            assert writer.dropped == 0

    asyncio.run(scenario())


def test_rows_without_room_are_counted_and_still_summed(tmp_path):
    async def scenario():
        async with running(tmp_path, lock_timeout=IMPATIENT, capacity=600) as store:
            writer = store.writer
            with locked(tmp_path):
                writer.log(log_row(input_tokens=1))
                await until(lambda: writer.last_error is not None)
                for _ in range(1_000):
                    writer.log(log_row(input_tokens=1))
                assert writer.queue_depth == 601  # one is held by the thread
                assert writer.dropped == 400
            await until(lambda: writer.last_error is None and not writer.queue_depth)
            await store.flush()
            assert await store.read(count) == 601
            for table in (UsageHour, UsageDay):
                assert await store.read(total, table) == (1_001, 1_001)

    asyncio.run(scenario())


def test_rows_wait_while_the_disk_is_full_and_go_in_by_themselves(tmp_path):
    async def scenario():
        async with running(tmp_path) as store:
            store.writer.log(log_row())
            await store.flush()
            with full_disk(tmp_path):
                for _ in range(BATCH_ROWS):
                    store.writer.log(log_row(user_agent="x" * 200, input_tokens=1))
                await until(lambda: store.writer.last_error is not None)
                assert store.writer.queue_depth == BATCH_ROWS
                assert "disk" in store.writer.last_error
            # A change that goes through shows that there is room again.
            await store.write(lambda: None)
            await until(lambda: not store.writer.queue_depth)
            await store.flush()
            assert await store.read(count) == BATCH_ROWS + 1
            assert await store.read(total, UsageHour) == (BATCH_ROWS + 1, BATCH_ROWS)

    asyncio.run(scenario())


class Unspeakable:
    """What no database takes, and whose error cannot even be told."""

    def __str__(self):
        raise self.Refusal

    class Refusal(Exception):
        def __str__(self):
            raise ValueError


def test_of_a_batch_only_what_is_refused_is_lost(tmp_path):
    """A number that no column takes costs nothing that waits beside it."""

    async def scenario():
        async with running(tmp_path) as store:
            writer = store.writer
            await store.write(add_accounts, 2)
            writer.log(log_row(model=Unspeakable()))
            writer.log(log_row())
            for key, used_at in (("a", NOW), ("b", 10**30), ("c", NOW)):
                writer.bind(key, 1, used_at)
            writer.save_state(1, StoredHealth("limited", 10**30))
            writer.save_state(2, StoredHealth("limited", NOW))
            await store.flush()
            assert await store.read(count) == 1
            bindings = await store.read(lambda: list(BindingRow.select()))
            assert {row.key for row in bindings} == {"a", "c"}
            states = await store.read(lambda: list(AccountRow.select()))
            assert [row.state_until for row in states] == [None, NOW]

    asyncio.run(scenario())


def add_accounts(number):
    for n in range(number):
        AccountRow.create(name=f"a{n}", kind="api_key", credentials="{}")


def test_the_thread_outlives_what_it_did_not_foresee(tmp_path, caplog):
    async def scenario():
        async with running(tmp_path) as store:
            store.writer.submit(count).set_result("by somebody else")
            store.writer.log(log_row())
            await until(lambda: store.writer.failures == 1)
            await store.flush()
            assert await store.read(count) == 1

    asyncio.run(scenario())
    assert sum("the writer failed" in line for line in caplog.messages) == 1


def test_a_row_the_database_refuses_costs_only_itself(tmp_path):
    async def scenario():
        async with running(tmp_path) as store:
            twin = log_row(input_tokens=1)
            for row in (log_row(input_tokens=1), twin, dict(twin), log_row()):
                store.writer.log(row)
            store.writer.bind("a", 1, NOW)
            await store.flush()
            assert store.writer.dropped == 1
            assert store.writer.last_error is None
            assert await store.read(count) == store.writer.written == 3
            assert await store.read(total, UsageHour) == (3, 2)
            assert await store.read(count, BindingRow) == 1

    asyncio.run(scenario())


def test_the_end_waits_for_what_was_put_in(tmp_path):
    async def scenario():
        async with running(tmp_path) as store:
            for _ in range(2 * BATCH_ROWS + 1):
                store.writer.log(log_row())
            store.writer.bind("a", 1, NOW)
        assert store.writer.written == 2 * BATCH_ROWS + 1
        store.writer.log(log_row())
        assert store.writer.dropped == 1
        with pytest.raises(StoreUnavailable):
            await store.write(count)

    asyncio.run(scenario())


def test_the_end_comes_even_when_the_database_takes_nothing(tmp_path):
    async def scenario():
        store = make_store(tmp_path, lock_timeout=IMPATIENT)
        await store.start()
        with locked(tmp_path):
            store.writer.log(log_row())
            await until(lambda: store.writer.last_error is not None)
            started = time.monotonic()
            await store.stop(drain_seconds=0.2)
            assert time.monotonic() - started < 10
        assert store.writer.dropped == 1

    asyncio.run(scenario())


def test_a_lock_that_goes_during_the_end_loses_nothing(tmp_path):
    async def scenario():
        store = make_store(tmp_path, lock_timeout=IMPATIENT)
        await store.start()
        with locked(tmp_path):
            store.writer.log(log_row())
            await until(lambda: store.writer.last_error is not None)
            stopping = asyncio.create_task(store.stop())
            await asyncio.sleep(0)
        await stopping
        assert (store.writer.dropped, store.writer.written) == (0, 1)

    asyncio.run(scenario())


def test_too_many_waiting_writes_are_refused(tmp_path):
    async def scenario():
        async with running(tmp_path) as store:
            gate = threading.Event()
            jobs = [store.writer.submit(gate.wait)]
            refused = 0
            for _ in range(MAX_JOBS + 10):
                try:
                    jobs.append(store.writer.submit(int))
                except StoreUnavailable:
                    refused += 1
            gate.set()
            await asyncio.gather(*map(asyncio.wrap_future, jobs))
            assert refused in (9, 10, 11)  # whether or not the first was taken

    asyncio.run(scenario())


def test_a_change_that_failed_holds_no_connection_open(tmp_path):
    """One that could only read would keep the next one from writing."""

    def half_a_query():
        rows = models.database.execute_sql("SELECT name FROM schema_migration")
        rows.fetchone()
        raise pw.OperationalError("the disk is gone")

    async def scenario():
        async with running(tmp_path) as store:
            failed = store.writer.submit(half_a_query)
            assert isinstance(failed.exception(5), StoreUnavailable)
            files = [file.resolve() for file in Path("/proc/self/fd").iterdir()]
            assert not [file for file in files if file.parent == tmp_path.resolve()]

    asyncio.run(scenario())
