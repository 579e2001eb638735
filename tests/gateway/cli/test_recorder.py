"""`run.py logs`, `usage`, `explain`, `export`, `backup` on a written record."""

import csv
import io
import json
import sqlite3
import stat

import pytest

from gateway.cli.base import connected_database
from gateway.monitoring.recorder.files import write_recording
from gateway.settings import Settings
from gateway.store.batches import write_batch
from gateway.store.log.log_rows import Sums
from gateway.store.models import now_ms
from gateway.store.write_queue import Batch


def row(number, **columns):
    return {
        "request_id": f"{number:032x}",
        "created_at": now_ms() - 60_000 + number,
        "surface": "codex",
        "transport": "http",
        "route": "responses",
        "model": "gpt-5.5",
        "status": "success",
        "http_status": 200,
        "input_tokens": 100,
        "cached_tokens": 40,
        "output_tokens": 10,
        "cost_microdollars": 1_250_000,
        "duration_ms": 900,
        "receipt": '{"reason": "most capacity left", "attempts": []}',
        **columns,
    }


@pytest.fixture
def record(commands, monkeypatch):
    """Writes rows as the gateway does: `record(row(1), row(2))`."""
    for name, value in commands.env.items():
        if value is not None:
            monkeypatch.setenv(name, value)

    def write(*rows):
        with connected_database(Settings.from_env()) as database, database.atomic():
            batch = Batch([(0.0, one) for one in rows], Sums(), {}, {}, {})
            write_batch(database, batch)

    return write


def test_the_log_shows_the_newest_row_last(commands, record):
    record(*(row(n) for n in range(1, 6)))
    rows = commands.rows("logs", "--limit", "3")
    assert [int(one["request_id"], 16) for one in rows] == [3, 4, 5]
    assert "gpt-5.5" in commands.good("logs").out


def test_the_log_is_filtered_by_names(commands, record, auth_file):
    commands.good("accounts", "import", auth_file("ada"))
    commands.good("keys", "create", "--name", "k")
    record(row(1, api_key_id=1, account_id=1), row(2, status="error", model="o3"))
    by_key = ("--key", "k", "--account", "ada@demo.example", "--since", "1h")
    (found,) = commands.rows("logs", *by_key)
    assert (found["key"], found["account"]) == ("k", "ada@demo.example")
    (failed,) = commands.rows("logs", "--status", "error", "--model", "o3")
    assert failed["key"] is None
    assert commands("logs", "--key", "nobody").status == 1
    assert "give 90 minutes" in commands("logs", "--since", "recently").err


def test_what_a_removed_account_did_is_still_found(commands, record, auth_file):
    commands.good("accounts", "import", auth_file("ada"))
    record(row(1, account_id=1))
    commands.good("accounts", "remove", "1")
    (found,) = commands.rows("logs", "--account", "#1")
    assert found["account"] == "#1"
    commands.good("accounts", "import", auth_file("grace"))
    assert commands.rows("accounts", "list")[0]["id"] == 2


def test_a_clients_text_does_not_steer_the_terminal(commands, record):
    record(row(1, model="gpt\x1b[2Jx\nGET"))
    out = commands.good("logs").out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 3


def test_usage_is_summed_and_says_when_a_cost_is_not_known(commands, record):
    record(row(1), row(2, cost_microdollars=None))
    (by_model,) = commands.rows("usage", "--by", "model")
    assert (by_model["requests"], by_model["unpriced"]) == (2, 1)
    assert by_model["cached_ratio"] == 0.4
    out = commands.good("usage", "--by", "day", "--since", "2d").out
    assert "$1.25 +" in out
    assert "40.0 %" in out


def test_rules_are_counted_by_day(commands, record):
    met = [("refused", "model is required"), ("new shape", "\x1b[2J")]
    record(row(1, rules_met=met), row(2, rules_met=met[:1]))
    (shape, refused) = commands.rows("rules", "--since", "2d")
    assert (refused["rule"], refused["requests"]) == ("model is required", 2)
    assert shape["rule"] == "_[2J"
    assert "model is required" in commands.good("rules").out


def test_a_receipt_tells_a_person_what_happened(commands, record):
    attempts = [
        {"account": "ada", "then": "elsewhere", "ms": 12, "status": 429},
        {"account": "grace", "then": "answered", "ms": 40},
    ]
    receipt = {
        "reason": "round robin",
        "passed_over": [["bob", "paused by the operator"]],
        "attempts": attempts,
    }
    told = row(0xABCDEF, receipt=json.dumps(receipt), response_id="resp_1", queue_ms=3)
    record({**told, "changes": '["tools: image_generation dropped"]'})
    for name in (f"{0xABCDEF:032x}", "resp_1"):
        out = commands.good("explain", name).out
        for part in (
            "round robin",
            "bob: paused by the operator",
            "429",
            "answered",
            "account chosen",
            "image_generation dropped",
            "$1.250000",
        ):
            assert part in out
    assert commands.good("explain", "resp_1", "--json").row["receipt"] == receipt


def test_a_receipt_says_why_it_failed_and_what_to_do(commands, record):
    failed = {
        "kind": "usage_limit",
        **{"account": "ada", "then": "no other account", "ms": 12, "status": 429},
    }
    error = {
        "status": "error",
        "error_code": "usage_limit_reached",
        "error_origin": "account",
        "error_message": "The usage limit has been reached",
        "http_status": 429,
        "receipt": json.dumps({"attempts": [failed]}),
    }
    record(row(0xABCDEF, **error))
    out = commands.good("explain", f"{0xABCDEF:032x}").out
    for part in (
        "limits of all accounts are used up",
        "wait until then, or add an account",
        "usage_limit, speaks against a window of the account",
    ):
        assert part in out


def test_an_ambiguous_beginning_names_the_candidates(commands, record):
    record(row(1), row(2))
    done = commands("explain", "0" * 31)
    assert done.status == 1
    assert f"{2:032x}" in done.err
    assert "There is no request 'ffffffff'" in commands("explain", "ffffffff").err


def test_the_log_is_exported_whole_as_csv_and_as_lines(commands, record, tmp_path):
    record(*(row(n, user_agent="=cmd()") for n in range(1, 1502)))
    found = list(
        csv.DictReader(io.StringIO(commands.good("export", "--format", "csv").out))
    )
    assert len(found) == 1501
    assert found[0]["request_id"] == f"{1501:032x}"
    assert found[0]["user_agent"] == "'=cmd()"  # no formula for a spreadsheet
    file = tmp_path / "log.jsonl"
    commands.good("export", "--output", file)
    lines = file.read_text().splitlines()
    assert len(lines) == 1501
    assert json.loads(lines[-1])["request_id"] == f"{1:032x}"
    again = commands("export", "--output", file)
    assert (again.status, "exists already" in again.err) == (1, True)


def test_a_backup_is_a_database_with_every_row_and_never_replaces_one(
    commands, record, tmp_path
):
    record(*(row(n) for n in range(1, 100)))
    file = tmp_path / "copy.db"
    assert commands.good("backup", file, "--json").row["rows"]["request_log"] == 99
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    copy = sqlite3.connect(file)
    assert copy.execute("SELECT COUNT(*) FROM request_log").fetchone() == (99,)
    copy.close()
    again = commands("backup", file)
    assert (again.status, "exists already" in again.err) == (1, True)


BLOCK = {
    "kind": "block",
    "at": 1_700_000_000.0,
    "blocked_ms": 312,
    "cause": "busy",
    "where": "schemas/request.py:88 load",
    "stacks": [{"after_ms": 75, "frames": ["json/decoder.py:9 decode"]}],
}
SAMPLE = {
    "kind": "sample",
    "at": 1_700_000_001.0,
    "lag_ms": 261.8,
    "turns": 1,
    "streams": [{"id": "r1", "age": 9.0, "heard": 4.25}],
}


def test_the_recorder_shows_the_last_recording(commands):
    told = commands("recorder")
    assert told.status == 1
    assert "no recording" in told.err
    commands.data_dir.mkdir()
    write_recording(commands.data_dir, [b"{}"])
    lines = [json.dumps(line).encode() for line in (SAMPLE, BLOCK, SAMPLE)]
    path = write_recording(commands.data_dir, lines)
    assert commands.rows("recorder") == [SAMPLE, BLOCK, SAMPLE]
    text = commands.good("recorder").out
    assert str(path) in text
    assert "312 ms, busy in schemas/request.py:88 load" in text
    assert "json/decoder.py:9 decode" in text
    assert "4.2 s" in text
    path.write_bytes(path.read_bytes()[:-9])  # a watchdog killed it meanwhile
    assert commands.rows("recorder") == [SAMPLE, BLOCK]
    assert "312 ms" in commands.good("recorder").out
