"""Reads for pages: threads, connections and a line of their own, and a deadline.

No turn waits for a page: it shares nothing with the reads of the gateway itself.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

import peewee as pw

from gateway.errors import GatewayError
from gateway.store import models
from gateway.store.database import disconnect, transaction, translated_errors
from gateway.store.pages.timed_database import TimedDatabase, timed_database

T = TypeVar("T")

PAGE_SECONDS = 2.0  # from being asked for to being done, the line included
SHOWN_ROWS = 50  # at most, of any table on a page
PAGE_THREADS = 2
LONGEST_LINE = 16  # whoever comes then would hardly be done in time


class PageDeadline(GatewayError):
    """The page was not done in time; its query has ended."""

    status = 503
    code = "page_deadline"
    message = (
        f"This page was not done after {PAGE_SECONDS:g} seconds; "
        "ask for a shorter time, or for less"
    )


class PagesBusy(GatewayError):
    """Too many pages are being made."""

    status = 503
    code = "pages_busy"
    message = "Too many pages are being made at the moment; try again"


class PageReads:
    """Runs functions that read, in the order they were asked for."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(PAGE_THREADS, thread_name_prefix="page")
        self._room = threading.BoundedSemaphore(PAGE_THREADS + LONGEST_LINE)
        self._databases: SimpleQueue[TimedDatabase] = SimpleQueue()

    def open(self, shared: pw.Database) -> None:
        for _ in range(PAGE_THREADS):
            self._databases.put(timed_database(shared))

    def close(self) -> None:
        """Blocks until the pages that are being made have ended."""
        self._threads.shutdown(cancel_futures=True)
        while not self._databases.empty():
            disconnect(self._databases.get())

    async def read(self, function: Callable[..., T], *args: Any) -> T:
        """What the function returns; `models.database` is the page's own there.

        Raises PageDeadline, PagesBusy or StoreUnavailable.
        """
        if not self._room.acquire(blocking=False):
            raise PagesBusy
        deadline = time.monotonic() + PAGE_SECONDS
        job = self._threads.submit(self._run, deadline, function, args)
        # It keeps its place until it has really ended.
        job.add_done_callback(lambda _: self._room.release())
        try:
            async with asyncio.timeout(PAGE_SECONDS):
                return await asyncio.wrap_future(job)
        except TimeoutError:
            raise PageDeadline from None

    def _run(
        self, deadline: float, function: Callable[..., T], args: tuple[Any, ...]
    ) -> T:
        database = self._databases.get()
        database.deadline = deadline
        try:
            with models.database.replaced(database), translated_errors():
                return _run_on(database, function, args)
        except (GatewayError, sqlite3.Error, pw.DatabaseError) as error:
            if time.monotonic() >= deadline:
                raise PageDeadline from error
            raise
        finally:
            self._databases.put(database)


def _run_on(
    database: TimedDatabase, function: Callable[..., T], args: tuple[Any, ...]
) -> T:
    if time.monotonic() >= database.deadline:  # it stood in the line for so long
        raise PageDeadline
    try:
        with transaction(database):
            database.prepare()
            return function(*args)
    finally:
        database.release()
