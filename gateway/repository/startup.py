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


def stored_counters(now: float) -> list[tuple[int, int, int]]:
    """(limit id, window start in seconds, used) of each limit's windows next to now.

    Before and after it: a clock that was ahead, and is not any more, may have left any
    number of later ones.
    """
    table = models.LimitCounterRow
    columns = table.limit_id, table.window_start, table.used
    begun: defaultdict[int, deque[tuple[int, int, int]]]
    begun = defaultdict(lambda: deque(maxlen=WINDOWS_KEPT))
    to_come: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for limit_id, start, used in (
        table.select(*columns).order_by(table.window_start).tuples().iterator()
    ):
        row = limit_id, start // 1000, count(used, LARGEST_SUM)
        if start <= now * 1000:
            begun[limit_id].append(row)
        elif len(to_come[limit_id]) < WINDOWS_KEPT:
            to_come[limit_id].append(row)
    return list(chain.from_iterable((*begun.values(), *to_come.values())))
