"""Who follows the log gets each row once, whoever writes it and whenever it commits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playhouse.pool import PooledPostgresqlDatabase

from gateway.store import models
from gateway.store.database import close_all, migrate, open_database
from gateway.store.log.following import LogFollower
from gateway.store.log.queries import LogFilter
from gateway.store.models import RequestLog
from tests.gateway.store.log.test_queries import (
    add,
    fill,
    filters,
    passes,
    rows,
    with_database,
)
from tests.gateway.store.store_rows import log_row


@with_database
@given(before=rows, written=rows, wanted=filters, limit=st.integers(1, 7))
def test_each_wanted_row_comes_once_as_written(
    database, before, written, wanted, limit
):
    fill(database, before)
    follower = LogFollower(wanted)
    assert follower.last_id == len(before)
    add(database, written)
    found = []
    while page := follower.read(limit):
        found += page
    assert [row["request_id"] for row in found] == [
        row["request_id"] for row in written if passes(row, wanted)
    ]


@pytest.fixture
def shared(server):
    """A database on the server, and two connections to it besides."""
    opened = open_database(server.url)
    models.database.initialize(opened)
    with opened.connection_context():
        migrate(opened)
        RequestLog.delete().execute()
        yield opened
        RequestLog.delete().execute()
    models.database.initialize(None)
    close_all(opened)


class Writer:
    """Another process: its rows get their ids before they are committed."""

    def __init__(self, server):
        self._database = open_database(server.url)
        self._database.connect()
        assert isinstance(self._database, PooledPostgresqlDatabase)

    def insert(self, name):
        if not self._database.in_transaction():
            self._database.begin()
        with RequestLog.bind_ctx(self._database):
            RequestLog.create(**log_row(request_id=name))

    def commit(self):
        self._database.commit()

    def close(self):
        close_all(self._database)


def test_rows_that_commit_late_are_not_passed_over(server, shared):
    writers = slow, quick = Writer(server), Writer(server)
    slow.insert("before")
    follower = LogFollower(LogFilter())
    seen = []

    def look():
        seen.append({row["request_id"] for row in follower.read()})

    quick.insert("first")
    quick.commit()
    look()
    slow.insert("slow")
    for name in "abcd":
        quick.insert(name)
        quick.commit()
        look()
    slow.commit()
    look()
    quick.insert("last")
    quick.commit()
    look()
    look()
    for writer in writers:
        writer.close()
    late = {"before", "slow"}
    assert seen == [{"first"}, {"a"}, {"b"}, {"c"}, {"d"}, late, {"last"}, set()]


def test_what_need_not_be_read_again_is_let_go(server, shared):
    writer, follower = Writer(server), LogFollower(LogFilter())
    for number in range(10):
        writer.insert(f"{number}")
        writer.commit()
        assert len(follower.read()) == 1
    assert len(follower._seen) <= 2
    writer.close()
