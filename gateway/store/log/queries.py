"""Reads for people: pages of the request log and usage reports.

Run them through `Store.read`. Times are unix milliseconds. Log pages walk an index
that holds all columns of the filter, so that rows are fetched only for the page
itself; reports read roll-ups only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import peewee as pw

from gateway.store import database, models
from gateway.store.log.log_rows import COLUMNS, DAY_MS, HOUR_MS, MEASURES
from gateway.store.models import now_ms

Record = dict[str, Any]
LogStatus = Literal["success", "error", "interrupted"]
Grouping = Literal["key", "account", "model", "day"]

# Fewer characters of a request id are no use to anybody, and match too much.
SHORTEST_PREFIX = 4
# Which index is narrowest is judged by the traffic of so many days.
JUDGED_DAYS = 31

_NEWEST_FIRST = "ORDER BY created_at DESC, id DESC"
_GROUPS = {
    "key": "api_key_id",
    "account": "account_id",
    "model": "model",
    "day": f"start / {DAY_MS} * {DAY_MS}",
}


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which log rows; None lets all pass."""

    api_key_id: int | None = None
    account_id: int | None = None
    model: str | None = None
    status: LogStatus | None = None
    since: int | None = None

    def terms(self) -> tuple[list[str], list[Any]]:
        """Conditions with `?` marks, and their values."""
        conditions, values = _equal(
            api_key_id=self.api_key_id,
            account_id=self.account_id,
            model=self.model,
            status=self.status,
        )
        if self.status is not None and self.status != "success":
            # Said literally, it opens the index of the failures.
            conditions.append("status <> 'success'")
        if self.since is not None:
            conditions.append("created_at >= ?")
            values.append(self.since)
        return conditions, values


def log_page(
    wanted: LogFilter, *, before: int | None = None, limit: int = 50
) -> list[Record]:
    """Rows newest first; `before` is the `id` of the last row of the page before.

    Each is a dict of the columns of `request_log`, `changes` and `receipt` as JSON
    text.
    """
    conditions, values = wanted.terms()
    if before is not None:
        found = _select("SELECT created_at FROM request_log WHERE id = ?", (before,))
        if not found:
            return []  # retention took it, and all that is older
        conditions.append("(created_at, id) < (?, ?)")
        values += [found[0][0], before]
    chosen = _select(
        f"SELECT id FROM request_log {_index(wanted)} {_where(conditions)} "
        f"{_NEWEST_FIRST} LIMIT ?",
        (*values, limit),
    )
    ids = [id for (id,) in chosen]
    return _fetch(f"{_where([_one_of('id', ids)])} {_NEWEST_FIRST}", ids) if ids else []


def log_after(wanted: LogFilter, *, after: int, limit: int = 500) -> list[Record]:
    """Rows written since the row with the id `after`, in the order of writing."""
    conditions, values = wanted.terms()
    where = _where([*conditions, "id > ?"])
    return _fetch(f"{where} ORDER BY id LIMIT ?", (*values, after, limit))


def last_log_id() -> int:
    """Where a reader who follows the log begins; 0 when it is empty."""
    return int(_select("SELECT COALESCE(MAX(id), 0) FROM request_log")[0][0])


def find_log(name: str, limit: int = 10) -> list[Record]:
    """The rows a request id, its beginning, or a response id names."""
    if len(name) < SHORTEST_PREFIX or "\0" in name:
        return []
    # Ids are hexadecimal: "z" sorts behind all of them under any collation.
    prefix = name.lower()
    found = _fetch(
        "WHERE request_id >= ? AND request_id < ? ORDER BY request_id LIMIT ?",
        (prefix, prefix + "z", limit),
    )
    exact = [row for row in found if row["request_id"] == prefix]
    by_response = "WHERE response_id = ? ORDER BY id DESC LIMIT ?"
    return exact or found or _fetch(by_response, (name, limit))


def usage_report(
    by: Grouping,
    *,
    since: int,
    api_key_id: int | None = None,
    account_id: int | None = None,
    model: str | None = None,
) -> list[Record]:
    """Sums since the full hour of `since`, one dict a group.

    `group` is a key's or an account's number (0: none), a model ("": none), or the
    beginning of a UTC day; the rest are the measures of the roll-ups. Days come in
    their order, the others by cost and tokens, the largest first.
    """
    conditions, values = _equal(
        api_key_id=api_key_id, account_id=account_id, model=model
    )
    hour = since // HOUR_MS * HOUR_MS
    first_day = -(-hour // DAY_MS) * DAY_MS  # the first that is whole
    columns = f"{_GROUPS[by]} AS part, {', '.join(MEASURES)}"
    sums = ", ".join(f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in MEASURES)
    found = _select(
        f"SELECT part, {sums} FROM ("
        f"SELECT {columns} FROM usage_day "
        f"{_where(['start >= ?', *conditions])} UNION ALL "
        f"SELECT {columns} FROM usage_hour "
        f"{_where(['start >= ?', 'start < ?', *conditions])}"
        ") AS parts GROUP BY part",
        (first_day, *values, hour, first_day, *values),
    )
    report = [dict(zip(("group", *MEASURES), row, strict=True)) for row in found]
    return sorted(report, key=_by_day if by == "day" else _by_size)


def rule_report(since: int) -> list[Record]:
    """How often each rule was met since the day of `since`, the latest day first."""
    names = ("start", "kind", "rule", "requests")
    found = _select(
        f"SELECT {', '.join(names)} FROM rule_day WHERE start >= ? "
        "ORDER BY start DESC, kind, requests DESC, rule",
        (since // DAY_MS * DAY_MS,),
    )
    return [dict(zip(names, row, strict=True)) for row in found]


def _by_day(row: Record) -> Any:
    return row["group"]


def _by_size(row: Record) -> Any:
    tokens = row["input_tokens"] + row["output_tokens"]
    return -row["cost_microdollars"], -tokens, -row["requests"], row["group"]


def _index(wanted: LogFilter) -> str:
    """The index to walk, where the database has to be told.

    SQLite knows how many rows a value has on average, not how many this one has:
    a key that all requests carry looks as narrow to it as any other.
    """
    if not isinstance(models.database.obj, pw.SqliteDatabase):
        return ""
    sizes = {
        name: f"CASE WHEN {name} = ? THEN requests ELSE 0 END"
        for name in ("api_key_id", "account_id", "model")
        if getattr(wanted, name) is not None
    }
    values = [getattr(wanted, name) for name in sizes]
    if wanted.status in ("error", "interrupted"):
        sizes["failed"] = "errors + interrupted"
    name = next(iter(sizes), "created_at")
    if len(sizes) > 1:
        sums = ", ".join(f"COALESCE(SUM({size}), 0)" for size in sizes.values())
        start = now_ms() - JUDGED_DAYS * DAY_MS
        [found] = _select(
            f"SELECT {sums} FROM usage_day WHERE start >= ?", (*values, start)
        )
        name = min(zip(found, sizes, strict=True))[1]
    return f"INDEXED BY request_log_by_{name}"


def _select(query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    return database.select(models.database.obj, query, values)


def _fetch(rest: str, values: Sequence[Any]) -> list[Record]:
    names = ("id", *COLUMNS)
    found = _select(f"SELECT {', '.join(names)} FROM request_log {rest}", values)
    return [dict(zip(names, row, strict=True)) for row in found]


def _equal(**wanted: int | str | None) -> tuple[list[str], list[Any]]:
    """A condition, and its value, for each column of which a value is wanted."""
    given = {name: value for name, value in wanted.items() if value is not None}
    return [f"{name} = ?" for name in given], list(given.values())


def _where(conditions: Iterable[str]) -> str:
    joined = " AND ".join(conditions)
    return f"WHERE {joined}" if joined else ""


def _one_of(column: str, values: Sequence[Any]) -> str:
    return f"{column} IN ({', '.join('?' * len(values))})"
