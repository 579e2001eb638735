import asyncio
import contextlib
import resource
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from gateway.store.database import StoreUnavailable
from gateway.store.models import (
    AccountRow,
    BindingRow,
    LimitCounterRow,
    RequestLog,
    SettingRow,
    UsageDay,
    UsageHour,
)
from gateway.store.write_queue import BATCH_ROWS, MAX_JOBS, StoredHealth
from tests.gateway.store.store_rows import NOW, log_row, make_store

IMPATIENT = 0.05  # seconds to wait for a lock, where the test holds it


@contextlib.asynccontextmanager
async def running(directory, **settings):
    store = make_store(directory, **settings)
    await store.start()
    try:
        yield store
    finally:
        await store.stop()


def count(table=RequestLog):
    return table.select().count()


def total(table):
    rows = list(table.select())
    return sum(row.requests for row in rows), sum(row.input_tokens for row in rows)


def locked(directory):
    """Another process's transaction."""
    other = sqlite3.connect(directory / "gateway.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return closing(other)


async def until(condition):
    """Wait for what the writer's thread shows of itself; it has no other sign."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_rows_reach_the_table_with_their_sums(tmp_path):
    async def scenario():
        async with running(tmp_path) as store:
            for number in range(3 * BATCH_ROWS // 2):
                store.writer.log(log_row(input_tokens=number))
            await store.flush()
            tokens = sum(range(3 * BATCH_ROWS // 2))
            for table in (UsageHour, UsageDay):
                assert await store.read(total, table) == (750, tokens)
            assert await store.read(count) == store.writer.written == 750
            assert store.writer.queue_depth == 0
            assert store.writer.lag_seconds == 0
            assert store.writer.dropped == 0

    asyncio.run(scenario())


def test_a_single_row_is_written_without_anybody_asking(tmp_path):
    async def scenario():
        async with running(tmp_path) as store:
            store.writer.log(log_row())
            started = time.monotonic()
            await until(lambda: store.writer.written == 1)
            # Less than the second that a killed process may lose.
            assert time.monotonic() - started < 0.8

    asyncio.run(scenario())


def test_jobs_run_after_what_was_put_in_before_and_in_their_order(tmp_path):
    async def scenario():
        async with running(tmp_path) as store:
            seen = []
            for number in range(5):
                for _ in range(300):
                    store.writer.log(log_row())
                seen.append(store.write(count))
                store.writer.bind(f"key-{number}", 1, NOW)
                seen.append(store.write(count, BindingRow))
            results = await asyncio.gather(*seen)
            # Rows written ahead of a job's turn are no harm; missing ones are.
            assert all(n >= 300 * (i + 1) for i, n in enumerate(results[::2]))
            assert all(n >= i + 1 for i, n in enumerate(results[1::2]))

    asyncio.run(scenario())


def test_a_job_is_all_or_nothing_and_its_error_is_the_callers(tmp_path):
    def half():
        SettingRow.create(name="a", value="1")
        raise LookupError("second step")

    async def scenario():
        async with running(tmp_path) as store:
            with pytest.raises(LookupError, match="second step"):
                await store.write(half)
            assert await store.read(count, SettingRow) == 0
            assert await store.write(lambda: threading.current_thread().name) == (
                "store-writer"
            )

    asyncio.run(scenario())


def test_a_cancelled_caller_does_not_take_its_write_back(tmp_path):
    async def scenario():
        async with running(tmp_path) as store:
            gate = threading.Event()
            first = asyncio.create_task(store.write(gate.wait))
            second = asyncio.create_task(
                store.write(lambda: SettingRow.create(name="token", value="new"))
            )
            await asyncio.sleep(0)  # both are put in
            second.cancel()
            gate.set()
            await first
            await store.flush()
            assert second.cancelled()
            assert await store.read(count, SettingRow) == 1

    asyncio.run(scenario())


def test_counters_add_up_and_of_bindings_and_states_the_latest_is_kept(tmp_path):
    async def scenario():
        async with running(tmp_path) as store:
            account = await store.write(
                lambda: AccountRow.create(
                    name="one", kind="chatgpt", credentials="-"
                ).id
            )
            writer = store.writer
            for number in range(3):
                writer.bind("a", number, NOW + number)
                writer.count(7, NOW, 10 + number)
                writer.save_state(account, StoredHealth("limited", NOW, "weekly"))
            writer.bind("b", 1, NOW)
            writer.count(7, NOW - 1, 99)  # settled late, in a window that is over
            await store.flush()
            writer.count(7, NOW, 5)
            writer.unbind("b")
            writer.save_state(account, StoredHealth("active"))
            await store.flush()
            kept = await store.read(
                lambda: (
                    list(BindingRow.select().tuples()),
                    list(LimitCounterRow.select().tuples()),
                    AccountRow.get().state_kind,
                    AccountRow.get().state_until,
                )
            )
            counted = [(7, NOW - 1, 99), (7, NOW, 38)]
            assert kept == ([("a", 2, NOW + 2)], counted, "active", None)

    asyncio.run(scenario())


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
            assert time.monotonic() - started < 2
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
