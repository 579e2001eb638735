"""Rows of grants: what members have of what is scarce, and what they ask for.

All of it runs in the caller's transaction, on its thread's connection.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import peewee as pw
from peewee import (  # type: ignore[attr-defined]
    __exception_wrapper__ as driver_errors,
)

from gateway.store.database import execute_many, select
from gateway.store.models import database
from gateway.store.shared.tables import database_now_ms

# An ask is written anew ten times a second: one that is older is nobody's any more.
ASK_MS = 2_000
# So long a start counts against its key's rate, whatever became of the member.
RATE_MS = 60_000
_AT_ONCE = 200

_INSERT = (
    "INSERT INTO limit_grant "
    "(resource, window_start, member_id, granted, used, held, written_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (resource, window_start, member_id) DO UPDATE SET "
)
_WRITTEN = (
    "used = EXCLUDED.used, held = EXCLUDED.held, written_at = EXCLUDED.written_at"
)
_INSERT_ASK = (
    "INSERT INTO limit_ask "
    "(resource, window_start, member_id, amount, since, written_at) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
# What a member used is added to what ended ones did, and its rows go.
_FOLD = (
    "INSERT INTO limit_counter (limit_id, window_start, used) "
    "SELECT CAST(SUBSTR(resource, 7) AS INTEGER), window_start, used FROM limit_grant "
    "WHERE member_id = ? AND window_start > 0 AND held = 0 AND used > 0 "
    "ORDER BY resource, window_start "  # locks are taken in one order
    "ON CONFLICT (limit_id, window_start) DO UPDATE SET "
    "used = limit_counter.used + EXCLUDED.used"
)

GrantKey = tuple[str, int]  # resource, unix ms


class StoredGrant(NamedTuple):
    """One row, of whoever it is."""

    member: int
    granted: int
    used: int
    held: int
    written_at: int = 0  # the database's unix ms


class StoredAsk(NamedTuple):
    resource: GrantKey
    member: int
    amount: int
    since: int  # unix ms of the database


class Known(NamedTuple):
    """What the database has of some resources."""

    now: int  # its time, unix ms
    at: float  # the same moment, by time.monotonic()
    living: frozenset[int]
    grants: dict[GrantKey, list[StoredGrant]]
    past: dict[GrantKey, int]  # used by members whose rows are gone
    asks: list[StoredAsk]  # of living members, of all resources


def lock(member: int, resources: Iterable[GrantKey]) -> None:
    """Have nobody else decide of these meanwhile, nor end the member."""
    if isinstance(_database(), pw.SqliteDatabase):
        return  # one writes at a time
    _select("SELECT id FROM member WHERE id = ? FOR SHARE", (member,))
    for name, window in sorted(resources):
        of = "SELECT pg_advisory_xact_lock(hashtextextended(?, 0))"
        _select(of, (f"{name}/{window}",))


def read_grants(resources: Sequence[GrantKey]) -> Known:
    """Rows of these, and all that is asked for."""
    now, at = database_now_ms(_database()), time.monotonic()
    living = frozenset(
        id for (id,) in _select("SELECT id FROM member WHERE state <> 'ended'")
    )
    grants: defaultdict[GrantKey, list[StoredGrant]] = defaultdict(list)
    columns = "resource, window_start, member_id, granted, used, held, written_at"
    for name, start, member, *amounts, written_at in _select_of(
        f"SELECT {columns} FROM limit_grant", "resource", resources
    ):
        is_over = not start and member not in living and written_at <= now - RATE_MS
        if not is_over:
            row = (member, *amounts, written_at)
            grants[name, start].append(StoredGrant(*row))
    limits = [(limit_id_of(name), start) for name, start in resources if start]
    past = {
        (f"limit:{limit_id}", start): used
        for limit_id, start, used in _select_of(
            "SELECT limit_id, window_start, used FROM limit_counter",
            "limit_id",
            limits,
        )
    }
    asked = "SELECT resource, window_start, member_id, amount, since FROM limit_ask"
    asks = [
        StoredAsk((name, start), member, amount, since)
        for name, start, member, amount, since in _select(
            f"{asked} WHERE written_at > ?", (now - ASK_MS,)
        )
        if member in living
    ]
    return Known(now, at, living, grants, past, asks)


def write_grants(
    member: int,
    rows: Iterable[tuple[GrantKey, StoredGrant]],
    now: int,
    *,
    decided: bool = False,
) -> None:
    """Write what a member has used and holds; what it is granted only if `decided`."""
    change = f"granted = EXCLUDED.granted, {_WRITTEN}" if decided else _WRITTEN
    values = [
        (*resource, member, row.granted, row.used, row.held, now)
        for resource, row in rows
    ]
    execute_many(_database(), _INSERT + change, values)


def replace_asks(member: int, asks: Iterable[StoredAsk], now: int) -> None:
    """Have a member ask for these, and for nothing else."""
    _run("DELETE FROM limit_ask WHERE member_id = ?", (member,))
    values = [(*one.resource, member, one.amount, one.since, now) for one in asks]
    if values:
        execute_many(_database(), _INSERT_ASK, values)


def revoke(members: Iterable[int]) -> None:
    """Leave members that are dead what they have used and held as last written.

    Turns of theirs hold no places any more.
    """
    for member in members:
        cut = "UPDATE limit_grant SET granted = used + held WHERE member_id = ?"
        _run(cut, (member,))
        _remove_turns(member)


def let_go(member: int) -> None:
    """Have a member that is alone keep of limits what it used and holds, no more.

    What it has of levels it knows itself.
    """
    revoke((member,))
    levels = "DELETE FROM limit_grant WHERE member_id = ? AND window_start = 0"
    _run(levels, (member,))


def fold(member: int) -> None:
    """Add up what a member that ends has used, as far as nothing of it runs.

    Its starts of the last minute stay.
    """
    _run(_FOLD, (member,))
    _run(
        "DELETE FROM limit_grant WHERE member_id = ? AND window_start > 0 AND held = 0",
        (member,),
    )
    _remove_turns(member)


def remove_of_limit(limit_id: int) -> None:
    """Of a limit that is removed."""
    _run("DELETE FROM limit_grant WHERE resource = ?", (f"limit:{limit_id}",))


def remove_grants(cutoff: int) -> int:
    """Rows of ended members that are older (unix ms), and so are their windows."""
    ended = "member_id NOT IN (SELECT id FROM member WHERE state <> 'ended')"
    return _run(f"DELETE FROM limit_grant WHERE written_at < ? AND {ended}", (cutoff,))


def stored_usage(but_of: int) -> Iterator[tuple[Any, ...]]:
    """(limit id, window start in unix ms, used, lost) of all limits and windows, and of
    all members but one, the oldest first.

    What ended members held last is lost: it may have been used.
    """
    yield from _select(
        # PostgreSQL's sums are of another type than what they are of.
        "SELECT limit_id, window_start, CAST(SUM(used) AS BIGINT), "
        "CAST(SUM(lost) AS BIGINT) FROM ("
        "SELECT limit_id, window_start, used, 0 AS lost FROM limit_counter UNION ALL "
        "SELECT CAST(SUBSTR(resource, 7) AS INTEGER), window_start, used, "
        "CASE WHEN state = 'ended' OR state IS NULL THEN held ELSE 0 END "
        "FROM limit_grant LEFT JOIN member ON member.id = member_id "
        "WHERE window_start > 0 AND member_id <> ?"
        ") AS every GROUP BY limit_id, window_start ORDER BY window_start",
        (but_of,),
    )


def used_in(limit_id: int, start: int) -> int:
    """What all have used of a limit in the window that began then (unix ms)."""
    resource = (f"limit:{limit_id}", start)
    ((past,),) = _select(
        "SELECT COALESCE(SUM(used), 0) FROM limit_counter "
        "WHERE limit_id = ? AND window_start = ?",
        (limit_id, start),
    )
    ((held,),) = _select(
        "SELECT COALESCE(SUM(used), 0) FROM limit_grant "
        "WHERE resource = ? AND window_start = ?",
        resource,
    )
    return int(past + held)


def stored_levels(but_of: int) -> dict[str, list[tuple[int, int, bool]]]:
    """Of each level (held, seconds since it was written, whether its member lives)."""
    now = database_now_ms(_database())
    found: defaultdict[str, list[tuple[int, int, bool]]] = defaultdict(list)
    for resource, held, written_at, state in _select(
        "SELECT resource, held, written_at, state FROM limit_grant "
        "LEFT JOIN member ON member.id = member_id "
        "WHERE window_start = 0 AND member_id <> ?",
        (but_of,),
    ):
        lives = state not in (None, "ended")
        if held and (lives or written_at > now - RATE_MS):
            found[resource].append((held, max(0, now - written_at) // 1000, lives))
    return found


def limit_id_of(resource: str) -> int:
    return int(resource.removeprefix("limit:"))


def _remove_turns(member: int) -> None:
    turns = "DELETE FROM limit_grant WHERE member_id = ? AND resource LIKE ?"
    _run(turns, (member, "turns%"))
    _run("DELETE FROM limit_ask WHERE member_id = ?", (member,))


def _select_of(
    query: str, column: str, pairs: Sequence[tuple[object, int]]
) -> Iterator[tuple[Any, ...]]:
    """Rows of these (column, window) pairs, some at a time."""
    left = iter(pairs)
    while some := list(islice(left, _AT_ONCE)):
        each = " OR ".join([f"({column} = ? AND window_start = ?)"] * len(some))
        values = [value for pair in some for value in pair]
        yield from _select(f"{query} WHERE {each}", values)


def _select(query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    return select(_database(), query, values)


def _run(statement: str, values: tuple[object, ...]) -> int:
    with driver_errors:
        cursor = _database().cursor()  # type: ignore[no-untyped-call]
        cursor.execute(statement.replace("?", _database().param), values)
        return int(cursor.rowcount)


def _database() -> pw.Database:
    opened: pw.Database = database.obj
    return opened
