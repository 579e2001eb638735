"""Sums of requests, tokens and cost over the roll-ups, by one grouping or several."""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any, Literal, get_args

from gateway.store.log import calendar
from gateway.store.log.log_rows import DAY_MS, HOUR_MS, MEASURES
from gateway.store.log.queries import Record, equal_to, select_rows, where
from gateway.store.models import now_ms

Grouping = Literal["key", "account", "model", "hour", "day", "week"]

GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
UNITS: tuple[calendar.Unit, ...] = get_args(calendar.Unit)
_NEVER = 2**53
_COLUMNS = {"key": "api_key_id", "account": "account_id", "model": "model"}


def usage_report(
    by: Sequence[Grouping],
    *,
    since: int,
    api_key_id: int | None = None,
    account_id: int | None = None,
    model: str | None = None,
    zone: tzinfo = UTC,
) -> list[Record]:
    """Sums since the full hour of `since`, one dict a group.

    It holds what it is grouped by, a key's or an account's number (0: none), a model
    ("": none) or the beginning of an hour, or of a day or week as
    `calendar.group_start` has it, and the measures of the roll-ups.
    """
    conditions, values = equal_to(
        api_key_id=api_key_id, account_id=account_id, model=model
    )
    first, last = _span(since)
    by_time = [unit for unit in UNITS if unit in by]
    has_hours = "hour" in by or not calendar.is_utc(zone, first, last)
    # Whole days of UTC have sums of their own, where they are not to be taken apart.
    first_day = -(-first // DAY_MS) * DAY_MS
    days_from = _NEVER if by_time and has_hours else first_day
    groups = {
        one: calendar.group_start(one, zone, first, last)
        if one in UNITS
        else _COLUMNS[one]
        for one in by
    }
    parts = [f"{sql} AS part_{name}" for name, sql in groups.items()]
    columns = ", ".join([*parts, *MEASURES])
    sums = [f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in MEASURES]
    names = [f"part_{name}" for name in groups]
    found = select_rows(
        f"SELECT {', '.join([*names, *sums])} FROM ("
        f"SELECT {columns} FROM usage_day "
        f"{where(['start >= ?', *conditions])} UNION ALL "
        f"SELECT {columns} FROM usage_hour "
        f"{where(['start >= ?', 'start < ?', *conditions])}"
        f") AS parts GROUP BY {', '.join(names)}",
        (days_from, *values, first, days_from, *values),
    )
    report = [dict(zip((*groups, *MEASURES), row, strict=True)) for row in found]
    return in_order(report, by)


def in_order(report: list[Record], by: Sequence[Grouping]) -> list[Record]:
    """Times as they passed; else the group with the largest cost and tokens first."""
    totals: dict[tuple[Any, ...], list[int]] = {}
    for row in report:
        for depth in range(1, len(by) + 1):
            group = tuple(row[name] for name in by[:depth])
            sums = totals.setdefault(group, [0, 0, 0])
            tokens = row["input_tokens"] + row["output_tokens"]
            for at, size in enumerate((row["cost_microdollars"], tokens)):
                sums[at] -= size
            sums[2] -= row["requests"]

    def place(row: Record) -> list[Any]:
        group = [row[name] for name in by]
        return [
            value if name in UNITS else (totals[tuple(group[: depth + 1])], value)
            for depth, (name, value) in enumerate(zip(by, group, strict=True))
        ]

    return sorted(report, key=place)


def _span(since: int) -> tuple[int, int]:
    """The first full hour that is asked for and there is, and now."""
    now = now_ms()
    oldest = select_rows("SELECT MIN(start) FROM usage_hour")[0][0]
    first = max(since, now if oldest is None else oldest)
    return first // HOUR_MS * HOUR_MS, max(now, first)
