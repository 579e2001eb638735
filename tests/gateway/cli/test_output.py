"""What clients and upstream chose steers no terminal, and no spreadsheet."""

import asyncio
import csv
import io
import json

import pytest

from gateway.store.models import RequestLog
from tests.gateway.store.store_rows import log_row, make_store

# Escape sequences in both forms, a bell, a delete, a reversal of the line's direction.
STEERING = "\x1b[2J\x9b31m\a\x7f\u202e\u2028"
FORMULAS = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1"),
    *(";=1", "a; @SUM(A1);", ";\t+1"),
]
TEXTS = [
    field.name
    for field in RequestLog._meta.sorted_fields
    if field.field_type in ("VARCHAR", "TEXT")
    and field.name not in ("request_id", "changes", "receipt")
]


@pytest.fixture
def write(commands):
    """Rows of the log, as an older release may have written them."""

    def write(*rows):
        async def main():
            commands.data_dir.mkdir(mode=0o700)
            store = make_store(commands.data_dir)
            await store.start()
            for row in rows:
                store.writer.log(row)
            await store.stop()

        asyncio.run(main())
        return commands

    return write


def hostile(**more):
    receipt = {
        "reason": STEERING,
        "passed_over": [[STEERING, STEERING]],
        "error": {"type": STEERING, "param": STEERING},
        "attempts": [
            {"account": STEERING, "then": STEERING, "phase": STEERING, "code": STEERING}
        ],
    }
    texts = dict.fromkeys(TEXTS, f"x{STEERING}")
    more |= {"receipt": json.dumps(receipt), "changes": json.dumps([STEERING])}
    return log_row(**texts | more)


@pytest.mark.parametrize(
    "command",
    [
        ("logs",),
        ("logs", "--json"),
        ("explain", "{id}"),
        ("explain", "{id}", "--json"),
        ("usage", "--by", "model"),
        ("usage", "--by", "model", "--json"),
        ("export",),
        ("export", "--format", "csv"),
    ],
    ids=" ".join,
)
def test_no_control_character_reaches_the_terminal(write, command):
    row = hostile()
    commands = write(row)
    done = commands.good(*(part.format(id=row["request_id"]) for part in command))
    assert done.out.strip()
    left = {c for c in done.out if not c.isprintable()}
    assert left <= {"\n", "\r"} if "csv" in command else left <= {"\n"}


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_spreadsheet_finds_no_formula(write, formula):
    row = hostile(**dict.fromkeys(TEXTS, formula))
    out = write(row).good("export", "--format", "csv").out
    (exported,) = csv.DictReader(io.StringIO(out))
    cells = [(name, part) for name in exported for part in exported[name].split(";")]
    for name, cell in cells:
        assert cell[:1] not in [*"=+-@\t\r\n", "\uff1d"], name
        assert cell.lstrip()[:1] not in [*"=+-@", "\uff1d"], name


def test_what_is_refused_is_told_in_printable_words(commands):
    done = commands("explain", f"no{STEERING}")
    assert done.status == 1
    assert {c for c in done.err if not c.isprintable()} == {"\n"}


def test_account_names_steer_no_terminal(commands, monkeypatch):
    monkeypatch.setenv("PAID_KEY", "sk-x")
    more = ("--api-key-env", "PAID_KEY", "--base-url", "http://127.0.0.1:1/v1")
    name = f"paid{STEERING}"
    for arguments in (
        ("add", "--name", name, *more),
        ("list",),
        ("list", "--json"),
        ("pause", name),
        ("pause", f"not {name}"),
    ):
        done = commands("accounts", *arguments)
        assert {c for c in done.out + done.err if not c.isprintable()} <= {"\n"}
