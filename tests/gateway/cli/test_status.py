"""`run.py status` and the lists, of the database alone."""

import time

import pytest

from gateway.cli.reports.status import parts_of
from gateway.cli.reports.windows import short_limit, time_left
from gateway.repository.members import Identity, join
from gateway.settings import Settings
from gateway.store import models
from gateway.store.database import open_database
from gateway.store.models import now_ms
from gateway.store.tables import TABLES
from tests.gateway.cli.test_recorder import record, row

__all__ = ["record"]


def test_without_a_gateway_it_says_so_and_what_the_database_knows(
    commands, record, auth_file
):
    commands.good("accounts", "import", auth_file("ada"))
    commands.good("keys", "create", "bob", "--limit", "tokens 2M/7d")
    record(row(1), row(2, status="error", error_origin="upstream"))
    told = commands.good("status", "--json").row
    assert told["gateway"] is None
    assert told["errors"]["by_origin"] == {"upstream": 1}
    assert told["limits"][0]["limit"] == "tokens 2000000/7d"
    out = commands.good("status").out
    assert f"none runs on {commands.data_dir}" in out
    assert "1 of 2 requests failed: upstream 1" in out
    assert "ada@demo.example  active" in out


def test_watching_needs_a_terminal_or_json(commands):
    done = commands("status", "--watch")
    assert (done.status, "--watch needs a terminal" in done.err) == (2, True)


def told(**changed):
    """An answer of `/api/status`, of a gateway that is well."""
    now = time.time()
    return {
        "at": now,
        "gateway": {
            **{"version": "1.2.3", "python": "3.11", "codex_version": "0.171.0"},
            **{"pid": 7, "started_at": now, "uptime": 90_000.0},
            **{"turns": 3, "sockets": 2, "readiness": {"accounts": "ok"}},
            "warnings": {},
        },
        "accounts": [],
        "limits": [],
        "errors": {"requests": 0, "failed": 0, "by_origin": {}},
        "queues": dict.fromkeys(("accounts", "keys", "log", "lost_rows"), 0),
        "lag": {"loop": 0.002, "writer": 0.0},
        "database": {"place": "/gateway.db", "bytes": 2048, "problem": None},
        "members": [],
        "recording": None,
        **changed,
    }


@pytest.fixture
def screen(monkeypatch):
    def shown(answer):
        parts = parts_of(answer, Settings.from_env())
        return [row for part in parts for row in part.rows]

    return shown


def limit(percent, runs_out_at, passed=3e5):
    now = time.time()
    used = {"used": 10**6, "maximum": 10**6, "used_percent": percent}
    times = {"began_at": now - passed, "resets_at": now + 3e5}
    window = {"key": "bob", "limit": "tokens 1000000/7d", **times}
    return {**used, **window, "runs_out_at": runs_out_at}


def test_limits_are_shown_that_are_near_or_will_be(screen):
    soon = time.time() + 7200.5
    limits = [limit(85.0, None), limit(40.0, soon), limit(40.0, None)]
    limits += [limit(90.0, None, passed=60), limit(100.0, time.time() - 1)]
    near = [row for row in screen(told(limits=limits)) if "window" in row]
    assert [row["runs_out_in"] for row in near] == [
        *("lasts", "2 h 0 min"),
        *(None, "now"),
    ]
    assert near[0]["window"] == "tokens 1M/7d"
    assert near[0]["amount"] == "1,000,000"
    facts = {row["what"] for row in screen(told()) if "what" in row}
    assert "keys" in facts


def test_what_is_wrong_stands_there(screen):
    answer = told(errors=None, database={**told()["database"], "problem": "is gone"})
    answer["gateway"]["readiness"] = {"database": "is gone", "drain": "draining"}
    answer["gateway"]["warnings"] = {"clock": "is 90 s ahead"}
    facts = [(row["what"], row["is"]) for row in screen(answer)]
    assert ("not ready", "database: is gone") in facts
    assert ("not ready", "drain: draining") in facts
    assert ("warning", "clock: is 90 s ahead") in facts
    assert sum(what == "not ready" for what, _ in facts) == 2


def test_keys_are_listed_with_what_is_used_and_their_last_use(commands, record):
    limits = ("--limit", "tokens 2M/7d", "--limit", "cost 5/30d", "--rpm", "30")
    commands.good("keys", "create", "bob", *limits)
    commands.good("keys", "create", "new")
    assert "1970" not in commands.good("keys", "list").out
    at = now_ms() - 3_600_000
    record(row(1, api_key_id=1, created_at=at))
    bob, new = commands.rows("keys", "list")
    assert abs(bob["last_used_at"] * 1000 - at) < 2
    assert (new["last_used_at"], new["usage"]) == (None, [])
    assert [one["limit_type"] for one in bob["usage"]] == [
        *("total_tokens", "cost_usd"),
        "requests",
    ]
    lines = commands.good("keys", "list").out.splitlines()
    assert [line.split()[1] for line in lines[2:]] == ["bob", "bob", "bob", "new"]
    assert "$0.00" in lines[3]


@pytest.mark.parametrize(
    ("seconds", "left"),
    [
        (-5, "0 min"),
        (89, "1 min"),
        (3599, "1 h 0 min"),
        (9000, "2 h 30 min"),
        (86400 * 6 + 7200, "6 d 2 h"),
    ],
)
def test_what_is_left_is_told_in_two_units(seconds, left):
    assert time_left(seconds) == left


@pytest.mark.parametrize(
    ("limit", "short"),
    [
        ("tokens 2000000/7d", "tokens 2M/7d"),
        ("requests 1500/1d model=gpt-5*", "requests 1500/1d model=gpt-5*"),
        ("requests 3000/1d", "requests 3k/1d"),
        ("cost 5.5/30d", "cost 5.5/30d"),
    ],
)
def test_large_limits_are_short(limit, short):
    assert short_limit(limit) == short


def test_several_members_are_counted_and_who_is_behind(screen):
    one = {"is_behind": False}
    assert "members" not in [row["what"] for row in screen(told(members=[one]))]
    shown = {row["what"]: row["is"] for row in screen(told(members=[one, one]))}
    assert shown["members"] == "2"
    late = [one, {"is_behind": True}]
    shown = {row["what"]: row["is"] for row in screen(told(members=late))}
    assert shown["members"] == "2, 1 of them behind: see `members`"


def test_members_of_a_database_that_nobody_serves_from_are_none(commands):
    assert commands.good("members").out == "No gateway serves from the database.\n"
    assert commands.good("members", "--json").rows == []


def test_one_that_was_killed_does_not_serve(commands):
    commands.good("keys", "list")
    database = open_database(f"sqlite:///{commands.data_dir}/gateway.db")
    with database.bind_ctx(TABLES), database.connection_context():
        models.database.initialize(database)
        join(Identity("d", "p", "1"), ends_directory=False, ends_all=False)
        models.database.initialize(None)
    assert commands.good("members", "--json").rows == []
