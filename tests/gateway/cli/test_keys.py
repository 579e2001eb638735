"""`run.py keys …` without a running gateway."""

import sqlite3
from datetime import datetime

import pytest


def test_a_key_is_printed_once_and_never_stored(commands):
    made = commands.good("keys", "create", "--name", "laptop")
    token = made.out.strip()  # nothing else, so that it can be piped
    assert token.startswith("sk-cgw-")
    assert len(token) == 50
    assert "first key" in made.err
    listed = commands.good("keys", "list")
    assert token not in listed.out
    assert token[: len("sk-cgw-") + 8] in listed.out
    for file in commands.data_dir.iterdir():
        assert token.encode() not in file.read_bytes()


def test_only_the_first_key_warns(commands):
    commands.good("keys", "create", "--name", "a")
    assert "first key" not in commands.good("keys", "create", "--name", "b").err
    commands.good("keys", "remove", "a")
    commands.good("keys", "remove", "b")
    assert "first key" not in commands.good("keys", "create", "--name", "a").err


RULES = (
    *("--models", "gpt-5*, o3", "--enforce-effort", "low", "--enforce-tier", "fast"),
    *("--limit", "tokens 2M/7d", "--limit", "cost 5.50/30d model=gpt-5*"),
    *("--rpm", "30", "--concurrency", "4", "--expires", "90d"),
)


def test_all_rules_are_kept_and_shown(commands):
    commands.good("keys", "create", "--name", "laptop", *RULES)
    row = commands.good("keys", "show", "laptop", "--json").row
    assert row["models"] == ["gpt-5*", "o3"]
    assert (row["enforce_effort"], row["enforce_tier"]) == ("low", "priority")
    assert row["limits"] == ["tokens 2000000/7d", "cost 5.5/30d model=gpt-5*"]
    assert (row["rpm"], row["concurrency"]) == (30, 4)
    assert row["expires_at"] - row["created_at"] == pytest.approx(90 * 86400, abs=2)
    shown = commands.good("keys", "show", "laptop").out
    assert "cost 5.5/30d" in shown
    assert "Times are in " in shown
    ends = datetime.fromtimestamp(row["created_at"] + 7 * 86400)
    assert f"resets {ends:%Y-%m-%d %H:%M:%S}" in shown


def test_an_update_changes_what_it_names_and_an_empty_value_takes_away(commands):
    commands.good("keys", "create", "--name", "laptop", *RULES)
    empty = ("--models", "", "--expires", "", "--limit", "", "--enforce-tier", "")
    commands.good("keys", "update", "laptop", "--rename", "desk", "--rpm", "5", *empty)
    row = commands.good("keys", "show", "desk", "--json").row
    assert (row["models"], row["limits"], row["expires_at"]) == ([], [], None)
    assert (row["enforce_tier"], row["enforce_effort"]) == (None, "low")
    assert (row["rpm"], row["concurrency"]) == (5, 4)


def test_a_key_may_be_bound_to_accounts_by_name(commands, auth_file):
    commands.good("accounts", "import", auth_file("ada"))
    name = "ada@demo.example"
    commands.good("keys", "create", "--name", "k", "--accounts", name)
    assert commands.rows("keys", "list")[0]["accounts"] == [name]
    refused = commands("accounts", "remove", name)
    assert (refused.status, "only account" in refused.err) == (1, True)


def test_disable_enable_rotate_remove(commands):
    first = commands.good("keys", "create", "--name", "k").out.strip()
    commands.good("keys", "disable", "k")
    assert commands.rows("keys", "list")[0]["state"] == "disabled"
    commands.good("keys", "enable", first[:15])  # its prefix does as well
    assert commands.rows("keys", "list")[0]["state"] == "active"
    second = commands.good("keys", "rotate", "k").out.strip()
    assert second != first
    assert commands.rows("keys", "list")[0]["prefix"] == second[:15]
    commands.good("keys", "remove", "k")
    assert commands.rows("keys", "list") == []


@pytest.mark.parametrize(
    "option",
    [
        ("--limit", "tokens 2M"),
        ("--limit", "tokens 2M/2y"),
        ("--expires", "soon"),
        ("--enforce-effort", "very high"),
        ("--accounts", "nobody"),
        ("--rpm", "-1"),
        ("--rpm", "0"),
        ("--concurrency", "0"),
    ],
)
def test_a_rule_that_cannot_be_meant_makes_no_key(commands, option):
    done = commands("keys", "create", "--name", "k", *option)
    assert done.status == 1
    assert done.err.startswith("Error: ")
    assert commands.rows("keys", "list") == []
    assert "first key" in commands.good("keys", "create", "--name", "k").err


def test_a_name_is_given_once(commands):
    commands.good("keys", "create", "--name", "k")
    done = commands("keys", "create", "--name", "k")
    assert (done.status, done.err) == (1, "Error: There is an API key 'k' already\n")


def test_a_changed_limit_keeps_its_counter_and_a_removed_one_loses_it(commands):
    commands.good(
        *("keys", "create", "--name", "k"),
        *("--limit", "tokens 100/1d", "--limit", "requests 5/1d"),
    )
    database = sqlite3.connect(commands.data_dir / "gateway.db")
    with database:
        database.execute("INSERT INTO limit_counter VALUES (1, 5, 42), (2, 5, 3)")
    commands.good("keys", "update", "k", "--limit", "tokens 200/1d")
    commands.good(
        "keys", "update", "k", "--limit", "tokens 200/1d", "--limit", "input 9/7d"
    )
    kept = database.execute("SELECT limit_id, used FROM limit_counter").fetchall()
    ids = database.execute("SELECT id, measure FROM api_key_limit").fetchall()
    database.close()
    assert kept == [(1, 42)]
    assert ids == [(1, "tokens"), (3, "input")]  # never the number of a removed one


def test_every_change_is_audited_with_the_user_who_made_it(commands):
    commands.good("keys", "create", "--name", "k", "--rpm", "3")
    commands.good("strategy", "round_robin")
    database = sqlite3.connect(commands.data_dir / "gateway.db")
    rows = database.execute("SELECT actor, action, target FROM audit_log").fetchall()
    database.close()
    assert [row[1:] for row in rows] == [
        ("key.create", "k"),
        ("settings.update", "strategy"),
    ]
    assert all(row[0].startswith("cli") for row in rows)
