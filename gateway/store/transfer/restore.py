"""A backup put in the place of a SQLite database, which is kept aside."""

import os
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

from gateway.store.backup import BackupFailed, Progress, check_copy, copy_pages
from gateway.store.database import (
    StoreUnavailable,
    UnusableDatabase,
    cause_of,
    migrate,
    open_database,
)
from gateway.store.identity import open_read_only
from gateway.store.private_file import give_name, sync_folder

_BESIDE = ("-wal", "-shm")  # what SQLite has of a database outside of its file
_OURS = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'schema_migration'"


class RestoreFailed(Exception):
    """The database is as it was; the message says why."""


def restore_backup(
    file: Path, database: Path, progress: Progress | None = None
) -> tuple[dict[str, int], Path | None]:
    """Put a checked copy of the file in the database's place, while nobody has it open.

    The copy has this release's schema. Gives its rows by table, and where the database
    is that was there. Raises RestoreFailed.
    """
    if not file.is_file():
        raise RestoreFailed(f"{file} is no file")
    if database.exists() and file.samefile(database):
        raise RestoreFailed(f"{file} is the database itself")
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=database.parent) as room:
        copy = Path(room) / database.name
        try:
            _copy(file, copy, progress)
            _bring_up_to_date(copy)
            counted = check_copy(copy, "integrity_check")
        except (sqlite3.Error, BackupFailed, UnusableDatabase) as error:
            raise RestoreFailed(f"{file} cannot be restored: {error}") from error
        except StoreUnavailable as error:
            told = cause_of(error)
            raise RestoreFailed(f"{file} cannot be restored: {told}") from error
        aside = _move_aside(database)
        copy.replace(database)
    sync_folder(database.parent)
    return counted, aside


def _copy(file: Path, copy: Path, progress: Progress | None) -> None:
    """With what a database that was not closed has beside its file."""
    with (
        closing(open_read_only(file)) as origin,
        closing(sqlite3.connect(copy)) as written,
    ):
        if not origin.execute(_OURS).fetchone()[0]:
            raise BackupFailed("it is not the database of a gateway")
        copy_pages(origin, written, progress)
    copy.chmod(0o600)


def _bring_up_to_date(copy: Path) -> None:
    opened = open_database(f"sqlite:///{copy}")
    with opened.connection_context():
        migrate(opened)


def _move_aside(database: Path) -> Path | None:
    """At any moment there is a file in the database's place, with no other's log."""
    if not database.exists():
        return None
    # A damaged one goes as it is.
    with suppress(sqlite3.Error), closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    aside = _free_name(database)
    for end in _BESIDE:
        with suppress(FileNotFoundError):
            os.rename(f"{database}{end}", f"{aside}{end}")
    give_name(database, aside)
    return aside


def _free_name(database: Path) -> Path:
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    name = database.with_name(f"{database.name}.before-{moment}")
    number = 2
    free = name
    while free.exists():
        free, number = Path(f"{name}-{number}"), number + 1
    return free
