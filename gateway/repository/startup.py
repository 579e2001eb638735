"""What an earlier process left in the database, read once at the start."""

from collections import defaultdict, deque
from itertools import chain

from gateway.accounts.affinity import MAX_CONVERSATIONS, MAX_OWNERS, StoredBinding
from gateway.keys.counters import WINDOWS_KEPT
from gateway.protocol.numbers import LARGEST_SUM, count
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
    """(limit id, window start in seconds, used) of each limit's latest windows.

    Not of the last alone: it may be one of a clock that was ahead.
    """
    table = models.LimitCounterRow
    columns = table.limit_id, table.window_start, table.used
    latest: defaultdict[int, deque[tuple[int, int, int]]]
    latest = defaultdict(lambda: deque(maxlen=WINDOWS_KEPT))
    for limit_id, start, used in (
        table.select(*columns).order_by(table.window_start).tuples().iterator()
    ):
        latest[limit_id].append((limit_id, start // 1000, count(used, LARGEST_SUM)))
    return list(chain.from_iterable(latest.values()))
