"""A backup in the database's place, or nothing changed."""

import shutil
import sqlite3
import stat
from contextlib import closing

import pytest

from gateway.store.database import migrate, open_database
from gateway.store.models import AccountRow, SettingRow
from gateway.store.transfer.restore import RestoreFailed, restore_backup


def make(path, *names):
    database = open_database(f"sqlite:///{path}")
    with (
        closing(database),
        database.connection_context(),
        database.bind_ctx([AccountRow, SettingRow]),
    ):
        migrate(database)
        for name in names:
            AccountRow.create(name=name, kind="chatgpt", credentials="-")
    return path


def names_in(path):
    with closing(sqlite3.connect(path)) as opened:
        return [name for (name,) in opened.execute("SELECT name FROM account")]


def test_the_backup_is_there_and_the_old_database_aside(tmp_path):
    backup, database = make(tmp_path / "b.db", "b"), make(tmp_path / "a.db", "a")
    steps = []
    counted, aside = restore_backup(backup, database, lambda *far: steps.append(far))
    assert (counted["account"], names_in(database)) == (1, ["b"])
    assert names_in(aside) == ["a"]
    assert names_in(backup) == ["b"]
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert steps[-1][0] == steps[-1][1]
    again, second = restore_backup(backup, database)
    assert again == counted
    assert second != aside
    assert not [one for one in tmp_path.iterdir() if one.is_dir()]


def test_where_there_was_none_nothing_is_aside(tmp_path):
    counted, aside = restore_backup(make(tmp_path / "b.db"), tmp_path / "new" / "a.db")
    assert aside is None
    assert not counted["account"]


def killed(path, name, copy):
    """A copy as a kill leaves it: the name is in the log beside the file only."""
    with closing(sqlite3.connect(make(path, "early"))) as opened:
        opened.execute("PRAGMA wal_autocheckpoint = 0")
        with opened:
            opened.execute("UPDATE account SET name = ?", [name])
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{copy}{end}")
    return copy


def test_what_a_killed_process_left_beside_goes_along(tmp_path):
    backup = killed(tmp_path / "a.db", "taken", tmp_path / "taken.db")
    database = killed(tmp_path / "b.db", "old", tmp_path / "killed.db")
    _, aside = restore_backup(backup, database)
    assert names_in(database) == ["taken"]
    assert names_in(aside) == ["old"]


def damaged(path):
    make(path, *map(str, range(200)))
    content = bytearray(path.read_bytes())
    content[-3 * 4096 : -4096] = b"\xa5" * (2 * 4096)
    path.write_bytes(content)


def text_file(path):
    path.write_text("no database")


def of_another_program(path):
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("CREATE TABLE notes (text)")


def of_a_newer_release(path):
    make(path)
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("INSERT INTO schema_migration VALUES (99, '9999_next', '2030')")
        opened.execute("UPDATE setting SET value = '9999_next'")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damaged, "cannot be restored: "),
        (text_file, "file is not a database"),
        (of_another_program, "not the database of a gateway"),
        (of_a_newer_release, "too old for the database"),
        (lambda path: None, "is no file"),
    ],
)
def test_what_cannot_be_served_from_is_refused(tmp_path, spoil, said):
    database = make(tmp_path / "a.db", "a")
    spoil(tmp_path / "b.db")
    with pytest.raises(RestoreFailed, match=said):
        restore_backup(tmp_path / "b.db", database)
    assert names_in(database) == ["a"]
    assert {one.name[:4] for one in tmp_path.iterdir()} <= {"a.db", "b.db"}


def test_the_database_is_no_backup_of_itself(tmp_path):
    database = make(tmp_path / "a.db", "a")
    with pytest.raises(RestoreFailed, match="the database itself"):
        restore_backup(database, database)
