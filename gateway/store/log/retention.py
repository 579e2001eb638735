"""What is too old goes, in slices so small that nobody waits for them."""

import peewee as pw

from gateway.store import models
from gateway.store.log.conversations import CONVERSATIONS_KEPT, ConversationRow
from gateway.store.log.log_rows import DAY_MS
from gateway.store.log.minutes import MINUTES_KEPT, remove_minutes
from gateway.store.log.refusals import REFUSALS_KEPT, RefusedRequest
from gateway.store.log.rule_counts import remove_rule_counts
from gateway.store.models import (
    AuditLog,
    BindingRow,
    LimitCounterRow,
    RequestLog,
)
from gateway.store.shared.grants import remove_grants

SLICE_ROWS = 500

BINDING_DAYS = 7
MAX_BINDINGS = 100_000  # of a key
COUNTER_DAYS = 31  # the longest window has 30
COUNTERS_KEPT = 8  # of each limit
GRANT_DAYS = 366  # of ended members; the longest window has a year
RULE_DAYS = 365
AUDIT_DAYS = 365  # whatever the log's: who changed a key is asked months later


def oldest_kept(now: int, log_days: int) -> int:
    """From when on the log is kept (both unix ms).

    PostgreSQL's goes a day at a time, when its partition has nothing younger.
    """
    oldest = now - log_days * DAY_MS
    return oldest if _is_sqlite() else oldest // DAY_MS * DAY_MS


def remove_slice(now: int, log_days: int) -> int:
    """Remove some old rows (now: unix ms), in the caller's transaction."""
    oldest = oldest_kept(now, log_days)
    key = pw.SQL("COALESCE(api_key_id, 0)")
    return (
        _remove_before(RequestLog.created_at, oldest)
        or _remove_before(ConversationRow.last_at, oldest)
        or _remove_surplus(ConversationRow.last_at, key, CONVERSATIONS_KEPT)
        or _remove_before(BindingRow.used_at, now - BINDING_DAYS * DAY_MS)
        or _remove_surplus(BindingRow.used_at, _key_of_binding(), MAX_BINDINGS)
        or _remove_counters(now - COUNTER_DAYS * DAY_MS)
        or remove_grants(now - GRANT_DAYS * DAY_MS)
        or _remove_before(AuditLog.at, now - AUDIT_DAYS * DAY_MS)
        or _remove_before(RefusedRequest.created_at, now - REFUSALS_KEPT)
        or remove_rule_counts(now - RULE_DAYS * DAY_MS)
        or remove_minutes(now - MINUTES_KEPT)
    )


def _is_sqlite() -> bool:
    return isinstance(models.database.obj, pw.SqliteDatabase)


def _key_of_binding() -> pw.SQL:
    """The API key's number: what a binding's key begins with."""
    if _is_sqlite():
        return pw.SQL("SUBSTR(key, 1, INSTR(key, ':'))")
    return pw.SQL("SPLIT_PART(key, ':', 1)")


def remove_log_of_key(api_key_id: int) -> int:
    """One slice of a key's rows; the sums over all its turns stay.

    Its conversations go along, of which there are no more than turns; they are not
    counted, being no rows of the log.
    """
    _remove_of_key(ConversationRow, api_key_id)
    return _remove_of_key(RequestLog, api_key_id) or _remove_of_key(
        RefusedRequest, api_key_id
    )


def _remove_of_key(
    table: type[RequestLog | RefusedRequest | ConversationRow], api_key_id: int
) -> int:
    some = table.select(table.id).where(table.api_key_id == api_key_id)
    return int(table.delete().where(table.id.in_(some.limit(SLICE_ROWS))).execute())


def _remove_before(date: pw.Field, cutoff: int) -> int:
    model = date.model
    key = model._meta.primary_key
    oldest = model.select(key).where(date < cutoff).order_by(date).limit(SLICE_ROWS)
    return int(model.delete().where(key.in_(oldest)).execute())


def _remove_surplus(date: pw.Field, owner: pw.SQL, most: int) -> int:
    """The oldest of an owner that has more than `most` rows."""
    model = date.model
    rows = pw.fn.COUNT(date)
    counted = model.select(owner, rows).group_by(owner).having(rows > most)
    crowded = counted.tuples().first()
    if crowded is None:
        return 0
    of, number = crowded
    key = model._meta.primary_key
    oldest = model.select(key).where(owner == of).order_by(date)
    some = oldest.limit(min(number - most, SLICE_ROWS))
    return int(model.delete().where(key.in_(some)).execute())


def _remove_counters(cutoff: int) -> int:
    """Without slices: a limit leaves one row per window it was used in.

    Its latest windows stay however old they look: the clock may be ahead.
    """
    table, newer = LimitCounterRow, LimitCounterRow.alias()
    later = newer.select(pw.fn.COUNT(newer.used)).where(
        (newer.limit_id == table.limit_id) & (newer.window_start > table.window_start)
    )
    old = (table.window_start < cutoff) & (later >= COUNTERS_KEPT)
    return int(table.delete().where(old).execute())
