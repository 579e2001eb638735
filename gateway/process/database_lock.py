"""DatabaseLock: one gateway for a database, whatever data directories there are.

Memory is what requests read: two gateways that write the same rows would each grant all
of a key's limits. A predecessor and its successor have one data directory between them,
and so the lock.
"""

import asyncio
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.process.lockfile import AlreadyRunning
from gateway.process.session_locks import (
    UNKNOWN_HOLDER,
    FileLock,
    Holder,
    PooledSession,
    ServerLock,
    SessionLock,
    lock_path,
)
from gateway.store.database import (
    StoreUnavailable,
    UnusableDatabase,
    cause_of,
    sqlite_path,
)

logger = logging.getLogger("gateway")

# Another gateway that starts, and will be refused, has the lock for a moment.
PATIENCE_SECONDS = 1.0
# Between looks at the lock: one that is lost is taken again by the next.
LOOK_SECONDS = 5.0
_UNSEEN_SECONDS = 30.0  # without an answer to a look it may be lost
_POLL = 0.05
_STOP_SECONDS = 2.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_POOLED = (
    "a pooler stands before the database, so nothing keeps a second gateway from it; "
    "set GATEWAY_DATABASE_DIRECT_URL to the server's own address"
)


class DatabaseLock:
    """Acquired before the database is used, released after; `problem` in between."""

    def __init__(
        self,
        url: str,
        data_dir: Path,
        *,
        patience: float = PATIENCE_SECONDS,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """`url` leads to the server itself, past any pooler."""
        self._url = url
        self._data_dir = data_dir
        self._patience = patience
        self._look_seconds = look_seconds
        self._acquired: Future[None] = Future()
        self._released = threading.Event()
        self._seen_at = time.monotonic()
        self._problem = ""
        # A session belongs to its thread, and to look at it may block.
        self._thread = threading.Thread(
            target=self._run, name="database-lock", daemon=True
        )

    @property
    def problem(self) -> str:
        """Why the lock is not certain to be held, in words for anybody; "" when it is.

        The process's log has the rest: places, and the driver's words.
        """
        unseen = time.monotonic() - self._seen_at
        if not self._problem and unseen > _UNSEEN_SECONDS:
            return f"the lock on the database has not been seen for {unseen:.0f} s"
        return self._problem.partition(": ")[0]

    async def acquire(self) -> None:
        """Be its one gateway. Raises UnusableDatabase, naming both directories."""
        self._thread.start()
        await asyncio.wrap_future(self._acquired)

    async def release(self) -> None:
        """Let others have it, and wait until they can; safe when never acquired."""
        self._released.set()
        if self._thread.ident is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, self._thread.join, _STOP_SECONDS)

    # On the thread.

    def _run(self) -> None:
        try:
            own = identify(self._data_dir)
            lock = lock_of(self._url, own)
            try:
                self._take_first(lock, own)
            except BaseException:
                lock.close()
                raise
        except Exception as error:  # noqa: BLE001 - it is raised where that is awaited
            self._acquired.set_exception(error)
            return
        self._acquired.set_result(None)
        while not self._released.wait(self._look_seconds):
            self._look(lock, own)
        lock.close()

    def _take_first(self, lock: SessionLock, own: Holder) -> None:
        give_up_at = time.monotonic() + self._patience
        try:
            lock.open()
            while others := _take(lock, own):
                if time.monotonic() > give_up_at:
                    raise UnusableDatabase(_refusal(own, others))
                time.sleep(_POLL)
        except PooledSession:
            self._problem = _POOLED
            logger.warning("%s", _POOLED)
        except StoreUnavailable as error:
            told = f"The database does not open: {cause_of(error)}"
            raise UnusableDatabase(told) from error
        except OSError as error:
            raise UnusableDatabase(f"No lock on the database: {error}") from error

    def _look(self, lock: SessionLock, own: Holder) -> None:
        """See that the lock is held, or take it again; nothing ends without it."""
        problem = problem_of(lock, own)
        if problem and problem != self._problem:
            logger.warning("%s", problem)
            self._problem, problem = problem, problem_of(lock, own)  # in a new session
        if self._problem and not problem:
            logger.warning("the lock on the database is held again")
        self._problem = problem
        self._seen_at = time.monotonic()


@contextmanager
def held_alone(url: str, data_dir: Path) -> Iterator[None]:
    """Keep gateways from a database for a while; blocks.

    Raises AlreadyRunning, naming the gateway that has it, and OSError.
    """
    own = identify(data_dir)
    lock = lock_of(url, own)
    try:
        with suppress(PooledSession):  # then nobody can
            lock.open()
            if others := _take(lock, own):
                raise AlreadyRunning(
                    f"The gateway of {places(others)} uses the database"
                )
        yield
    finally:
        lock.close()


def lock_of(url: str, own: Holder) -> SessionLock:
    """The lock of a database, not yet held. Raises UnusableDatabase."""
    path = sqlite_path(url)
    if path is None:
        return ServerLock(url, own)
    return FileLock(lock_path(path), own)


def identify(data_dir: Path) -> Holder:
    """A data directory, as there is no other on any machine, until it is restarted."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = data_dir.stat()
    try:
        machine = _BOOT_ID.read_text().strip()
    except OSError:
        machine = f"{uuid.getnode():x}"
    return Holder(
        f"{machine}-{found.st_dev:x}-{found.st_ino:x}",
        f"{data_dir} on {socket.gethostname()} (process {os.getpid()})",
    )


def _take(lock: SessionLock, own: Holder) -> list[Holder]:
    """Take the lock, or keep it; or those of other directories who have it.

    Who looks for a lock that others have never has it, even for a moment: its holder
    would see another.
    """
    if lock.is_held or lock.take_first():
        return _others(lock, own)
    if others := _others(lock, own):
        return others
    if not lock.join():
        return [UNKNOWN_HOLDER]
    if others := _others(lock, own):  # who came first meanwhile
        lock.let_go()
    return others


def _others(lock: SessionLock, own: Holder) -> list[Holder]:
    return [one for one in lock.holders() if one.id != own.id]


def problem_of(lock: SessionLock, own: Holder) -> str:
    """What is wrong with a lock that was held, and is taken again if need be."""
    try:
        lock.open()
        others = _take(lock, own)
    except PooledSession:
        return _POOLED
    except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on
        lock.close()
        return f"the lock on the database is lost: {cause_of(error)}"
    if not others:
        return ""
    return f"another gateway uses the database, too: that of {places(others)}"


def _refusal(own: Holder, others: Sequence[Holder]) -> str:
    return (
        f"The database is in use by the gateway of {places(others)}, so that of "
        f"{own.place} cannot have it: choose another GATEWAY_DATABASE_URL, or use the "
        "same GATEWAY_DATA_DIR"
    )


def places(holders: Sequence[Holder]) -> str:
    return ", ".join(sorted({one.place for one in holders}))
