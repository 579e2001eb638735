"""Batches, each a transaction, and each written once."""

import peewee as pw

from gateway.store.database import execute_many, select, transaction
from gateway.store.log.conversations import write_conversations
from gateway.store.log.log_rows import Sums, clean, has_known_model, write_log
from gateway.store.log.minutes import write_minutes
from gateway.store.log.refusals import write_refusals
from gateway.store.log.rule_counts import write_rule_counts
from gateway.store.write_queue import Batch

UPSERT_BINDING = (
    "INSERT INTO binding (key, account_id, used_at) VALUES (?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET "
    "account_id = EXCLUDED.account_id, used_at = EXCLUDED.used_at"
)
UPDATE_STATE = (
    "UPDATE account SET state_kind = ?, state_until = ?, state_reason = ?, "
    "state_detail = ? WHERE id = ?"
)


# Who is stopped in the middle of one loses its locks: others write the same sums.
_SETTINGS = (
    "SELECT set_config('synchronous_commit', 'off', true), "
    "set_config('idle_in_transaction_session_timeout', '10s', true)"
)
ADVANCE = "UPDATE member SET batch = ? WHERE id = ?"


class Batches:
    """Writes a process's batches in order, each with its number in the member's row.

    A commit whose outcome was lost with the connection is found out by that: the same
    batch has the same number when it is tried again, and where the row has it the
    batch is there.
    """

    def __init__(self) -> None:
        self.member_id: int | None = None  # once the process is a member
        self._number = 1
        self._is_unclear = False

    def write(self, database: pw.Database, batch: Batch) -> None:
        """Raises what the database does; `batch` must be the next one again then."""
        # SQLite's commits are of this machine: none is unclear.
        is_shared = not isinstance(database, pw.SqliteDatabase)
        with transaction(database):
            if is_shared:
                # A crash of the server may take the last moment's, never half a batch.
                select(database, _SETTINGS)
            if not (is_shared and self._is_unclear and self._is_written(database)):
                self._is_unclear = True
                write_batch(database, batch)
                # At the end: the member's heartbeat waits for who has its row.
                if is_shared and self.member_id is not None:
                    values = [(self._number, self.member_id)]
                    execute_many(database, ADVANCE, values)
        self._number += 1
        self._is_unclear = False

    def _is_written(self, database: pw.Database) -> bool:
        query = "SELECT 1 FROM member WHERE id = ? AND batch >= ?"
        return bool(select(database, query, (self.member_id, self._number)))


def write_batch(database: pw.Database, batch: Batch) -> None:
    """Rows and their sums go together: one is never there without the other."""
    logged = [row for _, row in batch.rows]
    rows, sums = clean(logged), Sums()
    sums.add(rows, map(has_known_model, logged))
    sums.merge(batch.spilled)
    write_log(database, rows)
    write_conversations(database, rows, logged)
    _write_latest(database, batch)
    # Last what the batches of all processes add to: each waits for whoever holds it.
    if sums:
        sums.write(database)
    write_rule_counts(database, logged)
    write_minutes(database, rows, logged)


def _write_latest(database: pw.Database, batch: Batch) -> None:
    # Sorted, so that two writers lock rows in one order.
    bound = [(key, *value) for key, value in sorted(batch.bindings.items())]
    states = [(*state, account) for account, state in sorted(batch.states.items())]
    for statement, rows in (
        (UPSERT_BINDING, bound),
        (UPDATE_STATE, states),
    ):
        if rows:
            execute_many(database, statement, rows)
    if batch.refusals:
        write_refusals(database, batch.refusals)
