"""A copy of the running database, checked by opening and counting it."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import peewee as pw

from gateway.store.tables import TABLES

STEP_PAGES = 2_000  # 8 MB: a progress bar moves, and nobody waits

Progress = Callable[[int, int], None]  # pages done, pages in all


class BackupFailed(Exception):
    """There is no usable copy; the message says why."""


def back_up(
    database: pw.Database, file: Path, progress: Progress | None = None
) -> dict[str, int]:
    """Copy the database to a new file (0600) while others write; blocks.

    Gives the number of rows by table, counted in the copy. Raises BackupFailed.
    """
    if not isinstance(database, pw.SqliteDatabase):
        raise BackupFailed("Only SQLite is backed up here; use pg_dump for PostgreSQL")
    try:
        # O_EXCL: a backup never replaces an older one.
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise BackupFailed(f"{file}: {error.strerror}") from error
    try:
        least = _copy(str(database.database), file, progress)
        counted = check_copy(file)
        if any(counted[table] < number for table, number in least.items()):
            raise BackupFailed("The copy has fewer rows than the database")
    except BaseException as error:
        file.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise BackupFailed(f"The copy failed: {error}") from error
        raise
    return counted


def _copy(source: str, file: Path, progress: Progress | None) -> dict[str, int]:
    with (
        closing(sqlite3.connect(source)) as origin,
        closing(sqlite3.connect(file)) as copy,
    ):
        # Inside a read transaction the copy is of one moment, and does not start
        # again with every commit of the writer.
        origin.isolation_level = None
        origin.execute("BEGIN")
        counted = _count_tables(origin)
        copy_pages(origin, copy, progress)
        return counted


def copy_pages(
    origin: sqlite3.Connection, copy: sqlite3.Connection, progress: Progress | None
) -> None:
    origin.backup(
        copy,
        pages=STEP_PAGES,
        progress=lambda _, left, whole: progress and progress(whole - left, whole),
    )


def check_copy(file: Path, check: str = "quick_check") -> dict[str, int]:
    """The rows of a database's copy by table. Raises BackupFailed when it is damaged.

    What was beside the file is in it then. The slower `integrity_check` compares the
    indexes, too.
    """
    with closing(sqlite3.connect(file)) as copy:
        # Out of WAL, so that the one file is all there is.
        copy.execute("PRAGMA journal_mode = delete")
        [verdict] = copy.execute(f"PRAGMA {check}(1)").fetchone()
        if verdict != "ok":
            raise BackupFailed(f"The copy is damaged: {verdict}")
        return _count_tables(copy)


def _count_tables(connection: sqlite3.Connection) -> dict[str, int]:
    names = [table._meta.table_name for table in TABLES]
    return {
        name: connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0]
        for name in names
    }
