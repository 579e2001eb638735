"""Which database it is, told without secrets and without making one."""

import pytest

from gateway.store.database import migrate, open_database
from gateway.store.identity import is_empty, is_full_file, place_of, served_by
from gateway.store.models import AccountRow
from gateway.store.shared.tables import MemberRow


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://me:secret@db.example:5432/gw", "PostgreSQL gw at db.example"),
        ("postgres://DB.example/gw", "PostgreSQL gw at db.example"),
        ("postgresql://db.example:6432/gw", "PostgreSQL gw at db.example:6432"),
        ("postgresql://me@/gw?host=/run/pg", "PostgreSQL gw at /run/pg"),
        ("postgresql://me@/gw?host=/run/pg&port=5433", "PostgreSQL gw at /run/pg:5433"),
        ("postgresql:///gw", "PostgreSQL gw at a local socket"),
        ("sqlite:////tmp/../tmp/gw.db", "/tmp/gw.db"),
    ],
)
def test_a_place_is_told_alike_and_without_its_password(url, place):
    assert place_of(url) == place


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    path = tmp_path / "gateway.db"
    assert served_by(f"sqlite:///{path}") == []
    assert not is_full_file(path)
    assert list(tmp_path.iterdir()) == []


def test_neither_a_server_that_is_gone_nor_another_program_s_file_is_an_error(tmp_path):
    (tmp_path / "notes.db").write_text("no database at all")
    assert served_by(f"sqlite:///{tmp_path / 'notes.db'}") == []
    assert served_by("postgresql://me@127.0.0.1:1/gateway") == []
    assert served_by("mysql://x/y") == []


def test_what_is_in_a_file_is_seen_without_opening_it_for_writing(tmp_path):
    path = tmp_path / "gateway.db"
    database = open_database(f"sqlite:///{path}")
    with database.connection_context(), database.bind_ctx([AccountRow, MemberRow]):
        migrate(database)
        assert is_empty(database)
        assert not is_full_file(path)
        AccountRow.create(name="one", kind="chatgpt", credentials="-")
        row = {"directory": "d", "place": "p", "version": "1", "started_at": 7}
        MemberRow.create(state="ended", **row)
        MemberRow.create(state="serving", **row)
        assert not is_empty(database)
    assert is_full_file(path)
    assert served_by(f"sqlite:///{path}") == ["2.7"]
