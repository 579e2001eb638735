"""A PostgreSQL server that is gone, restarted, or was never there."""

import asyncio

import pytest

from gateway.store.backup import BackupFailed
from gateway.store.database import StoreUnavailable, UnusableDatabase
from gateway.store.models import RequestLog, SettingRow
from tests.gateway.store.store_rows import log_row, make_store
from tests.gateway.store.test_postgres import running


def test_rows_wait_for_a_server_that_is_gone_and_changes_fail_clearly(server, tmp_path):
    async def scenario():
        async with running(server, tmp_path) as store:
            store.writer.log(log_row())
            await store.flush()
            # Rows wait for no disk; this does, and takes them along.
            await store.write(lambda: SettingRow.create(name="b", value="1"))
            server.stop()
            store.writer.log(log_row())
            with pytest.raises(StoreUnavailable):
                await store.flush()
            with pytest.raises(StoreUnavailable):
                await store.read(lambda: RequestLog.select().count())
            server.start()
            await store.write(lambda: SettingRow.create(name="a", value="1"))
            await store.flush()
            assert await store.read(lambda: RequestLog.select().count()) == 2
            assert (store.writer.dropped, store.writer.last_error) == (0, None)

    asyncio.run(scenario())


def test_a_server_that_was_restarted_meanwhile_is_not_noticed(server, tmp_path):
    async def scenario():
        async with running(server, tmp_path) as store:
            await store.write(lambda: SettingRow.create(name="a", value="1"))
            server.stop()
            server.start()
            await store.write(lambda: SettingRow.create(name="b", value="1"))
            server.stop()
            server.start()
            # On the new connection, too, a change is made whole or not at all.
            with pytest.raises(ZeroDivisionError):
                await store.write(half_a_change)
            names = await store.read(lambda: {row.name for row in SettingRow.select()})
            return names - {"oldest_step"}  # of the schema

    def half_a_change():
        SettingRow.create(name="half", value="1")
        raise ZeroDivisionError

    assert asyncio.run(scenario()) == {"a", "b"}


def test_a_backup_points_to_the_servers_own_tool(server, tmp_path):
    async def scenario():
        async with running(server, tmp_path) as store:
            with pytest.raises(BackupFailed, match="pg_dump"):
                await store.back_up(tmp_path / "copy.db")

    asyncio.run(scenario())


def test_a_server_that_is_not_there_says_so_without_the_password(driver, tmp_path):
    store = make_store(tmp_path, url="postgresql://me:hidden@127.0.0.1:1/gateway")
    with pytest.raises(UnusableDatabase) as caught:
        asyncio.run(store.start())
    assert "127.0.0.1" in str(caught.value)
    assert "hidden" not in str(caught.value)
