"""None"""

import asyncio
import gc
import threading
import time

import pytest

from gateway.store.database import StoreUnavailable
from gateway.store.models import (
    AccountRow,
    BindingRow,
    SettingRow,
    UsageDay,
    UsageHour,
)
from gateway.store.write_queue import BATCH_ROWS, StoredHealth
from tests.gateway.store.store_rows import NOW, log_row
from tests.gateway.store.writers import count, running, total, until


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


@pytest.mark.alone
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


def values_named(name):
    return [row.value for row in SettingRow.select().where(SettingRow.name == name)]


def test_a_job_is_all_or_nothing_and_its_error_is_the_callers(tmp_path):
    def half():
        SettingRow.create(name="a", value="1")
        raise LookupError("second step")

    async def scenario():
        async with running(tmp_path) as store:
            with pytest.raises(LookupError, match="second step"):
                await store.write(half)
            assert await store.read(values_named, "a") == []
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
            assert await store.read(values_named, "token") == ["new"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("error", "told"), [(StoreUnavailable(), []), (LookupError("a bug"), ["a bug"])]
)
def test_a_failure_that_nobody_waits_for_is_no_traceback(tmp_path, caplog, error, told):
    async def scenario():
        async with running(tmp_path) as store:
            gate = threading.Event()

            def fail():
                gate.wait(10)
                raise error

            write = asyncio.create_task(store.write(fail))
            await asyncio.sleep(0)  # it is put in
            write.cancel()
            gate.set()
            await store.flush()
            assert write.cancelled()
            del write
            gc.collect()

    asyncio.run(scenario())
    assert "never retrieved" not in caplog.text
    assert [one for one in told if one not in caplog.text] == []
    assert len(caplog.records) == len(told)


def test_of_bindings_and_states_the_latest_is_kept(tmp_path):
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
                writer.save_state(account, StoredHealth("limited", NOW, "weekly"))
            await store.flush()
            writer.save_state(account, StoredHealth("active"))
            await store.flush()
            kept = await store.read(
                lambda: (
                    list(BindingRow.select().tuples()),
                    AccountRow.get().state_kind,
                    AccountRow.get().state_until,
                )
            )
            assert kept == ([("a", 2, NOW + 2)], "active", None)

    asyncio.run(scenario())
