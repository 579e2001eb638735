"""Tables of the record: aligned, in one time zone, as wide as their terminal."""

import time
from datetime import UTC, datetime

import pytest

from gateway.cli.screen.columns import columns
from gateway.cli.screen.fitting import Lines
from gateway.store.log.log_rows import DAY_MS, HOUR_MS
from tests.gateway.cli.test_recorder import record, row

__all__ = ["record"]

# Shortly before midnight in UTC, on a Sunday.
SUNDAY = int(datetime(2026, 3, 1, 23, 30, tzinfo=UTC).timestamp() * 1000)
SHOWN = columns("time name model size", numbers="size", extra="model")
ROWS = [
    {"time": "2026-11-30", "name": "a" * 30, "model": "m" * 20, "size": "1,234,567"},
    {"time": "2026-11-30", "name": "b", "model": "m", "size": 7},
]


def told(room, sample=ROWS):
    lines = Lines(SHOWN, sample, room)
    return ["  ".join(lines.cells(row)) for row in (lines.titles, *ROWS)]


def test_a_table_is_whole_where_it_is_no_terminal_s():
    title, first, second = told(None)
    assert first == f"2026-11-30  {'a' * 30}  {'m' * 20}  1,234,567"
    assert second == f"2026-11-30  b{' ' * 29}  m{' ' * 19}          7"
    assert title.split() == ["TIME", "NAME", "MODEL", "SIZE"]
    assert {len(line) for line in (title, first, second)} == {len(first)}
    # A longer row that comes later pushes, and loses nothing.
    assert told(None, ROWS[1:])[1].split() == first.split()


@pytest.mark.parametrize("room", [40, 60, 110])
def test_a_table_fits_its_terminal_and_cuts_no_number(room):
    lines = told(room)
    assert all(len(line) <= room for line in lines)
    assert all("1,234,567" in line or "7" in line for line in lines[1:])
    assert ("MODEL" in lines[0]) == (room > 100)
    assert ("…" in lines[1]) == (room == 40)
    assert "2026-11-30" in lines[1]


def test_what_is_extra_goes_before_names_cannot_be_read():
    shown = columns("account first second", whole="first second", extra="first second")
    row = {"account": "grace@demo.example", "first": "f" * 40, "second": "s" * 40}
    lines = Lines(shown, [row], 100)
    assert lines.line(row).split() == ["grace@demo.example", "f" * 40]
    assert list(lines.titles) == ["account", "first"]


def test_the_log_has_a_header_and_columns(commands, record):
    record(row(1, model="gpt-5.5"), row(2, status="error", error_code="rate_limit"))
    zone, title, first, second = commands.good("logs").out.splitlines()
    assert zone.startswith("Times are in ")
    at = title.index("OUTCOME")
    assert (first[at:].split()[0], second[at:].split()[0]) == ("ok", "rate_limit")
    assert "0.9 s" in first


def test_many_rows_of_the_log_are_never_in_memory_at_once(commands, record):
    record(*(row(n) for n in range(1, 2504)))
    rows = commands.rows("logs", "--limit", "2502")
    numbers = [int(one["request_id"], 16) for one in rows]
    assert numbers == list(range(2, 2504))


def test_usage_is_summed_by_key_and_day_of_the_shell_s_zone(commands, record):
    commands.good("keys", "create", "--name", "bob")
    record(
        row(1, created_at=SUNDAY, api_key_id=1, input_tokens=1_000_000),
        row(2, created_at=SUNDAY - 2 * HOUR_MS, api_key_id=1),
        row(3, created_at=SUNDAY, cost_microdollars=None),
    )
    by = ("usage", "--by", "key", "--by", "day", "--since", "2026-02-01")
    monday, sunday = "2026-03-02", "2026-03-01"
    told = commands.good(*by, "--json", TZ="Europe/Berlin").rows
    days = [(one["key"], one["day"], one["requests"]) for one in told]
    assert days == [("bob", sunday, 1), ("bob", monday, 1), (None, monday, 1)]
    assert told[1]["input_tokens"] == 1_000_000
    out = commands.good(*by, TZ="Europe/Berlin").out
    assert "Times are in Europe/Berlin (now UTC+0" in out
    assert "1,000,000" in out
    assert "1 of 3 requests unpriced" in out
    assert out.splitlines()[-2].split()[:2] == ["all", "-"]
    in_utc = commands.good(*by, "--json", TZ="UTC").rows
    assert {one["day"] for one in in_utc} == {sunday}


def test_weeks_are_those_of_the_calendar(commands, record):
    record(row(1, created_at=SUNDAY), row(2, created_at=SUNDAY + HOUR_MS))
    by = ("usage", "--by", "week", "--since", "2026-02-01", "--json")
    weeks = [one["week"] for one in commands.good(*by, TZ="UTC").rows]
    assert weeks == ["2026-W09", "2026-W10"]
    (only,) = commands.good(*by, TZ="Asia/Tokyo").rows
    assert only["week"] == "2026-W10"
    hours = ("usage", "--by", "hour", "--since", "2026-02-01", "--json")
    first, _ = commands.good(*hours, TZ="Asia/Kathmandu").rows
    assert first["hour"] == "2026-03-02T04:45+05:45"


def test_this_week_begins_on_monday_in_the_shell_s_zone(commands, record):
    now = time.time()
    monday = datetime.fromtimestamp(now, UTC).date().weekday() * DAY_MS
    start = int(now * 1000) // DAY_MS * DAY_MS - monday
    record(row(1, created_at=start), row(2, created_at=start - 1))
    for command in (("logs",), ("usage",)):
        done = commands.good(*command, "--since", "this week", "--json", TZ="UTC")
        (found,) = done.rows
        assert found.get("requests", 1) == 1


@pytest.mark.parametrize("zone", ["CET-1CEST", "Nowhere/There", ":/etc/localtime"])
def test_a_zone_without_a_name_is_told_by_its_offset(commands, record, zone):
    record(row(1))
    assert commands.good("usage", TZ=zone).out.splitlines()[0].endswith(":00.")


def test_what_is_no_grouping_is_refused(commands):
    assert "Invalid value for '--by'" in commands("usage", "--by", "moon").err
    assert commands.rows("usage") == []
