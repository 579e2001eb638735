"""Store: the database of one process, opened, migrated, read and written."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import peewee as pw

from gateway.errors import GatewayError, forget_traceback
from gateway.store import models
from gateway.store.backup import Progress, back_up
from gateway.store.database import (
    LOCK_TIMEOUT,
    StoreUnavailable,
    UnusableDatabase,
    cause_of,
    close_all,
    describe,
    disconnect,
    migrate,
    open_database,
    translated_errors,
)
from gateway.store.encryption import SecretBox
from gateway.store.identity import FileIdentity, file_identity
from gateway.store.log.refusals import Refusals
from gateway.store.pages.page_reads import PageReads
from gateway.store.shared.brief_transaction import brief_transaction
from gateway.store.writer import Writer

T = TypeVar("T")

logger = logging.getLogger("gateway.store")

# Rows kept in memory while the database takes none: about 2 kB each.
CAPACITY = 20_000
# Reads are for commands and reports; none is on the path of a request.
# With the lock's, the writer's, the shared one and two for pages: 8 connections.
READERS = 3
# For a connection of its own to be closed at the end, whatever it waits for.
CLOSE_SECONDS = 2.0
FILE_WATCH_SECONDS = 2.0
FILE_TROUBLE = (
    "its file was deleted or replaced while open, and what is written is lost; "
    "put it back, or restart the gateway"
)


class Store:
    """The record. `secrets` encrypts what accounts sign in with.

    One per process is open at a time: the tables belong to the process.
    """

    def __init__(
        self,
        url: str,
        *,
        secrets: SecretBox,
        capacity: int = CAPACITY,
        lock_timeout: float = LOCK_TIMEOUT,
    ) -> None:
        """`capacity` in rows; `lock_timeout`: seconds to wait for other processes."""
        self.url = url
        self.secrets = secrets
        self._lock_timeout = lock_timeout
        self.writer = Writer(capacity=capacity)
        self.refusals = Refusals(self.writer.log, self.writer.refuse)
        self._database: pw.Database | None = None
        self._file: FileIdentity | None = None
        self.file_trouble: str | None = None  # what is wrong with SQLite's file
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._coordinator = ThreadPoolExecutor(1, thread_name_prefix="store-shared")
        self._pages = PageReads()

    async def start(self) -> None:
        """Open, migrate, start the writer. Raises UnusableDatabase, saying why."""
        if models.database.obj is not None:
            raise RuntimeError("another store of this process is open")
        loop = asyncio.get_running_loop()
        self._database = await loop.run_in_executor(self._readers, self._open)
        models.database.initialize(self._database)
        self._pages.open(self._database)
        self.writer.start(self._database)

    def _open(self) -> pw.Database:
        database = open_database(self.url, self._lock_timeout)
        try:
            with translated_errors(), database.connection_context():
                migrate(database)
                self._file = file_identity(self.url)
        except StoreUnavailable as error:
            told = f"The database does not open: {cause_of(error)}"
            raise UnusableDatabase(told) from error
        return database

    async def watch_file(self, pause: float = FILE_WATCH_SECONDS) -> None:
        """Notice that SQLite's file is gone, or another one; its owner cancels it."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(pause)
            found = await loop.run_in_executor(self._readers, file_identity, self.url)
            trouble = None if found == self._file else FILE_TROUBLE
            if trouble != self.file_trouble:
                logger.error("the database: %s", trouble or "its file is back")
            self.file_trouble = trouble

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Write what waits, for at most so many seconds, and close."""
        self.refusals.hand_over(at_end=True)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._readers, self._pages.close)
        await loop.run_in_executor(self._readers, self.writer.stop, drain_seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await loop.run_in_executor(self._coordinator, self._disconnect)
        self._coordinator.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown()
        if self._database is not None and models.database.obj is self._database:
            close_all(self._database)
            models.database.initialize(None)

    async def read(self, function: Callable[..., T], *args: Any) -> T:
        """What the function returns, run off the loop with a connection.

        Raises StoreUnavailable.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, function, args)

    def _read(self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        with translated_errors(), models.database.connection_context():
            return function(*args)

    async def page(self, function: Callable[..., T], *args: Any) -> T:
        """The same for a page that somebody looks at: 2 seconds, and it only reads.

        Raises PageDeadline, PagesBusy or StoreUnavailable.
        """
        return await self._pages.read(function, *args)

    async def write(self, function: Callable[..., T], *args: Any) -> T:
        """What the function returns, run on the writer's thread as one transaction.

        It runs after everything put in before it. A caller that is cancelled does
        not take it back: a token that upstream rotated must reach the disk.
        Raises StoreUnavailable, or what the function raises.
        """
        written = asyncio.wrap_future(self.writer.submit(function, *args))
        try:
            return await asyncio.shield(written)
        except asyncio.CancelledError:
            written.add_done_callback(_note_unheard)
            raise

    async def transact(self, function: Callable[..., T], *args: Any) -> T:
        """The same on a connection for what processes agree upon: one after the other,
        never behind what the writer has to do.

        A caller that is cancelled does not take back what has begun.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._coordinator, self._transact, function, args
        )

    def _transact(self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        try:
            with translated_errors(), brief_transaction(models.database.obj):
                return function(*args)
        except StoreUnavailable as error:
            # Its frames hold the connection, and one that failed may never mend.
            forget_traceback(error)
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._database is not None:
            disconnect(self._database)

    async def back_up(
        self, file: Path, progress: Progress | None = None
    ) -> dict[str, int]:
        """Copy the database to a new file, and count the rows of the copy by table.

        `progress` is called from another thread. Raises BackupFailed.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._readers, back_up, models.database.obj, file, progress
        )

    async def flush(self) -> None:
        """Return once all that was put in before is in the database.

        Raises StoreUnavailable when some of it still waits.
        """
        await self.write(lambda: None)
        if self.writer.last_error is not None:
            raise StoreUnavailable


def _note_unheard(written: "asyncio.Future[Any]") -> None:
    """How a change ended whose caller has given up: trouble was told already."""
    error = None if written.cancelled() else written.exception()
    if isinstance(error, Exception) and not isinstance(error, GatewayError):
        logger.error("a change nobody waits for has failed: %s", describe(error))
