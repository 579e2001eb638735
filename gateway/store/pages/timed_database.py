"""A second way into the database: it only reads, and its statements end at a deadline.

One thread at a time uses it; `deadline` (monotonic) is set anew for each page.
"""

import math
import time
from typing import Any

import peewee as pw

# Until the deadline is looked at again, while SQLite works: about a millisecond.
_STEPS = 20_000


def milliseconds_left(deadline: float) -> int:
    """At least one: where there are none left, a statement ends at once."""
    return max(1, math.ceil(1000 * (deadline - time.monotonic())))


class TimedSqlite(pw.SqliteDatabase):
    """Has a connection for each page: the file may be another one by the next."""

    deadline = 0.0

    def cursor(self, named_cursor: str | None = None) -> Any:
        """For one statement: what it waits for a lock is bounded, as what it runs."""
        cursor = super().cursor(named_cursor)  # type: ignore[no-untyped-call]
        if self.in_transaction():
            cursor.execute(f"PRAGMA busy_timeout = {milliseconds_left(self.deadline)}")
        return cursor

    def prepare(self) -> None:
        """Bound all that the open connection runs."""
        self.pragma("query_only", 1)
        self.connection().set_progress_handler(  # type: ignore[no-untyped-call]
            lambda: time.monotonic() >= self.deadline, _STEPS
        )

    def release(self) -> None:
        self.close()


class TimedPostgresql(pw.PostgresqlDatabase):
    """Keeps its connection, which is none of the pool's."""

    deadline = 0.0

    def cursor(self, named_cursor: str | None = None) -> Any:
        """For one statement, which the server ends."""
        cursor = super().cursor(named_cursor)  # type: ignore[no-untyped-call]
        if self.in_transaction():
            # Of the transaction: a pooler gives each another session.
            left = milliseconds_left(self.deadline)
            cursor.execute(f"SET LOCAL statement_timeout = {left}")
        return cursor

    def prepare(self) -> None:
        self.execute_sql("SET TRANSACTION READ ONLY")  # type: ignore[no-untyped-call]

    def release(self) -> None:
        """Nothing: opening one takes longer than most pages."""


TimedDatabase = TimedSqlite | TimedPostgresql


def timed_database(shared: pw.Database) -> TimedDatabase:
    """A way into the same database, not yet connected."""
    if isinstance(shared, pw.SqliteDatabase):
        return TimedSqlite(shared.database, timeout=0, thread_safe=False)
    settings = shared.connect_params | {"connect_timeout": 2}  # the least libpq takes
    return TimedPostgresql(
        shared.database, prefer_psycopg3=True, thread_safe=False, **settings
    )
