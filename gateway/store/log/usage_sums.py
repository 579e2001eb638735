"""Sums of requests, tokens and cost over the roll-ups, by one grouping or several."""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any, Literal, NamedTuple, get_args

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
    # Whole days of UTC have sums of their own, where they are not to be taken apart.
    first_day = -(-first // DAY_MS) * DAY_MS
    days_from = _NEVER if "hour" in by else first_day
    parts = [
        _Part("usage_day", UTC, ["start >= ?"], [days_from]),
        _Part("usage_hour", zone, ["start >= ?", "start < ?"], [first, days_from]),
    ]
    if {"day", "week"} & {*by} and "hour" not in by:
        parts += _moved_hours(zone, first_day, last)
    selects, all_values = [], []
    for part in parts:
        groups = ", ".join(_group(one, part.zone, first, last) for one in by)
        sums = ", ".join(f"{part.sign}{name} AS {name}" for name in MEASURES)
        wanted = where([*part.conditions, *conditions])
        selects.append(f"SELECT {groups}, {sums} FROM {part.table} {wanted}")
        all_values += [*part.values, *values]
    sums = ", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in MEASURES)
    names = ", ".join(f"part_{name}" for name in by)
    found = select_rows(
        f"SELECT {names}, {sums} FROM ({' UNION ALL '.join(selects)}) AS parts "
        f"GROUP BY {names} HAVING SUM(requests) <> 0",
        all_values,
    )
    report = [dict(zip((*by, *MEASURES), row, strict=True)) for row in found]
    return in_order(report, by)


class _Part(NamedTuple):
    """Some of the sums that a report is made of; hours and days are of this zone."""

    table: str
    zone: tzinfo
    conditions: list[str]
    values: list[Any]
    sign: str = ""


def _group(one: Grouping, zone: tzinfo, first: int, last: int) -> str:
    match one:
        case "hour" | "day" | "week":
            return f"{calendar.group_start(one, zone, first, last)} AS part_{one}"
        case _:
            return f"{_COLUMNS[one]} AS part_{one}"


def _moved_hours(zone: tzinfo, first: int, last: int) -> list[_Part]:
    """Hours that are of another day in the zone: taken from one, added to the other.

    They are few: to sum all hours in place of days would read 24 times as many rows.
    """
    hours = calendar.moved_hours(zone, first, last)
    if not hours:
        return []
    inside = [f"start IN ({', '.join(map(str, hours))})"]
    return [
        _Part("usage_hour", zone, inside, []),
        _Part("usage_hour", UTC, inside, [], "-"),
    ]


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
