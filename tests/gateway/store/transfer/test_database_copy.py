"""All rows of SQLite in a real PostgreSQL, and back."""

import itertools
from contextlib import contextmanager

import pytest

from gateway.store.database import migrate, open_database, select, transaction
from gateway.store.models import (
    AccountRow,
    ApiKeyLimitRow,
    ApiKeyRow,
    RequestLog,
    SettingRow,
)
from gateway.store.tables import TABLES
from gateway.store.transfer import database_copy
from gateway.store.transfer.database_copy import CopyFailed, copy_rows
from tests.gateway.store.store_rows import NOW, log_row

_names = itertools.count()


@contextmanager
def opened(url):
    """A connected database of this release; the tables belong to none."""
    database = open_database(url)
    try:
        with database.connection_context():
            migrate(database)
            yield database
    finally:
        if hasattr(database, "close_all"):
            database.close_all()


@pytest.fixture
def elsewhere(server):
    """The URL of a PostgreSQL database of its own."""
    name = f"copy{next(_names)}"
    database = open_database(server.url)
    with database.connection_context():
        database.execute_sql(f"CREATE DATABASE {name}")
    database.close_all()
    return server.url.replace("/postgres?", f"/{name}?")


def fill(database):
    """Of every kind of column and key, more rows than one slice."""
    with database.bind_ctx(TABLES), transaction(database):
        AccountRow.create(
            name="one", kind="chatgpt", credentials="sealed", is_paused=True
        )
        key = ApiKeyRow.create(name="k", prefix="p", digest="d", models='["ü*"]')
        ApiKeyLimitRow.create(api_key=key, measure="cost", window="1d", maximum=2**40)
        logged = [log_row(is_prewarm=n % 2 == 0, receipt="{}") for n in range(25)]
        RequestLog.insert_many(logged).execute()
        SettingRow.create(name="strategy", value="round_robin")
        for table in TABLES:
            if not table.select().exists():
                _one_row(table)


def _one_row(table):
    """A row of a table that nothing above has filled, whatever its columns."""
    values = {}
    for field in table._meta.sorted_fields:
        is_number = "Integer" in type(field).__name__
        if "AutoField" not in type(field).__name__:
            values[field.name] = NOW % 1_000_000 if is_number else "text"
    table.insert(values).execute()


def content(database):
    return {
        table._meta.table_name: sorted(
            tuple(int(one) if isinstance(one, bool) else one for one in row)
            for row in select(database, f'SELECT * FROM "{table._meta.table_name}"')
        )
        for table in TABLES
        if table is not SettingRow
    }


def columns(database, table):
    return [column.name for column in database.get_columns(table)]


def in_order(found, names, wanted):
    """Columns that a later step added stand last in one database only."""
    places = [names.index(name) for name in wanted]
    return sorted(tuple(row[place] for place in places) for row in found)


def test_everything_is_there_on_either_side_and_numbers_go_on(
    elsewhere, tmp_path, monkeypatch
):
    monkeypatch.setattr(database_copy, "COPIED_AT_ONCE", 7)
    seen = []
    with opened(f"sqlite:///{tmp_path}/a.db") as first, opened(elsewhere) as second:
        fill(first)
        counted = copy_rows(
            first, second, lambda done, whole: seen.append((done, whole))
        )
        assert counted["request_log"] == 25
        assert all(counted.values())
        assert seen == sorted(seen)
        assert seen[-1] == (sum(counted.values()),) * 2
        for name, rows in content(first).items():
            wanted = columns(first, name)
            found = content(second)[name]
            assert in_order(found, columns(second, name), wanted) == rows
        with second.bind_ctx(TABLES), transaction(second):
            made = ApiKeyRow.create(name="new", prefix="q", digest="e")
            assert made.id == 2
            assert SettingRow.get(name="strategy").value == "round_robin"
        with opened(f"sqlite:///{tmp_path}/b.db") as third:
            back = copy_rows(second, third, lambda *_: None)
            assert back == counted | {"api_key": 2}
            with third.bind_ctx(TABLES):
                assert RequestLog.select().where(RequestLog.is_prewarm).count() == 13


def test_a_target_with_rows_is_left_as_it_is(tmp_path):
    with (
        opened(f"sqlite:///{tmp_path}/a.db") as first,
        opened(f"sqlite:///{tmp_path}/b.db") as second,
    ):
        fill(first)
        fill(second)
        before = content(second)
        with pytest.raises(CopyFailed, match="not empty: it has 1 account, "):
            copy_rows(first, second, lambda *_: None)
        assert content(second) == before


def test_a_row_that_the_target_refuses_leaves_it_empty(elsewhere, tmp_path):
    with opened(f"sqlite:///{tmp_path}/a.db") as first, opened(elsewhere) as second:
        fill(first)
        with first.bind_ctx(TABLES):
            RequestLog.update(user_agent="nul\0").where(RequestLog.id == 25).execute()
        with pytest.raises(CopyFailed, match="request_log: "):
            copy_rows(first, second, lambda *_: None)
        assert not any(content(second).values())


def test_every_table_of_the_schema_is_copied(tmp_path):
    with opened(f"sqlite:///{tmp_path}/a.db") as database:
        known = {table._meta.table_name for table in TABLES}
        made = {name for name in database.get_tables() if "sqlite_" not in name}
        assert made - known == {"schema_migration"}
