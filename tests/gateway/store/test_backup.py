import asyncio
import sqlite3
import stat
from contextlib import closing

import pytest

from gateway.store.backup import BackupFailed, back_up
from gateway.store.database import open_database
from tests.gateway.store.store_rows import log_row, make_store


def test_a_backup_is_whole_private_and_counted_while_rows_come_in(tmp_path):
    async def scenario():
        store = make_store(tmp_path)
        await store.start()
        for _ in range(15_000):  # several steps
            store.writer.log(log_row(receipt="x" * 2_000))
        await store.flush()
        steps = []
        loop = asyncio.get_running_loop()

        def progress(done, whole):
            # The writer commits between any two steps.
            store.writer.log(log_row())
            asyncio.run_coroutine_threadsafe(store.flush(), loop).result()
            steps.append((done, whole))

        counted = await store.back_up(tmp_path / "copy.db", progress)
        await store.stop()
        return counted, steps, store.writer.written

    counted, steps, written = asyncio.run(scenario())
    assert counted["request_log"] == 15_000
    assert written == 15_000 + len(steps)
    assert len(steps) > 2
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1]
    copy = tmp_path / "copy.db"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not (tmp_path / "copy.db-wal").exists()
    with closing(sqlite3.connect(copy)) as opened:
        [count] = opened.execute("SELECT COUNT(*) FROM request_log").fetchone()
        [summed] = opened.execute("SELECT SUM(requests) FROM usage_hour").fetchone()
    assert count == summed == 15_000


def test_a_store_opens_from_a_backup(tmp_path):
    async def scenario():
        store = make_store(tmp_path)
        await store.start()
        store.writer.log(log_row())
        await store.flush()
        await store.back_up(tmp_path / "copy.db")
        await store.stop()
        restored = make_store(tmp_path, url=f"sqlite:///{tmp_path}/copy.db")
        await restored.start()
        restored.writer.log(log_row())
        await restored.stop()
        return restored.writer.written

    assert asyncio.run(scenario()) == 1


def test_a_backup_replaces_nothing(tmp_path):
    (tmp_path / "copy.db").write_text("kept")
    database = open_database(f"sqlite:///{tmp_path}/gateway.db")
    with pytest.raises(BackupFailed, match="exists"):
        back_up(database, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "kept"


def test_a_failed_backup_leaves_no_file(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/gateway.db")  # has no tables
    with pytest.raises(BackupFailed, match="no such table"):
        back_up(database, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
