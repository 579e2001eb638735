"""Following the log: each row once, as soon as it is committed.

With several writers ids do not come in the order of the commits: a row may appear
below one that was seen. So what lies above the last id that no running transaction
can go below is read again, less what was seen.
"""

from collections import deque

import peewee as pw

from gateway.store import models
from gateway.store.log.queries import (
    LogFilter,
    Record,
    fetch_rows,
    select_rows,
    where,
)

# Ids that transactions which run at the start may have taken: a batch a process.
FIRST_OVERLAP = 10_000
# A transaction that runs for as many rows is waited for no longer.
MOST_SEEN = 20_000
_LAST_ID = "COALESCE(MAX(id), 0) FROM request_log"
_SNAPSHOT = (
    "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
    f"pg_snapshot_xmax(pg_current_snapshot())::text::bigint, {_LAST_ID}"
)


class LogFollower:
    """Reads what is written from now on; `last_id` is that of the newest row before."""

    def __init__(self, wanted: LogFilter) -> None:
        self._conditions, self._values = wanted.terms()
        self._seen: set[int] = set()
        # After a snapshot: the first transaction that it knows nothing of, the last id.
        self._marks: deque[tuple[int, int]] = deque()
        *_, self.last_id = self._look()
        self._floor = self.last_id
        if not self._is_sqlite:
            self._floor -= FIRST_OVERLAP
            before = "SELECT id FROM request_log WHERE id > ? AND id <= ?"
            there = select_rows(before, (self._floor, self.last_id))
            self._seen = {id for (id,) in there}

    def read(self, limit: int = 500) -> list[Record]:
        """The next rows, in the order of their ids where they came at once."""
        oldest_running, next_transaction, last = self._look()
        conditions = [*self._conditions, "id > ?", "id <= ?"]
        values = [*self._values, self._floor, last]
        if self._seen:
            conditions.append("id <> ALL(?)")
            values.append(sorted(self._seen))
        rest = f"{where(conditions)} ORDER BY id LIMIT ?"
        rows = fetch_rows(rest, (*values, limit))
        if self._is_sqlite:
            self._floor = rows[-1]["id"] if rows else last
            return rows
        self._seen.update(row["id"] for row in rows)
        if len(rows) < limit:
            self._raise_floor(oldest_running, (next_transaction, last))
        return rows

    def _raise_floor(self, oldest_running: int, mark: tuple[int, int]) -> None:
        self._marks.append(mark)
        # The latest two stay: an id may be taken before its transaction has a number.
        while len(self._marks) > 2 and (
            self._marks[0][0] <= oldest_running or len(self._seen) > MOST_SEEN
        ):
            _, self._floor = self._marks.popleft()
            self._seen = {id for id in self._seen if id > self._floor}

    @property
    def _is_sqlite(self) -> bool:
        return isinstance(models.database.obj, pw.SqliteDatabase)

    def _look(self) -> tuple[int, int, int]:
        """The oldest transaction that runs, the next one to begin, the last id."""
        if self._is_sqlite:  # whose writers wait for each other
            return 0, 0, select_rows(f"SELECT {_LAST_ID}")[0][0]
        [(oldest, following, last)] = select_rows(_SNAPSHOT)
        return oldest, following, last
