"""Opening a database by URL, bringing its tables up to date, and its failures.

SQLite runs in WAL with one writing thread; a pool of SQLite connections fails
across threads, so connections are opened per use. PostgreSQL goes through psycopg
3 and a pool.
"""

import os
import sqlite3
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import peewee as pw
from peewee import (  # type: ignore[attr-defined]
    __exception_wrapper__ as driver_errors,
)
from playhouse.migrations import Runner  # type: ignore[import-untyped]
from playhouse.pool import (  # type: ignore[import-untyped]
    MaxConnectionsExceeded,
    PooledPostgresqlDatabase,
)

from gateway.errors import GatewayError
from gateway.store.models import SettingRow
from gateway.store.postgresql.url import connection_settings

MIGRATIONS = Path(__file__).with_name("migrations")
# Releases that know this step may use the database: later ones only add tables, and
# columns that have a default there. A step that takes something away names itself.
OLDEST_STEP = "0001_initial"

# Long enough for the other process's transaction (a key rotation, a slice of
# retention), short enough that a caller still wants the answer.
LOCK_TIMEOUT = 5.0

SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    # In WAL a killed process loses nothing that was committed; only a power cut
    # may take the last commits, and never the database's consistency.
    "synchronous": "normal",
    "foreign_keys": 1,
    # KiB, per connection. More is memory for good, and made no usual batch faster.
    "cache_size": -2_000,
    "journal_size_limit": 64 * 1024 * 1024,
}

# Any number, as long as no other program locks the same one in this database.
_MIGRATION_LOCK = 2_455_2026
_TROUBLE = ("42501", "25006", "25P03")  # see is_trouble
_OLDEST = "oldest_step"  # the row of the settings' table


class StoreUnavailable(GatewayError):
    """The database did not take or give the data; trying again later may help."""

    status = 503
    code = "database_unavailable"
    message = "The gateway's database is not available at the moment"


class UnusableDatabase(Exception):
    """The database cannot be used at all; the message says what to do."""


def open_database(url: str, lock_timeout: float = LOCK_TIMEOUT) -> pw.Database:
    """The database of a URL, not yet connected.

    `sqlite:////absolute/path` (the directory is made, 0700; the file 0600) or
    `postgresql://user:password@host/name`. Raises UnusableDatabase.
    """
    if url.partition(":")[0] == "sqlite":
        return _open_sqlite(url, lock_timeout)
    return _open_postgresql(url)


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL. All behind the third slash is the path, literally."""
    start = "sqlite:///"
    return Path(url.removeprefix(start)) if url.startswith(start) else None


def _open_sqlite(url: str, lock_timeout: float) -> pw.Database:
    path = sqlite_path(url)
    if path is None or not path.name:
        raise UnusableDatabase("A SQLite URL is sqlite:/// and the path of a file")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private(path)
    except OSError as error:
        raise UnusableDatabase(f"{path}: {error.strerror}") from error
    return pw.SqliteDatabase(
        str(path),
        pragmas=SQLITE_PRAGMAS,
        timeout=lock_timeout,
        # A transaction that reads first and writes later would otherwise fail at
        # once when another process wrote in between, whatever the timeout.
        lock_type="IMMEDIATE",
    )


def _make_private(path: Path) -> None:
    """Have the file with mode 0600; SQLite gives -wal and -shm the same mode."""
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if name.exists() and name.stat().st_mode & 0o077:
            name.chmod(0o600)


def _open_postgresql(url: str) -> pw.Database:
    try:
        settings: dict[str, Any] = {**connection_settings(url)}
    except ValueError as error:  # whose words hold no part of the password
        raise UnusableDatabase(str(error)) from None
    name = settings.pop("dbname", "").strip("/")
    if not name:
        raise UnusableDatabase("The PostgreSQL URL names no database")
    if find_spec("psycopg") is None:
        raise UnusableDatabase(
            "PostgreSQL needs psycopg: pip install 'codexgate[postgresql]', or "
            "'psycopg[binary]' in a clone's .venv"
        )
    database: pw.Database = PooledPostgresqlDatabase(
        name,
        prefer_psycopg3=True,
        max_connections=8,
        stale_timeout=300,
        timeout=LOCK_TIMEOUT,
        # A pooler gives each transaction another session, with others' statements.
        prepare_threshold=None,
        **settings,
    )
    return database


def migrate(database: pw.Database, steps: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing, as one transaction; gives the names.

    Two processes may start at once: the lock is taken before the plan is made.
    Raises UnusableDatabase when this release is too old for what a newer one wrote.
    """
    runner = Runner(database, str(steps))
    if isinstance(database, pw.SqliteDatabase):
        # Rebuilding a table would cascade into others; inside a transaction the
        # pragma has no effect. The connection is closed after the migration.
        database.pragma("foreign_keys", 0)
    with translated_errors(), database.atomic():
        if not isinstance(database, pw.SqliteDatabase):
            lock = "SELECT pg_advisory_xact_lock(%s)"
            database.execute_sql(lock, (_MIGRATION_LOCK,))  # type: ignore[no-untyped-call]
        steps_there = runner.status()
        known = {step.name for step in steps_there if step.path is not None}
        with SettingRow.bind_ctx(database):
            if len(known) < len(steps_there):
                _refuse_if_too_old(known)
            if all(step.applied for step in steps_there):
                return []  # one that takes no writes is read all the same
            applied: list[str] = runner.up()
            if applied:
                row = {"name": _OLDEST, "value": OLDEST_STEP}
                insert = SettingRow.insert(row)
                insert.on_conflict(conflict_target=["name"], update=row).execute()
        return applied


def _refuse_if_too_old(known: Container[str]) -> None:
    oldest = SettingRow.get_or_none(SettingRow.name == _OLDEST)
    if oldest is None or oldest.value not in known:
        raise UnusableDatabase(
            "This release is too old for the database, which a newer one has written; "
            "start that, or restore a backup"
        )


def is_trouble(error: BaseException) -> bool:
    """Whether a disk, a lock or a network did it, so that trying again may help.

    peewee wraps what a statement raises, not what fetching its rows does. All others
    are our own fault, but for a right that is gone (42501), a standby (25006), and a
    transaction that the server has ended (25P03).
    """
    told = getattr(error, "orig", None)  # the driver's
    return getattr(told, "sqlstate", None) in _TROUBLE or type(error) in (
        MaxConnectionsExceeded,
        pw.OperationalError,
        pw.InterfaceError,
        pw.DatabaseError,
        sqlite3.OperationalError,
        sqlite3.DatabaseError,
    )


def describe(error: Exception) -> str:
    """What failed, in one line and without the values of a row."""
    try:
        lines = str(error).splitlines() or [""]
    except Exception:  # noqa: BLE001
        lines = [""]  # the value that failed may be the error's, too
    return f"{type(error).__name__}: {lines[0][:200]}"


def cause_of(error: BaseException) -> str:
    """The driver's words in a line; they name hosts and files, never a password."""
    return str(error.__cause__ or error).partition("\n")[0]


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn the driver's trouble into StoreUnavailable.

    A violated constraint (IntegrityError) or a wrong query stays what it is.
    """
    try:
        yield
    except (pw.DatabaseError, pw.InterfaceError, sqlite3.Error, ValueError) as error:
        if is_trouble(error):
            raise StoreUnavailable from error
        raise


@contextmanager
def _told_first() -> Iterator[None]:
    """Raise what the database said first.

    A full disk makes SQLite roll back by itself; that nothing is left to roll back
    would then hide what has happened.
    """
    try:
        yield
    except pw.OperationalError as error:
        if "cannot rollback" not in str(error):
            raise
        told: pw.DatabaseError = error
        link: BaseException | None = error
        while link is not None:
            if isinstance(link, pw.DatabaseError):
                told = link
            link = link.__context__
        raise told from None


@contextmanager
def transaction(database: pw.Database) -> Iterator[None]:
    """Everything or nothing, on this thread's connection, opened where needed."""
    with _told_first(), ExitStack() as stack:
        database.connect(reuse_if_open=True)
        try:
            stack.enter_context(database.atomic())
        except (pw.OperationalError, pw.InterfaceError):
            # Closed by the server: replaced. SQLite's is a lock, waited for already.
            if isinstance(database, pw.SqliteDatabase):
                raise
            disconnect(database)
            database.connect()
            stack.enter_context(database.atomic())
        yield


def disconnect(database: pw.Database) -> None:
    """Really close this thread's connection, back to no pool."""
    if database.is_closed():
        return
    with suppress(pw.DatabaseError):  # it was broken; the next one is new
        if isinstance(database, PooledPostgresqlDatabase):
            database.manual_close()
        else:
            database.close()


def close_all(database: pw.Database) -> None:
    """Close the connections that a pool holds, too."""
    if isinstance(database, PooledPostgresqlDatabase):
        database.close_all()


def execute_many(
    database: pw.Database, statement: str, rows: Iterable[tuple[Any, ...]]
) -> None:
    """Run a statement with `?` marks for each row.

    An insert built by peewee costs ten times the CPU, which the event loop waits for.
    """
    with driver_errors:
        cursor = database.cursor()  # type: ignore[no-untyped-call]
        cursor.executemany(statement.replace("?", database.param), rows)


def select(
    database: pw.Database, query: str, values: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """All rows of a query with `?` marks, on this thread's connection."""
    with driver_errors:
        cursor = database.cursor()  # type: ignore[no-untyped-call]
        cursor.execute(query.replace("?", database.param), values)
        return list(cursor.fetchall())
