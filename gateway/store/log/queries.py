"""Reads for people: pages of the request log.

Run them through `Store.read`. Times are unix milliseconds. Pages walk an index that
holds all columns of the filter, so that rows are fetched only for the page itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import peewee as pw

from gateway.store import database, models
from gateway.store.log.log_rows import COLUMNS, DAY_MS
from gateway.store.models import now_ms

Record = dict[str, Any]
LogStatus = Literal["success", "error", "interrupted"]

# Fewer characters of a request id are no use to anybody, and match too much.
SHORTEST_PREFIX = 4
# Which index is narrowest is judged by the traffic of so many days.
JUDGED_DAYS = 31

# Whatever else is asked for: few rows are of one of these.
_NARROW = {
    "response_id": "request_log_response_id",
    "request_id": "request_log_request_id",
    "conversation": "request_log_by_conversation",
    "origin": "request_log_by_origin",
}
_NEWEST_FIRST = "ORDER BY created_at DESC, id DESC"
_OLDEST_FIRST = "ORDER BY created_at, id"


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which log rows; None lets all pass."""

    api_key_id: int | None = None
    account_id: int | None = None
    model: str | None = None
    status: LogStatus | None = None
    since: int | None = None
    until: int | None = None  # before it
    origin: str | None = None  # of a failure
    conversation: str | None = None
    request_id: str | None = None  # its beginning
    response_id: str | None = None

    def terms(self) -> tuple[list[str], list[Any]]:
        """Conditions with `?` marks, and their values."""
        conditions, values = equal_to(
            api_key_id=self.api_key_id,
            account_id=self.account_id,
            model=self.model,
            status=self.status,
            error_origin=self.origin,
            conversation=self.conversation,
            response_id=self.response_id,
        )
        if self.origin or self.status not in (None, "success"):
            # Said literally, it opens the indexes of the failures.
            conditions.append("status <> 'success'")
        for term, value in (
            ("created_at >= ?", self.since),
            ("created_at < ?", self.until),
        ):
            if value is not None:
                conditions.append(term)
                values.append(value)
        if self.request_id is not None:
            conditions.append("request_id >= ? AND request_id < ?")
            values += _beginning(self.request_id)
        return conditions, values


def log_page(
    wanted: LogFilter,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Record]:
    """Rows newest first; `before` is the `id` of the last row of the page before.

    `after` is that of its first row: the page is the one that led there. Each is a
    dict of the columns of `request_log`, `changes` and `receipt` as JSON text.
    """
    place = before if after is None else after
    beyond: tuple[int, int] | None = None
    if place is not None:
        at = "SELECT created_at FROM request_log WHERE id = ?"
        found = select_rows(at, (place,))
        if not found and after is None:
            return []  # retention took it, and all that is older
        beyond = (found[0][0] if found else 0), place
        wanted, beyond = _one_bound(wanted, beyond, onward=after is not None)
    conditions, values = wanted.terms()
    if beyond is not None:
        compared = "<" if after is None else ">"
        conditions.append(f"(created_at, id) {compared} (?, ?)")
        values += beyond
    order = _NEWEST_FIRST if after is None else _OLDEST_FIRST
    chosen = select_rows(
        f"SELECT id FROM request_log {_index(wanted)} {where(conditions)} "
        f"{order} LIMIT ?",
        (*values, limit),
    )
    ids = [id for (id,) in chosen]
    return (
        fetch_rows(f"{where([_one_of('id', ids)])} {_NEWEST_FIRST}", ids) if ids else []
    )


def _one_bound(
    wanted: LogFilter, place: tuple[int, int], *, onward: bool
) -> tuple[LogFilter, tuple[int, int] | None]:
    """The filter and the place (unix ms, id), less what the other one implies.

    Of two bounds on one side databases walk an index from either.
    """
    if onward and wanted.since is not None:
        if wanted.since > place[0]:
            return wanted, None
        return replace(wanted, since=None), place
    if not onward and wanted.until is not None:
        if wanted.until <= place[0]:
            return wanted, None
        return replace(wanted, until=None), place
    return wanted, place


def newest_rows(
    wanted: LogFilter, limit: int, *, upto: int, page: int = 1000
) -> Iterator[Record]:
    """The newest rows with ids up to `upto`, the oldest of them first.

    Only a page of them is in memory, however many they are.
    """
    conditions, values = wanted.terms()
    conditions, values = [*conditions, "id <= ?"], [*values, upto]
    index = _index(wanted)
    oldest = select_rows(
        f"SELECT created_at, id FROM request_log {index} {where(conditions)} "
        f"{_NEWEST_FIRST} LIMIT 1 OFFSET ?",
        (*values, limit - 1),
    )
    place, compared = oldest[0] if oldest else (wanted.since or 0, 0), ">="
    conditions, values = replace(wanted, since=None).terms()
    conditions, values = [*conditions, "id <= ?"], [*values, upto]
    left = limit
    while left:
        size = min(page, left)
        onward = where([*conditions, f"(created_at, id) {compared} (?, ?)"])
        chosen = select_rows(
            f"SELECT id FROM request_log {index} {onward} {_OLDEST_FIRST} LIMIT ?",
            (*values, *place, size),
        )
        ids = [id for (id,) in chosen]
        if ids:
            rows = fetch_rows(f"{where([_one_of('id', ids)])} {_OLDEST_FIRST}", ids)
            yield from rows
            place, compared = (rows[-1]["created_at"], rows[-1]["id"]), ">"
        left = left - size if len(ids) == size else 0


def find_log(name: str, limit: int = 10) -> list[Record]:
    """The rows a request id, its beginning, or a response id names."""
    if len(name) < SHORTEST_PREFIX or "\0" in name:
        return []
    found = fetch_rows(
        "WHERE request_id >= ? AND request_id < ? ORDER BY request_id LIMIT ?",
        (*_beginning(name), limit),
    )
    exact = [row for row in found if row["request_id"] == name.lower()]
    by_response = "WHERE response_id = ? ORDER BY id DESC LIMIT ?"
    return exact or found or fetch_rows(by_response, (name, limit))


def _beginning(name: str) -> tuple[str, str]:
    """What ids that begin so are in between."""
    # Ids are hexadecimal: "z" sorts behind all of them under any collation.
    return name.lower(), name.lower() + "z"


def rule_report(since: int) -> list[Record]:
    """How often each rule was met since the day of `since`, the latest day first."""
    names = ("start", "kind", "rule", "requests")
    found = select_rows(
        f"SELECT {', '.join(names)} FROM rule_day WHERE start >= ? "
        "ORDER BY start DESC, kind, requests DESC, rule",
        (since // DAY_MS * DAY_MS,),
    )
    return [dict(zip(names, row, strict=True)) for row in found]


def _index(wanted: LogFilter) -> str:
    """The index to walk, where the database has to be told.

    SQLite knows how many rows a value has on average, not how many this one has:
    a key that all requests carry looks as narrow to it as any other.
    """
    if not isinstance(models.database.obj, pw.SqliteDatabase):
        return ""
    for column, index in _NARROW.items():
        if getattr(wanted, column) is not None:
            return f"INDEXED BY {index}"
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
        [found] = select_rows(
            f"SELECT {sums} FROM usage_day WHERE start >= ?", (*values, start)
        )
        name = min(zip(found, sizes, strict=True))[1]
    return f"INDEXED BY request_log_by_{name}"


def select_rows(query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    return database.select(models.database.obj, query, values)


def fetch_rows(rest: str, values: Sequence[Any]) -> list[Record]:
    """All columns of the log's rows that the rest of a query names."""
    names = ("id", *COLUMNS)
    found = select_rows(f"SELECT {', '.join(names)} FROM request_log {rest}", values)
    return [dict(zip(names, row, strict=True)) for row in found]


def equal_to(**wanted: int | str | None) -> tuple[list[str], list[Any]]:
    """A condition, and its value, for each column of which a value is wanted."""
    given = {name: value for name, value in wanted.items() if value is not None}
    return [f"{name} = ?" for name in given], list(given.values())


def where(conditions: Iterable[str]) -> str:
    joined = " AND ".join(conditions)
    return f"WHERE {joined}" if joined else ""


def _one_of(column: str, values: Sequence[Any]) -> str:
    return f"{column} IN ({', '.join('?' * len(values))})"
