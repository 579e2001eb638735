"""What is too old goes, in slices so small that nobody waits for them."""

import logging
import time

import peewee as pw

from gateway.store.database import describe, transaction
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
    now_ms,
)

logger = logging.getLogger("gateway.store")

SLICE_ROWS = 500
# Seconds between two slices, and until the next look when nothing was left.
SLICE_PAUSE = 0.1
IDLE_PAUSE = 300.0

BINDING_DAYS = 7
MAX_BINDINGS = 100_000
COUNTER_DAYS = 31  # the longest window has 30
COUNTERS_KEPT = 8  # of each limit
RULE_DAYS = 365
AUDIT_DAYS = 365  # whatever the log's: who changed a key is asked months later


class Retention:
    """Says when a slice is due, and removes one."""

    def __init__(self, log_days: int) -> None:
        self._log_days = log_days
        self._due_at = 0.0  # monotonic

    @property
    def pause(self) -> float:
        """Seconds until there is something to do."""
        return max(0.0, self._due_at - time.monotonic())

    def postpone(self, seconds: float = IDLE_PAUSE) -> None:
        self._due_at = time.monotonic() + seconds

    def remove_due(self, database: pw.Database) -> None:
        """Remove a slice when it is time; one that fails has to wait."""
        if self.pause:
            return
        try:
            with transaction(database):
                self.remove_slice(now_ms())
        except Exception as error:  # noqa: BLE001
            logger.warning("old rows could not be removed: %s", describe(error))
            self.postpone()

    def remove_slice(self, now: int) -> int:
        """Remove some old rows (now: unix ms), in the caller's transaction."""
        oldest = now - self._log_days * DAY_MS
        removed = (
            _remove_before(RequestLog.created_at, oldest)
            or _remove_before(ConversationRow.last_at, oldest)
            or _remove_surplus(ConversationRow.last_at, CONVERSATIONS_KEPT)
            or _remove_before(BindingRow.used_at, now - BINDING_DAYS * DAY_MS)
            or _remove_surplus(BindingRow.used_at, MAX_BINDINGS)
            or _remove_counters(now - COUNTER_DAYS * DAY_MS)
            or _remove_before(AuditLog.at, now - AUDIT_DAYS * DAY_MS)
            or _remove_before(RefusedRequest.created_at, now - REFUSALS_KEPT)
            or remove_rule_counts(now - RULE_DAYS * DAY_MS)
            or remove_minutes(now - MINUTES_KEPT)
        )
        self.postpone(SLICE_PAUSE if removed else IDLE_PAUSE)
        return removed


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


def _remove_surplus(date: pw.Field, most: int) -> int:
    """The oldest of more than `most` rows."""
    model = date.model
    surplus = model.select().count() - most
    if surplus <= 0:
        return 0
    key = model._meta.primary_key
    oldest = model.select(key).order_by(date).limit(min(surplus, SLICE_ROWS))
    return int(model.delete().where(key.in_(oldest)).execute())


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
