"""Which database it is, in words without a password, past all its names; its size."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import peewee as pw

from gateway.store.database import (
    UnusableDatabase,
    close_all,
    open_database,
    select,
    sqlite_path,
)
from gateway.store.postgresql.url import read_postgresql_url, servers_of

# The starts of those that serve: a copy of the database is another one as soon as
# either is served from.
_SERVED_BY = "SELECT id || '.' || started_at FROM member WHERE state <> 'ended'"
FileIdentity = tuple[int, int]  # device and inode

# What an owner has made or would miss.
_HAS_ROWS = "SELECT " + " OR ".join(
    f"EXISTS (SELECT 1 FROM {table})" for table in ("account", "api_key", "request_log")
)


def place_of(url: str) -> str:
    """A database for people, and to compare two settings by."""
    path = sqlite_path(url)
    if path is not None:
        return str(path.resolve())
    try:
        name = read_postgresql_url(url).get("dbname", "")
        servers = ", ".join(sorted(servers_of(url)))
    except ValueError as error:
        raise UnusableDatabase(str(error)) from None
    return f"PostgreSQL {name.strip('/')} at {servers}"


def database_bytes(database: pw.Database) -> int:
    """Of a connected one; SQLite's without what its log holds."""
    query = (
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        if isinstance(database, pw.SqliteDatabase)
        else "SELECT pg_database_size(current_database())"
    )
    return int(select(database, query)[0][0])


def file_identity(url: str) -> FileIdentity | None:
    """What tells the file of a SQLite URL from another of its name; None: no file."""
    path = sqlite_path(url)
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)


def served_by(url: str) -> list[str]:
    """The marks of the starts that serve from a database; makes nothing.

    None where it cannot be read.
    """
    path = sqlite_path(url)
    if path is not None:
        return _ask_file(path, _SERVED_BY)
    try:
        database = open_database(url)
    except UnusableDatabase:
        return []
    try:
        with database.connection_context():
            found = select(database, _SERVED_BY)
    except (pw.DatabaseError, pw.InterfaceError):
        return []
    finally:
        close_all(database)
    return [str(mark) for (mark,) in found]


def is_full_file(path: Path) -> bool:
    """Whether a SQLite file has accounts, keys or a log; makes nothing."""
    return _ask_file(path, _HAS_ROWS) == ["1"]


def is_empty(database: pw.Database) -> bool:
    """Whether a connected database has neither accounts, nor keys, nor a log."""
    return not select(database, _HAS_ROWS)[0][0]


def open_read_only(path: Path) -> sqlite3.Connection:
    """Makes no file and changes none; a database's log beside it is read, too."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _ask_file(path: Path, query: str) -> list[str]:
    if not path.is_file():
        return []
    try:
        with closing(open_read_only(path)) as file:
            return [str(found) for (found,) in file.execute(query)]
    except sqlite3.Error:  # no database, none of ours, or locked
        return []
