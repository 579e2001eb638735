"""Changes to keys say what they did, and do what was meant: no more, no less."""

import sqlite3
import time

import pytest

LIMITS = ("--limit", "tokens 2M/7d", "--limit", "cost 5.50/30d")


@pytest.fixture
def key(commands):
    commands.good("keys", "create", "alice-laptop", *LIMITS, "--rpm", "30")
    return lambda: commands.good("keys", "show", "alice-laptop", "--json").row


def test_a_key_is_made_by_its_name_alone(commands):
    commands.good("keys", "create", "a")
    commands.good("keys", "create", "--name", "b")
    assert [row["name"] for row in commands.rows("keys", "list")] == ["a", "b"]
    assert commands("keys", "create").status == 2
    assert commands("keys", "create", "c", "--name", "d").status == 2


@pytest.mark.parametrize("rule", ["rpm", "concurrency"])
def test_nought_is_refused_and_nothing_takes_the_rule_away(commands, key, rule):
    commands.good("keys", "update", "alice-laptop", f"--{rule}", "30")
    refused = commands("keys", "update", "alice-laptop", f"--{rule}", "0")
    assert (refused.status, key()[rule]) == (1, 30)
    assert "out of range: 1 to" in refused.err
    assert "in a command ''" in refused.err
    done = commands.good("keys", "update", "alice-laptop", f"--{rule}", "")
    assert f"{rule}: 30 → none (the rule is taken away)" in done.out
    assert key()[rule] is None


def test_single_limits_change_and_the_others_stay(commands, key):
    done = commands.good("keys", "update", "alice-laptop", "--raise", "tokens +2M")
    assert "tokens 2000000/7d, cost 5.5/30d → tokens 4000000/7d, cost" in done.out
    change = ("--drop-limit", "cost", "--add-limit", "requests 9/1h", "--json")
    row = commands.good("keys", "update", "alice-laptop", *change).row
    assert row["before"] == {"limits": ["tokens 4000000/7d", "cost 5.5/30d"]}
    assert row["after"] == {"limits": ["tokens 4000000/7d", "requests 9/1h"]}
    assert key()["limits"] == ["tokens 4000000/7d", "requests 9/1h"]
    done = commands.good("keys", "update", "alice", "--limit", "tokens 3M/7d")
    assert "no longer has the limit of requests 9/1h." in done.out
    change = ("--limit", "tokens 4M/7d", "--limit", "requests 9/1h")
    assert "no longer" not in commands.good("keys", "update", "alice", *change).out
    refused = commands("keys", "update", "alice-laptop", "--raise", "output +1")
    assert "the key has 'tokens 4000000/7d', 'requests 9/1h'" in refused.err


def test_a_raised_limit_keeps_what_is_used_and_a_reset_one_begins_anew(commands, key):
    with sqlite3.connect(commands.data_dir / "gateway.db") as database:
        (created,) = database.execute("SELECT created_at FROM api_key").fetchone()
        start = created // 1000 * 1000
        database.execute("INSERT INTO limit_counter VALUES (1, ?, 42)", (start,))
    commands.good("keys", "update", "alice-laptop", "--raise", "tokens +1")
    counted = "SELECT limit_id, used FROM limit_counter"
    assert database.execute(counted).fetchall() == [(1, 42)]
    done = commands.good("keys", "reset-usage", "alice-laptop")
    assert "tokens 2000001/7d: 42 → 0" in done.out
    assert database.execute(counted).fetchall() == []
    # Whoever holds the old counters in memory has no limit for them any more.
    assert database.execute("SELECT id FROM api_key_limit").fetchall() == [(3,), (4,)]
    database.close()
    assert key()["limits"] == ["tokens 2000001/7d", "cost 5.5/30d"]


def test_every_change_is_told_with_what_was_before(commands, key):
    row = commands.good("keys", "disable", "alice-laptop", "--json").row
    assert (row["before"], row["after"]) == ({"state": "active"}, {"state": "disabled"})
    assert "state: disabled → active" in commands.good("keys", "enable", "alice").out
    assert "nothing is different" in commands.good("keys", "enable", "alice").out
    done = commands.good("keys", "update", "alice", "--expires", "3 months")
    assert "expires at: none → 20" in done.out
    assert key()["expires_at"] - time.time() == pytest.approx(90 * 86400, abs=60)
    done = commands.good("keys", "update", "alice", "--expires", "never")
    assert "→ none (the rule is taken away)" in done.out
    done = commands.good("strategy", "round_robin")
    assert "strategy: capacity_weighted → round_robin" in done.out
    done = commands.good("tools", "strip web_search")
    assert "tools: none → strip web_search" in done.out
    removed = commands.good("keys", "remove", "alice-laptop", "--json").row
    assert removed["after"] == {"state": "removed"}


def test_an_account_s_changes_are_told_too(commands, auth_file):
    commands.good("accounts", "import", auth_file("ada"))
    done = commands.good("accounts", "set", "ada", "--concurrency", "5")
    assert "concurrency: none → 5" in done.out
    assert "1 to 100000" in commands("accounts", "set", "ada", "--concurrency", "0").err
    done = commands.good("accounts", "set", "ada", "--concurrency", "")
    assert "concurrency: 5 → none" in done.out
    assert "paused: no → yes" in commands.good("accounts", "pause", "ada").out


def test_a_name_is_found_by_a_part_of_it_that_no_other_has(commands, key):
    commands.good("keys", "create", "alice-desk")
    commands.good("keys", "create", "bob")
    assert commands.good("keys", "show", "LAPTOP", "--json").row["id"] == 1
    refused = commands("keys", "disable", "alice")
    assert "did you mean alice-laptop, alice-desk?" in refused.err
    for command in ("remove", "rotate"):
        refused = commands("keys", command, "bo")  # never by less than the whole name
        assert "There is no API key 'bo'; did you mean bob?" in refused.err
    commands.good("keys", "create", "carol's key")
    for nobody in ("9", "", " "):  # a number of nobody's, and no part at all
        assert commands("keys", "show", nobody).status == 1


def test_a_rotated_key_may_overlap(commands, key):
    first = commands.good("keys", "show", "alice", "--json").row["prefix"]
    done = commands.good("keys", "rotate", "alice-laptop", "--overlap", "24h")
    assert f"The old one ({first}…) is good until 20" in done.err
    shown = key()
    assert shown["old_prefix"] == first
    assert shown["old_expires_at"] - time.time() == pytest.approx(86400, abs=60)
    assert f"{first} until 20" in commands.good("keys", "list").out
    done = commands.good("keys", "rotate", "alice-laptop")
    assert "refused from now on" in done.err
    assert key()["old_prefix"] is None
    for wrong in ("soon", "0h", "2y", "2001-01-01"):
        refused = commands("keys", "rotate", "alice-laptop", "--overlap", wrong)
        assert "overlap" in refused.err


def test_a_key_s_log_is_deleted_when_that_is_meant(commands, key):
    with sqlite3.connect(commands.data_dir / "gateway.db") as database:
        columns = (
            "request_id, created_at, api_key_id, surface, transport, route, status, "
            "http_status, input_tokens, cached_tokens, cache_write_tokens, "
            "output_tokens, reasoning_tokens, request_bytes, response_bytes, "
            "client_address, user_agent, attempts, is_prewarm, changes, receipt"
        )
        rows = [
            (
                *(f"{n:032x}", 1, 1 + n % 2, "v1", "http", "responses", "success"),
                *(200, *[0] * 7, "", "", 0, 0, "[]", "{}"),
            )
            for n in range(1200)
        ]
        marks = ", ".join("?" * len(rows[0]))
        database.executemany(
            f"INSERT INTO request_log ({columns}) VALUES ({marks})", rows
        )
    refused = commands("keys", "delete-log", "alice-laptop")
    assert (refused.status, "give --yes" in refused.err) == (2, True)
    assert "did you mean" in commands("keys", "delete-log", "alice", "--yes").err
    row = commands.good("keys", "delete-log", "alice-laptop", "--yes", "--json").row
    assert row == {"name": "alice-laptop", "rows": 600}
    assert (
        commands.good("keys", "delete-log", "#2", "--yes", "--json").row["rows"] == 600
    )
    actions = database.execute("SELECT action, target FROM audit_log").fetchall()
    database.close()
    assert actions[1:] == [("key.delete_log", "alice-laptop"), ("key.delete_log", "#2")]


def test_the_audit_tells_who_changed_what(commands, key):
    commands.good("keys", "update", "alice", "--rpm", "5")
    rows = commands.rows("audit", "--since", "1h")
    assert [row["action"] for row in rows] == ["key.create", "key.update"]
    assert rows[-1]["detail"] == {"before": {"rpm": 30}, "after": {"rpm": 5}}
    told = commands.good("audit", "--actor", "cli", "--limit", "1").out
    assert "key.update  alice-laptop  before rpm 30; after rpm 5" in told
    assert commands.rows("audit", "--actor", "api") == []
