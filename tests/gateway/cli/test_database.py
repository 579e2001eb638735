"""`run.py database …` and `restore`, without a running gateway."""

import pytest

from gateway.cli.running.alone import without_gateway
from gateway.settings import Settings


@pytest.fixture
def filled(commands, auth_file):
    """Commands on a database with an account and a key."""
    commands.good("accounts", "import", auth_file("ada"))
    commands.good("keys", "create", "k")
    return commands


def test_a_backup_is_restored_and_the_old_one_kept(filled, tmp_path):
    filled.good("backup", tmp_path / "b.db")
    filled.good("keys", "remove", "k")
    done = filled.good("restore", tmp_path / "b.db")
    assert [row["name"] for row in filled.rows("keys", "list")] == ["k"]
    (aside,) = filled.data_dir.glob("gateway.db.before-*")
    assert str(aside) in done.out
    row = filled.good("restore", tmp_path / "b.db", "--json").row
    assert (row["rows"]["account"], row["unreadable"]) == (1, [])


def test_credentials_that_another_key_encrypted_are_named(filled, tmp_path):
    filled.good("backup", tmp_path / "b.db")
    (filled.data_dir / "encryption.key").unlink()
    done = filled.good("restore", tmp_path / "b.db")
    assert "credentials of ada@demo.example cannot be read" in done.out
    (filled.data_dir / "encryption.key").unlink()
    done = filled.good("database", "copy", f"sqlite:///{tmp_path}/new.db")
    assert "credentials of ada@demo.example cannot be read" in done.out


def test_a_copy_is_served_from_with_the_same_key(filled, tmp_path):
    url = f"sqlite:///{tmp_path}/new.db"
    told = filled.good("database", "copy", url).out
    assert f"to {tmp_path}/new.db, counted on both sides" in told
    assert f"{filled.data_dir}/encryption.key" in told
    env = {"GATEWAY_DATABASE_URL": url}
    (row,) = filled.good("accounts", "list", "--json", **env).rows
    assert row["state"] == "active"
    assert "empty" not in filled.good("keys", "create", "second", **env).err
    again = filled("database", "copy", url)
    assert (again.status, "not empty: it has 1 account, 2 api_key" in again.err) == (
        1,
        True,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["database", "copy", "sqlite:///{data}/gateway.db"], "is the database itself"),
        (["database", "copy", "mysql://x/y"], "must begin with"),
        (["database", "copy", "postgresql://me:pass-word@127.0.0.1:1/x"], "refused"),
        (
            ["database", "copy", "postgresql://me:pass-word/x@h/x"],
            "port of the PostgreSQL",
        ),
        (["restore", "{data}/admin.token"], "{data}/admin.token is no file"),
        (["restore", "{data}/encryption.key"], "file is not a database"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(filled, words, said):
    before = (filled.data_dir / "gateway.db").read_bytes()
    done = filled(*(word.format(data=filled.data_dir) for word in words))
    assert done.status == 1
    assert said.format(data=filled.data_dir) in done.err
    assert done.err.count("\n") == 1
    assert "pass-word" not in done.err
    assert (filled.data_dir / "gateway.db").read_bytes() == before


def test_a_database_that_was_just_made_is_no_source(commands, tmp_path):
    done = commands("database", "copy", f"sqlite:///{tmp_path}/new.db")
    assert (done.status, "has neither accounts" in done.err) == (1, True)
    assert not (tmp_path / "new.db").exists()


def test_postgresql_is_restored_with_its_own_tool(filled):
    env = {"GATEWAY_DATABASE_URL": "postgresql://me@127.0.0.1:1/gw"}
    done = filled("restore", "b.db", **env)
    assert "PostgreSQL gw at 127.0.0.1:1 is restored with pg_restore" in done.err


def test_a_database_is_brought_up_to_date_once(commands):
    first = commands.good("database", "migrate", "--json").row
    assert first["steps"][0] == "0001_initial"
    assert "was up to date" in commands.good("database", "migrate").out


@pytest.mark.parametrize(
    ("command", "operand"),
    [
        ("database copy", "sqlite:////tmp/x.db"),
        ("database migrate", ""),
        ("restore", "b"),
    ],
)
def test_they_need_the_gateway_stopped(filled, monkeypatch, command, operand):
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(filled.data_dir))
    monkeypatch.delenv("GATEWAY_DATABASE_URL", raising=False)
    with without_gateway(Settings.from_env(dotenv="/dev/null"), "another"):
        done = filled(*command.split(), *operand.split())
    assert done.status == 1
    assert f"`{command}` needs the gateway stopped. `another` (process" in done.err
