"""A PostgreSQL server that takes no writes, as a standby, or from this role."""

import asyncio
import re

import pytest

from gateway.store.database import (
    StoreUnavailable,
    migrate,
    open_database,
    translated_errors,
)
from gateway.store.models import RequestLog
from tests.gateway.store.store_rows import log_row, make_store
from tests.serving import until

pytestmark = pytest.mark.operator
BARS = {
    "standby": (
        "ALTER DATABASE barred SET default_transaction_read_only = on",
        "ALTER DATABASE barred RESET default_transaction_read_only",
    ),
    "rights": (
        "ALTER ROLE clerk NOSUPERUSER",
        "ALTER ROLE clerk SUPERUSER",
    ),
}
_END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'barred'"
)


@pytest.fixture
def owner(server):
    database = open_database(server.url)
    with database.connection_context():
        database.execute_sql("CREATE ROLE clerk LOGIN SUPERUSER")
        database.execute_sql("CREATE DATABASE barred")
        try:
            yield database
        finally:
            database.execute_sql("DROP DATABASE barred WITH (FORCE)")
            database.execute_sql("DROP ROLE clerk")
    database.close_all()


@pytest.fixture
def url(server, owner):
    return server.url.replace("postgres@/postgres?", "clerk@/barred?")


@pytest.fixture
def made(url, owner, tmp_path):
    """The tables, which are not the clerk's."""

    async def make():
        store = make_store(tmp_path, url=url.replace("clerk@", "postgres@"))
        await store.start()
        await store.stop()

    asyncio.run(make())


@pytest.mark.parametrize(("bar", "lift"), BARS.values(), ids=BARS)
@pytest.mark.usefixtures("made")
def test_rows_wait_until_it_takes_them_again(url, owner, tmp_path, bar, lift):
    async def scenario():
        store = make_store(tmp_path, url=url)
        await store.start()
        owner.execute_sql(bar)
        owner.execute_sql(_END_SESSIONS)
        store.writer.log(log_row())
        await until(lambda: store.writer.last_error and store.writer.queue_depth)
        owner.execute_sql(lift)
        owner.execute_sql(_END_SESSIONS)
        await until(lambda: not store.writer.queue_depth)
        assert await store.read(RequestLog.select().count) == 1
        assert store.writer.dropped == 0
        await store.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize(("bar", "lift"), BARS.values(), ids=BARS)
@pytest.mark.usefixtures("made")
def test_a_command_or_a_start_says_so_in_one_line(url, owner, bar, lift):
    owner.execute_sql(bar)
    database = open_database(url)
    with database.connection_context(), pytest.raises(StoreUnavailable) as told:
        change(database)
    assert re.search("permission denied|read-only", str(told.value.__cause__))
    database.close_all()


def change(database):
    """As commands do it; where all steps were made, migrating writes nothing."""
    migrate(database)
    with translated_errors():
        database.execute_sql("DELETE FROM setting")
