"""Where none runs, a change says where it went."""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from gateway.cli.running.alone import without_gateway
from gateway.cli.serve import start_screen
from gateway.process.database_lock import held_alone
from gateway.process.lockfile import AlreadyRunning, lock_data_dir
from gateway.process.session_locks import FileLock, Holder, lock_path
from gateway.settings import Settings


def test_every_change_names_the_data_directory_and_the_database(commands, tmp_path):
    env = {"GATEWAY_DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    commands.good("keys", "create", "--name", "k", **env)
    for words in (["keys", "disable", "k"], ["strategy", "round_robin"]):
        told = commands.good(*words, "--json", **env)
        assert str(commands.data_dir) in told.err
        assert f"{tmp_path}/other.db" in told.err
        assert "empty" not in told.err
        json.loads(told.out)
    assert commands.good("keys", "list", **env).err == ""


def test_an_empty_database_is_told_before_a_key_is_printed(commands):
    made = commands.good("keys", "create", "--name", "k")
    lines = made.err.splitlines()
    assert (
        f"{commands.data_dir}/gateway.db, which was just made and is empty" in lines[0]
    )
    assert "It is shown this once" in lines[1]


def test_one_that_a_report_has_made_is_empty_all_the_same(commands):
    commands.good("keys", "list")
    assert "which was empty" in commands.good("keys", "create", "--name", "k").err


def test_a_full_file_in_the_data_directory_is_not_forgotten(commands, tmp_path):
    commands.good("keys", "create", "--name", "k")
    env = {"GATEWAY_DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    told = commands.good("keys", "list", **env)
    assert f"{tmp_path}/other.db is empty" in told.err
    assert f"{commands.data_dir}/gateway.db is not" in told.err
    commands.good("keys", "create", "--name", "k", **env)
    assert "is not" not in commands.good("keys", "list", **env).err


def test_a_start_says_it_too(commands, tmp_path, capsys):
    commands.good("keys", "create", "k")
    settings = settings_of(commands, database_url=f"sqlite:///{tmp_path}/other.db")
    start_screen(settings, on_terminal=False)
    told = capsys.readouterr().err
    assert told.startswith(f"Warning: the database {tmp_path}/other.db is empty")


def settings_of(commands, **changes):
    return replace(
        Settings.from_env(dotenv=os.devnull), data_dir=commands.data_dir, **changes
    )


@pytest.mark.parametrize("words", [["accounts", "rotate-key"]])
def test_what_needs_the_gateway_stopped_is_refused_while_one_runs_elsewhere(
    commands, tmp_path, words
):
    commands.good("keys", "list")
    own = Holder("else", "/srv/gw on other (process 5)")
    lock = FileLock(lock_path(commands.data_dir / "gateway.db"), own)
    lock.open()
    lock.take_first()
    try:
        done = commands(*words)
    finally:
        lock.close()
    assert done.status == 1
    assert "needs the gateway stopped" in done.err
    assert own.place in done.err


def test_the_schema_of_a_database_that_is_served_stays(commands):
    commands.good("keys", "list")
    path = commands.data_dir / "gateway.db"
    with closing(sqlite3.connect(path)) as database, database:
        latest = "(SELECT MAX(id) FROM schema_migration)"
        database.execute(f"DELETE FROM schema_migration WHERE id = {latest}")
    lock = FileLock(lock_path(path), Holder("else", "/srv/gw on other"))
    lock.open()
    lock.take_first()
    try:
        for words in (["keys", "create", "k"], ["keys", "list"]):
            assert "of an older release: restart it" in commands(*words).err
        told = commands(
            "config", "check", GATEWAY_UPSTREAM_BASE_URL="http://127.0.0.1:1"
        )
        assert "WARN  database: " in told.out
    finally:
        lock.close()


def test_a_command_at_work_keeps_others_and_gateways_out(commands, tmp_path):
    commands.good("keys", "list")
    url = f"sqlite:///{commands.data_dir}/gateway.db"
    settings = settings_of(commands, database_url=url)
    with without_gateway(settings, "restore"):
        done = commands("keys", "create", "--name", "k")
        with (
            pytest.raises(AlreadyRunning, match="`restore`"),
            lock_data_dir(commands.data_dir, timeout=0),
        ):
            pass
        with (
            pytest.raises(AlreadyRunning, match="uses the database"),
            held_alone(settings.database_url, tmp_path),
        ):
            pass
    assert (done.status, "`restore` (process" in done.err) == (1, True)
    commands.good("keys", "create", "--name", "k")
