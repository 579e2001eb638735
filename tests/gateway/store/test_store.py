import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing

import pytest

from gateway.store import models
from gateway.store.database import StoreUnavailable, UnusableDatabase, open_database
from gateway.store.models import RequestLog, SettingRow, UsageHour
from tests.gateway.store.store_rows import log_row, make_store

WRITE_FOREVER = """
import asyncio, pathlib, sys, time
from tests.gateway.store.store_rows import (log_row, make_store)

async def main():
    store = make_store(pathlib.Path(sys.argv[1]))
    await store.start()
    while True:
        for _ in range(10):
            row = log_row(input_tokens=1)
            store.writer.log(row)
            store.writer.bind(row["request_id"], 1, row["created_at"])
        print(row["request_id"], time.monotonic(), flush=True)
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


def test_what_is_written_is_there_after_a_restart(tmp_path):
    async def scenario():
        store = make_store(tmp_path)
        await store.start()
        store.writer.log(log_row())
        await store.write(lambda: SettingRow.create(name="a", value="1"))
        await store.stop()
        store = make_store(tmp_path)
        await store.start()
        found = await store.read(
            lambda: (RequestLog.select().count(), SettingRow.get(name="a").value)
        )
        await store.stop()
        return found

    assert asyncio.run(scenario()) == (1, "1")


def test_the_data_directory_and_all_files_are_private(tmp_path):
    directory = tmp_path / "data"

    async def scenario():
        store = make_store(directory)
        await store.start()
        store.writer.log(log_row())
        await store.flush()
        modes = {
            file.name: stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()
        }
        await store.stop()
        return modes

    before = os.umask(0)  # even for those who hide nothing
    try:
        modes = asyncio.run(scenario())
    finally:
        os.umask(before)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert set(modes) >= {"gateway.db", "gateway.db-wal", "gateway.db-shm"}
    assert set(modes.values()) == {0o600}


def test_a_directory_made_for_a_database_is_private(tmp_path):
    open_database(f"sqlite:///{tmp_path}/new/data/gateway.db")
    assert stat.S_IMODE((tmp_path / "new" / "data").stat().st_mode) == 0o700


def test_a_database_open_to_others_is_closed(tmp_path):
    file = tmp_path / "gateway.db"
    file.touch(0o644)
    open_database(f"sqlite:///{file}")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "url",
    ["", "mysql://host/db", "sqlite://gateway.db", "sqlite:///", "postgresql://h"],
)
def test_an_unusable_url_says_what_is_wrong(url):
    with pytest.raises(UnusableDatabase):
        open_database(url)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path):
    file = tmp_path / "gateway.db"
    file.write_bytes(b"something else entirely" * 100)
    store = make_store(tmp_path)
    with pytest.raises(UnusableDatabase, match="not a database"):
        asyncio.run(store.start())
    assert file.read_bytes() == b"something else entirely" * 100


def test_a_second_store_of_the_process_is_refused_while_one_is_open(tmp_path):
    async def scenario():
        first, second = make_store(tmp_path), make_store(tmp_path)
        await first.start()
        with pytest.raises(RuntimeError, match="another store"):
            await second.start()
        await second.stop()
        # The first is not harmed.
        await first.write(lambda: SettingRow.create(name="a", value="1"))
        await first.stop()

    asyncio.run(scenario())


def test_stopping_without_a_start_is_no_harm(tmp_path):
    asyncio.run(make_store(tmp_path).stop())


def test_reads_run_while_another_process_holds_the_lock(tmp_path):
    async def scenario():
        store = make_store(tmp_path, lock_timeout=0.05)
        await store.start()
        other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
        with closing(other):
            other.execute("BEGIN IMMEDIATE")
            count = await store.read(lambda: RequestLog.select().count())
            with pytest.raises(StoreUnavailable):
                await store.write(lambda: None)
        await store.write(lambda: None)
        await store.stop()
        return count

    assert asyncio.run(scenario()) == 0


def test_a_write_waits_for_another_process_to_end_its_transaction(tmp_path):
    async def scenario():
        store = make_store(tmp_path)
        await store.start()
        other = sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)
        with closing(other):
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.create_task(
                store.write(lambda: SettingRow.create(name="a", value="1"))
            )
            other.execute("INSERT INTO setting VALUES ('b', '2')")
            other.execute("COMMIT")
            await writing
        names = await store.read(lambda: {row.name for row in SettingRow.select()})
        names.discard("oldest_step")  # of the schema
        await store.stop()
        return names

    assert asyncio.run(scenario()) == {"a", "b"}


def test_a_killed_process_loses_nothing_older_than_a_second(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOREVER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    printed = [process.stdout.readline().split()]
    started = float(printed[0][1])
    while float(printed[-1][1]) < started + 1.5:
        printed.append(process.stdout.readline().split())
    killed = time.monotonic()
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    printed += [line.split() for line in rest.splitlines() if len(line.split()) == 2]
    due = {name for name, at in printed if float(at) < killed - 1}
    assert due

    async def scenario():
        store = make_store(tmp_path)
        await store.start()
        found = await store.read(
            lambda: (
                {row.request_id for row in RequestLog.select(RequestLog.request_id)},
                sum(row.requests for row in UsageHour.select()),
            )
        )
        bound = await store.read(
            lambda: {
                key for (key,) in RequestLog.raw("SELECT key FROM binding").tuples()
            }
        )
        await store.stop()
        return (*found, bound)

    rows, summed, bound = asyncio.run(scenario())
    assert due <= rows
    assert due <= bound
    # Rows and sums were committed together.
    assert summed == len(rows)


def test_a_store_that_stops_leaves_the_database_of_a_newer_one(tmp_path):
    async def scenario():
        older, newer = make_store(tmp_path / "a"), make_store(tmp_path / "b")
        await older.start()
        models.database.initialize(None)
        await newer.start()
        await older.stop()
        await newer.write(lambda: SettingRow.create(name="a", value="1"))
        await newer.stop()
        return models.database.obj

    assert asyncio.run(scenario()) is None
