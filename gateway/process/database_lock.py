"""DatabaseLock: who serves from a database, whatever data directories there are.

A SQLite database has one data directory's gateways: a predecessor and its successor.
On PostgreSQL every member has the lock, so that commands see who serves, and none does
while a command needs the database for itself; what members call out is heard there.
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

from gateway.events import Topic
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
    "a pooler stands before the database, so commands do not see that a gateway serves "
    "from it; set GATEWAY_DATABASE_DIRECT_URL to the server's own address"
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
        self.heard: Topic[str] = Topic()  # what members call out
        self._url = url
        self._data_dir = data_dir
        self._patience = patience
        self._look_seconds = look_seconds
        self._acquired: Future[None] = Future()
        self._wake, self._waker = os.pipe()
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
        """Be one of those that may serve. Raises UnusableDatabase, saying who does."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        await asyncio.wrap_future(self._acquired)

    async def release(self) -> None:
        """Let others have it, and wait until they can; safe when never acquired."""
        if self._released.is_set():
            return
        self._released.set()
        os.close(self._waker)  # the thread's end can be read, then
        if self._thread.ident is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, self._thread.join, _STOP_SECONDS)
        else:
            os.close(self._wake)

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
        else:
            self._acquired.set_result(None)
            self._watch(lock, own)
            lock.close()
        os.close(self._wake)

    def _watch(self, lock: SessionLock, own: Holder) -> None:
        """Hear what is called out, and look now and then, until it is released."""
        look_at = time.monotonic() + self._look_seconds
        while not self._released.is_set():
            for text in lock.hear(self._wake, max(0.0, look_at - time.monotonic())):
                with suppress(RuntimeError):  # the loop has ended before
                    self._loop.call_soon_threadsafe(self.heard.publish, text)
            if time.monotonic() >= look_at and not self._released.is_set():
                self._look(lock, own)
                look_at = time.monotonic() + self._look_seconds

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
            if others := _take(lock, own, alone=True):
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


def _take(lock: SessionLock, own: Holder, *, alone: bool = False) -> list[Holder]:
    """Take the lock, or keep it; or those who keep it from this directory.

    Who looks for a file's lock that others have never has it, even for a moment: its
    holder would see another.
    """
    if lock.is_for_many:
        is_taken = lock.is_held or (lock.take_first() if alone else lock.join())
        others = _others(lock, own)  # which notices a session that has ended
        return [] if is_taken else others
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
