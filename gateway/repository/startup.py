"""What an earlier process left in the database, read once at the start."""

from gateway.accounts.affinity import MAX_CONVERSATIONS, MAX_OWNERS, StoredBinding
from gateway.store import models


def stored_bindings() -> list[StoredBinding]:
    """The latest bindings, oldest first, as many as memory takes."""
    table = models.BindingRow
    rows = (
        table.select()
        .order_by(table.used_at.desc())
        .limit(MAX_OWNERS + MAX_CONVERSATIONS)
    )
    kept = [StoredBinding(row.key, row.account_id, row.used_at) for row in rows]
    return kept[::-1]


def stored_counters() -> list[tuple[int, int, int]]:
    """(limit id, window start in seconds, used) of each limit's latest window."""
    table = models.LimitCounterRow
    latest = {
        row.limit_id: (row.limit_id, row.window_start // 1000, row.used)
        for row in table.select().order_by(table.window_start)
    }
    return list(latest.values())
