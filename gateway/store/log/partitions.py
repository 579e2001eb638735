"""Partitions of PostgreSQL's request log, one a UTC day: made ahead, dropped when old.

None of it keeps others from reading or writing: a partition is made apart before it
is attached, and detached `CONCURRENTLY` before it is dropped.
"""

import re
import threading
import time
from collections.abc import Iterable
from typing import NamedTuple

import peewee as pw

from gateway.store.database import select, transaction
from gateway.store.log.log_rows import DAY_MS

DAYS_AHEAD = 2
# Detaching waits for whoever reads the partition; a dump reads all of them for hours.
PATIENCE = 30.0
# Two processes may make the same one: any number that nobody else locks here.
_LOCK = 2_455_2027
_NO_PARTITION = "23514"
_ATTACHED = (
    "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid), i.inhdetachpending "
    "FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid "
    "WHERE i.inhparent = 'request_log'::regclass ORDER BY i.inhdetachpending DESC"
)
# By a process that ended before it dropped them.
_DETACHED = (
    "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND NOT c.relispartition "
    "AND pg_table_is_visible(c.oid) AND c.relname ~ '^request_log_([0-9]{8}|first)$'"
)
_BOUNDS = re.compile(r"FROM \((?:MINVALUE|'(\d+)')\) TO \('(\d+)'\)")


class _Partition(NamedTuple):
    """Rows from one time to before another, unix ms."""

    name: str
    start: int
    end: int
    is_leaving: bool


def has_no_partition(error: BaseException) -> bool:
    """Whether a row was refused because its day has none."""
    told = getattr(error, "orig", None)
    return getattr(told, "sqlstate", None) == _NO_PARTITION


def make_partitions(database: pw.Database, times: Iterable[int]) -> None:
    """Have one for the day of each time (unix ms)."""
    with transaction(database):
        select(database, "SELECT pg_advisory_xact_lock(?)::text", (_LOCK,))
        there = _attached(database)
        for start in sorted({at // DAY_MS * DAY_MS for at in times}):
            if not any(one.start <= start < one.end for one in there):
                _make(database, start)


def make_next_partitions(database: pw.Database, now: int) -> None:
    """Those of today and the days to come; `now` in unix ms."""
    make_partitions(database, [now + day * DAY_MS for day in range(DAYS_AHEAD + 1)])


def drop_partitions(
    database: pw.Database, oldest: int, patience: float = PATIENCE
) -> None:
    """Drop those that have no row from `oldest` (unix ms) on; not in a transaction.

    One that somebody reads for longer than `patience` (seconds) goes another time: the
    statement is cancelled, and raises pw.OperationalError.
    """
    for one in _attached(database):  # one that is leaving is the first: it has to go
        if one.end <= oldest:
            how = "FINALIZE" if one.is_leaving else "CONCURRENTLY"
            statement = f"ALTER TABLE request_log DETACH PARTITION {one.name} {how}"
            _run(database, statement, patience)
    last = _name(oldest - 1)
    for (name,) in select(database, _DETACHED):
        if name.endswith("first") or name <= last:
            _run(database, f"DROP TABLE {name}", patience)


def _attached(database: pw.Database) -> list[_Partition]:
    found = []
    for name, bounds, is_leaving in select(database, _ATTACHED):
        told = _BOUNDS.search(bounds)
        assert told is not None, bounds
        found.append(_Partition(name, int(told[1] or 0), int(told[2]), is_leaving))
    return found


def _make(database: pw.Database, start: int) -> None:
    name = _name(start)
    for statement in (
        f"DROP TABLE IF EXISTS {name}",  # it was detached
        f"CREATE TABLE {name} (LIKE request_log INCLUDING ALL)",
        f"ALTER TABLE request_log ATTACH PARTITION {name} "
        f"FOR VALUES FROM ({start}) TO ({start + DAY_MS})",
    ):
        database.execute_sql(statement)  # type: ignore[no-untyped-call]


def _name(at: int) -> str:
    return time.strftime("request_log_%Y%m%d", time.gmtime(at // 1000))


def _run(database: pw.Database, statement: str, patience: float) -> None:
    """Cancelled from outside when it takes long: a pooler keeps no session's limit."""
    connection = database.connection()  # type: ignore[no-untyped-call]
    cancel = threading.Timer(patience, connection.cancel_safe)
    cancel.start()
    try:
        database.execute_sql(statement)  # type: ignore[no-untyped-call]
    finally:
        cancel.cancel()
