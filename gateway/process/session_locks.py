"""Locks that end with whoever holds them: of a file, and of a PostgreSQL session.

A file's is shared by the processes of one data directory, a server's by all members.
Both can be had alone, and tell whose they are; a session also hears what is called out.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any, NamedTuple, Protocol

import peewee as pw
from peewee import (  # type: ignore[attr-defined]
    __exception_wrapper__ as driver_errors,
)

from gateway.store.database import (
    disconnect,
    open_database,
    select,
    translated_errors,
)
from gateway.store.shared.calling import CHANNEL

# Any two numbers, as long as no other program locks the same ones in this database.
_KEY = (2_455, 2_026)
# A server that was cut off frees what its clients had after half a minute; a client
# notices within as long.
_PROBES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
_SESSION = (
    "SELECT set_config('statement_timeout', '5s', false), "
    "set_config('tcp_keepalives_idle', '10', false), "
    "set_config('tcp_keepalives_interval', '5', false), "
    "set_config('tcp_keepalives_count', '3', false)"
)
_MOST_BYTES = 16 * 1024  # of a lock file
_LONGEST_PLACE = 300  # of the statement's 1,024 bytes that the server shows others
_MARK = re.compile(r"/\* codex-gateway ([0-9a-f]+) \*/")
_HOLDERS = (
    "SELECT query FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND classid = %d AND objid = %d "
    "AND objsubid = 2 AND pg_locks.database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Holder(NamedTuple):
    """A data directory: what it is, and where for people."""

    id: str
    place: str


UNKNOWN_HOLDER = Holder("", "a data directory that is not known")


class LockLost(Exception):
    """The lock may be another's by now; the message says why."""


class PooledSession(Exception):
    """Sessions are not the client's own here: their locks would be anybody's."""


class SessionLock(Protocol):
    """All block; what a server says against it is raised as StoreUnavailable."""

    is_held: bool
    is_for_many: bool  # data directories; else the first keeps all others out

    def open(self) -> None:
        """Begin a session where there is none. Raises PooledSession, OSError."""

    def take_first(self) -> bool:
        """Have the lock, if nobody has it at this moment."""

    def join(self) -> bool:
        """Have it with others; False while somebody has it alone."""

    def holders(self) -> list[Holder]:
        """Whose it is, as far as can be known. Raises LockLost."""

    def hear(self, wake: int, seconds: float) -> list[str]:
        """What members call out until then; less long once `wake` can be read."""

    def let_go(self) -> None:
        """Give it up, and stay in the session."""

    def close(self) -> None:
        """End the session."""


class FileLock:
    """A lock of a file beside a SQLite database; its text says who came first."""

    is_for_many = False

    def __init__(self, path: Path, own: Holder) -> None:
        self._path = path
        self._own = own
        self._descriptor = -1
        self.is_held = False

    def open(self) -> None:
        if self._descriptor < 0:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)

    def take_first(self) -> bool:
        if not self._try(fcntl.LOCK_EX):
            return False
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(self._own).encode(), 0)
        return self.join()  # for a moment between both it is nobody's

    def join(self) -> bool:
        self.is_held = self._try(fcntl.LOCK_SH)
        return self.is_held

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def holders(self) -> list[Holder]:
        try:
            is_there = os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            is_there = False
        if not is_there:
            raise LockLost(f"{self._path} was removed")
        return [_first_holder(self._descriptor)]

    def hear(self, wake: int, seconds: float) -> list[str]:
        _wait((wake,), seconds)
        return []

    def let_go(self) -> None:
        self.is_held = False
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        descriptor, self._descriptor, self.is_held = self._descriptor, -1, False
        if descriptor >= 0:
            os.close(descriptor)


class ServerLock:
    """An advisory lock of a PostgreSQL session, which ends with its connection."""

    is_for_many = True

    def __init__(self, url: str, own: Holder) -> None:
        self._database = open_database(url)
        self._database.connect_params |= _PROBES
        # Shown to others as the session's latest statement, whatever that is.
        mark = json.dumps([own.id, own.place[:_LONGEST_PLACE]]).encode().hex()
        self._mark = f"/* codex-gateway {mark} */ "
        self.is_held = False

    def open(self) -> None:
        with translated_errors():
            if not self._database.connect(reuse_if_open=True):
                return
            connection = self._database.connection()  # type: ignore[no-untyped-call]
        # A pooler tells another number; what is set on its session, is set for others.
        if self._ask("SELECT pg_backend_pid()") != [(connection.info.backend_pid,)]:
            self.close()
            raise PooledSession
        connection.autocommit = True  # what is heard is heard between transactions
        self._ask(_SESSION)
        connection.execute(f"LISTEN {CHANNEL}")

    def take_first(self) -> bool:
        """Nobody has it besides until it is let go."""
        self.is_held = self._call("pg_try_advisory_lock(%d, %d)")
        return self.is_held

    def join(self) -> bool:
        self.is_held = self._call("pg_try_advisory_lock_shared(%d, %d)")
        return self.is_held

    def holders(self) -> list[Holder]:
        return [_holder(statement) for (statement,) in self._ask(_HOLDERS)]

    def hear(self, wake: int, seconds: float) -> list[str]:
        """What cannot be heard any more is for the next look to notice."""
        if self._database.is_closed():
            _wait((wake,), seconds)
            return []
        connection = self._database.connection()  # type: ignore[no-untyped-call]
        try:
            heard = _heard(connection)
            if not heard:
                _wait((connection.fileno(), wake), seconds)
                heard = _heard(connection)
        except (pw.DatabaseError, pw.InterfaceError, OSError):
            self.close()
            return []
        return heard

    def let_go(self) -> None:
        self.is_held = False
        self._call("pg_advisory_unlock_all()")

    def close(self) -> None:
        self.is_held = False
        disconnect(self._database)

    def _call(self, function: str) -> bool:
        ((is_done,),) = self._ask(f"SELECT {function}")
        return is_done is True

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        query = query % _KEY if "%" in query else query
        with translated_errors():
            return select(self._database, self._mark + query)


def holders_of(database: pw.Database) -> list[Holder]:
    """Whose gateways serve from a connected database, as far as can be known."""
    if not isinstance(database, pw.SqliteDatabase):
        return [_holder(one) for (one,) in select(database, _HOLDERS % _KEY)]
    try:
        lock = os.open(lock_path(Path(database.database)), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return [_first_holder(lock)]
    finally:
        os.close(lock)
    return []


def _wait(descriptors: Iterable[int], seconds: float) -> None:
    """Until one can be read; `select` takes no number above a thousand."""
    with DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, EVENT_READ)
        selector.select(seconds)


def _heard(connection: Any) -> list[str]:
    with driver_errors:
        return [notice.payload for notice in connection.notifies(timeout=0)]


def lock_path(database: Path) -> Path:
    return Path(f"{database.resolve()}.lock")


def _holder(statement: str | None) -> Holder:
    mark = _MARK.match(statement or "")
    return Holder(*json.loads(bytes.fromhex(mark[1]))) if mark else UNKNOWN_HOLDER


def _first_holder(lock: int) -> Holder:
    try:
        return Holder(*json.loads(os.pread(lock, _MOST_BYTES, 0)))
    except (ValueError, TypeError):
        return UNKNOWN_HOLDER  # who wrote it was killed while it did
