"""One batch, written in the caller's transaction."""

import peewee as pw

from gateway.store.database import execute_many
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
# Added, never replaced: another process may count in the same window.
ADD_TO_COUNTER = (
    "INSERT INTO limit_counter (limit_id, window_start, used) VALUES (?, ?, ?) "
    "ON CONFLICT (limit_id, window_start) DO UPDATE SET "
    "used = limit_counter.used + EXCLUDED.used"
)
UPDATE_STATE = (
    "UPDATE account SET state_kind = ?, state_until = ?, state_reason = ?, "
    "state_detail = ? WHERE id = ?"
)


def write_batch(database: pw.Database, batch: Batch) -> None:
    """Rows and their sums go together: one is never there without the other."""
    logged = [row for _, row in batch.rows]
    rows, sums = clean(logged), Sums()
    sums.add(rows, map(has_known_model, logged))
    sums.merge(batch.spilled)
    write_log(database, rows)
    write_rule_counts(database, logged)
    write_minutes(database, rows, logged)
    write_conversations(database, rows, logged)
    if sums:
        sums.write(database)
    _write_latest(database, batch)


def _write_latest(database: pw.Database, batch: Batch) -> None:
    bound = [(key, *value) for key, value in batch.bindings.items()]
    counters = [(*window, spent) for window, spent in batch.counters.items()]
    states = [(*state, account) for account, state in batch.states.items()]
    for statement, rows in (
        (UPSERT_BINDING, bound),
        (ADD_TO_COUNTER, counters),
        (UPDATE_STATE, states),
    ):
        if rows:
            execute_many(database, statement, rows)
    if batch.refusals:
        write_refusals(database, batch.refusals)
