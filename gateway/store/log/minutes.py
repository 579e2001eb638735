"""What passed lately, minute by minute: turns, failures by origin, tokens, money."""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import peewee as pw

from gateway.store.database import execute_many
from gateway.store.log.log_rows import COLUMNS, Cleaned, LogRow, insert
from gateway.store.log.queries import Record, select_rows
from gateway.store.models import BaseModel

MINUTE_MS = 60_000
MINUTES_KEPT = 48 * 60 * MINUTE_MS
UNKNOWN_ORIGIN = "unknown"


class UsageMinute(BaseModel):
    """Sums over the log rows of one minute that failed by one origin; "": none did."""

    start = pw.BigIntegerField()
    origin = pw.CharField(max_length=16)
    requests = pw.BigIntegerField()
    switches = pw.BigIntegerField()  # turns of a conversation at another account
    unpriced = pw.BigIntegerField()
    input_tokens = pw.BigIntegerField()
    cached_tokens = pw.BigIntegerField()
    cache_write_tokens = pw.BigIntegerField()
    output_tokens = pw.BigIntegerField()
    reasoning_tokens = pw.BigIntegerField()
    cost_microdollars = pw.BigIntegerField()

    class Meta:
        # Serves the upsert, the reads and retention (by the prefix `start`).
        primary_key = pw.CompositeKey("start", "origin")


MINUTE_SUMS = tuple(field.name for field in UsageMinute._meta.sorted_fields[2:])
_TABLE = UsageMinute._meta.table_name
_TOKENS = MINUTE_SUMS[3:8]
_ADD_TO_MINUTE = insert(_TABLE, ("start", "origin", *MINUTE_SUMS)) + (
    " ON CONFLICT (start, origin) DO UPDATE SET "
    + ", ".join(f"{name} = {_TABLE}.{name} + EXCLUDED.{name}" for name in MINUTE_SUMS)
)
_told = itemgetter(
    *map(COLUMNS.index, ("created_at", "status", "error_origin", *_TOKENS)),
    COLUMNS.index("cost_microdollars"),
)


def minute_of(created_at: int, status: str, origin: str | None) -> tuple[int, str]:
    """The start and the origin of the sums that have a row."""
    at = created_at // MINUTE_MS * MINUTE_MS
    return at, (origin or UNKNOWN_ORIGIN) if status == "error" else ""


def has_moved(row: LogRow) -> bool:
    """Whether it is a turn that another account answered than the one before."""
    return row.get("status") == "success" and bool(row.get("has_switched"))


def write_minutes(
    database: pw.Database, rows: Iterable[Cleaned], logged: Iterable[LogRow]
) -> None:
    """Add rows, and what they were cleaned of, inside the caller's transaction."""
    by_minute: dict[tuple[int, str], list[tuple[int, ...]]] = {}
    for row, told in zip(rows, logged, strict=True):
        at, status, origin, *tokens, cost = _told(row)
        is_unpriced = cost is None and tokens[0] + tokens[3] > 0
        sums = 1, has_moved(told), is_unpriced, *tokens, cost or 0
        by_minute.setdefault(minute_of(at, status, origin), []).append(sums)
    add_to_minutes(
        database,
        {
            minute: tuple(map(sum, zip(*sums, strict=True)))
            for minute, sums in by_minute.items()
        },
    )


def add_to_minutes(
    database: pw.Database, sums: Mapping[tuple[int, str], Sequence[int]]
) -> None:
    """`sums` in the order of MINUTE_SUMS."""
    rows = [(*minute, *added) for minute, added in sorted(sums.items())]
    if rows:
        execute_many(database, _ADD_TO_MINUTE, rows)


def minutes_since(since: int, until: int) -> list[Record]:
    """Each minute's sums by origin, the oldest first, from one to before another."""
    names = ("start", "origin", *MINUTE_SUMS)
    found = select_rows(
        f"SELECT {', '.join(names)} FROM {_TABLE} "
        "WHERE start >= ? AND start < ? ORDER BY start, origin",
        (since, until),
    )
    return [dict(zip(names, row, strict=True)) for row in found]


def sum_minutes(since: int, until: int) -> Record:
    """The sums of all minutes in between; nothing that failed was a `success`."""
    sums = ", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in MINUTE_SUMS)
    well = "CAST(SUM(CASE WHEN origin = '' THEN requests ELSE 0 END) AS BIGINT)"
    [found] = select_rows(
        f"SELECT {sums}, {well} FROM {_TABLE} WHERE start >= ? AND start < ?",
        (since, until),
    )
    values: list[Any] = [value or 0 for value in found]
    return dict(zip((*MINUTE_SUMS, "well"), values, strict=True))


def remove_minutes(cutoff: int) -> int:
    """Without slices: a minute leaves a few rows at most."""
    old = UsageMinute.start < cutoff
    return int(UsageMinute.delete().where(old).execute())
