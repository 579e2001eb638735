"""Pages read on connections of their own, and never for longer than they may."""

import asyncio
import contextlib
import sqlite3
import threading
import time

import peewee as pw
import pytest

from gateway.store import models
from gateway.store.database import StoreUnavailable, open_database
from gateway.store.log.queries import LogFilter, log_page, select_rows
from gateway.store.models import RequestLog
from gateway.store.pages import page_reads
from gateway.store.pages.page_reads import PageDeadline, PageReads, PagesBusy
from tests.gateway.store.store_rows import log_row, make_store

# What no database works out before the tests end.
ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
    "WHERE i < 4000000000) SELECT COUNT(*) FROM n"
)
SLACK = 1.0  # seconds, of a busy machine


@contextlib.asynccontextmanager
async def running(directory, url):
    store = make_store(directory, **({"url": url} if url else {}))
    await store.start()
    try:
        yield store
    finally:
        await store.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request):
    return request.getfixturevalue("server").url if request.param != "sqlite" else None


class Ending:
    """A read that says when it has ended, on whatever thread."""

    def __init__(self, query):
        self.query, self._ended = query, threading.Event()

    def __call__(self):
        try:
            return select_rows(self.query)
        finally:
            self._ended.set()

    async def has_ended(self):
        return await asyncio.to_thread(self._ended.wait, SLACK)


def one():
    return select_rows("SELECT 1")[0][0]


async def refused(store, function, *args):
    """The error of a page, and how long it took (seconds)."""
    started = time.monotonic()
    with pytest.raises(Exception) as told:  # noqa: PT011
        await store.page(function, *args)
    return told.value, time.monotonic() - started


def test_a_page_reads_what_was_written(tmp_path, url):
    async def scenario():
        async with running(tmp_path, url) as store:
            row = log_row()
            store.writer.log(row)
            await store.flush()
            [found] = await store.page(log_page, LogFilter())
            assert await store.page(RequestLog.select().count) >= 1
            await store.write(RequestLog.delete().execute)
            return found["request_id"] == row["request_id"]

    assert asyncio.run(scenario())


def test_a_query_without_end_is_ended_at_the_deadline(tmp_path, url, monkeypatch):
    monkeypatch.setattr(page_reads, "PAGE_SECONDS", 0.2)
    endless = Ending(ENDLESS)

    async def scenario():
        async with running(tmp_path, url) as store:
            error, seconds = await refused(store, endless)
            assert isinstance(error, PageDeadline)
            assert 0.2 <= seconds < 0.2 + SLACK
            assert await endless.has_ended()
            # Both threads, and their connections, go on to the next ones.
            assert [await store.page(one) for _ in range(3)] == [1, 1, 1]

    asyncio.run(scenario())


def test_many_short_queries_end_at_the_deadline_too(tmp_path, url, monkeypatch):
    monkeypatch.setattr(page_reads, "PAGE_SECONDS", 0.2)

    def restless():
        while True:
            select_rows(ENDLESS.replace("4000000000", "30000"))

    async def scenario():
        async with running(tmp_path, url) as store:
            error, seconds = await refused(store, restless)
            assert isinstance(error, PageDeadline)
            assert seconds < 0.2 + SLACK
            assert await store.page(one) == 1

    asyncio.run(scenario())


def test_waiting_for_a_lock_ends_at_the_deadline(tmp_path, monkeypatch):
    """On SQLite: a program that has the file for itself."""
    monkeypatch.setattr(page_reads, "PAGE_SECONDS", 0.2)
    file = tmp_path / "gateway.db"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("CREATE TABLE thing (id INTEGER)")
        holder.execute("BEGIN EXCLUSIVE")
        pages = PageReads()
        pages.open(open_database(f"sqlite:///{file}"))
        query = "SELECT COUNT(*) FROM thing"
        waiting = Ending(query)

        async def scenario():
            started = time.monotonic()
            with pytest.raises(PageDeadline):
                await pages.read(waiting)
            assert 0.2 <= time.monotonic() - started < 0.2 + SLACK
            assert await waiting.has_ended()
            holder.execute("ROLLBACK")
            assert await pages.read(select_rows, query) == [(0,)]

        asyncio.run(scenario())
        pages.close()


def test_waiting_for_a_table_ends_at_the_deadline(tmp_path, server, monkeypatch):
    """On PostgreSQL: a change of the table's columns."""
    monkeypatch.setattr(page_reads, "PAGE_SECONDS", 0.2)
    is_locked, may_end = threading.Event(), threading.Event()
    waiting = Ending("SELECT COUNT(*) FROM request_log")

    def lock():
        models.database.execute_sql("LOCK TABLE request_log IN ACCESS EXCLUSIVE MODE")
        is_locked.set()
        may_end.wait(10)

    async def scenario():
        async with running(tmp_path, server.url) as store:
            holder = asyncio.create_task(store.write(lock))
            await asyncio.to_thread(is_locked.wait, 10)
            error, seconds = await refused(store, waiting)
            assert await waiting.has_ended()
            may_end.set()
            await holder
            assert isinstance(error, PageDeadline)
            assert 0.2 <= seconds < 0.2 + SLACK
            assert await store.page(one) == 1

    asyncio.run(scenario())


def test_the_line_counts_and_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(page_reads, "PAGE_SECONDS", 0.3)
    monkeypatch.setattr(page_reads, "LONGEST_LINE", 1)
    ran, both, may_end = [], threading.Barrier(3), threading.Event()

    def slow():
        both.wait(10)
        may_end.wait(10)

    async def scenario():
        async with running(tmp_path, None) as store:
            running_pages = [asyncio.create_task(store.page(slow)) for _ in range(2)]
            await asyncio.to_thread(both.wait, 10)
            waiting = asyncio.create_task(store.page(ran.append, 1))
            await asyncio.sleep(0)
            error, _ = await refused(store, ran.append, 2)
            assert isinstance(error, PagesBusy)
            told = await asyncio.gather(*running_pages, waiting, return_exceptions=True)
            assert [type(one) for one in told] == [PageDeadline] * 3
            # Who left the line has no place in it; who still runs has.
            waiting = asyncio.create_task(store.page(ran.append, 3))
            await asyncio.sleep(0)
            assert isinstance((await refused(store, ran.append, 4))[0], PagesBusy)
            may_end.set()
            await waiting
            assert ran == [3]

    asyncio.run(scenario())


def test_a_page_can_change_nothing(tmp_path, url):
    async def scenario():
        async with running(tmp_path, url) as store:
            error, _ = await refused(store, RequestLog.delete().execute)
            assert isinstance(error, pw.DatabaseError | StoreUnavailable), error
            assert await store.page(one) == 1

    asyncio.run(scenario())


def test_pages_go_on_while_all_other_reads_are_slow(tmp_path, url):
    started, may_end = threading.Semaphore(0), threading.Event()

    def slow():
        started.release()
        may_end.wait(10)

    async def scenario():
        async with running(tmp_path, url) as store:
            slow_ones = [asyncio.create_task(store.read(slow)) for _ in range(8)]
            for _ in range(4):
                await asyncio.to_thread(started.acquire, timeout=10)
            assert await store.page(one) == 1
            may_end.set()
            await asyncio.gather(*slow_ones)

    asyncio.run(scenario())


def test_an_error_of_the_page_is_its_own(tmp_path):
    async def scenario():
        async with running(tmp_path, None) as store:
            error, _ = await refused(store, {}.__getitem__, "missing")
            assert isinstance(error, KeyError)

    asyncio.run(scenario())


def test_a_lost_connection_is_replaced(tmp_path, server):
    def end_others():
        select_rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    async def scenario():
        async with running(tmp_path, server.url) as store:
            assert [await store.page(one) for _ in range(2)] == [1, 1]
            await store.read(end_others)
            assert [await store.page(one) for _ in range(3)] == [1, 1, 1]

    asyncio.run(scenario())
