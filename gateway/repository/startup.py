"""What an earlier process left in the database, read once at the start."""

from collections import defaultdict, deque
from itertools import chain

from gateway.accounts.affinity import (
    MAX_AGE,
    MAX_CONVERSATIONS,
    MAX_OWNERS,
    StoredBinding,
)
from gateway.keys.counters import WINDOWS_KEPT
from gateway.protocol.facts import scoped
from gateway.protocol.numbers import LARGEST_SUM, count
from gateway.store import models
from gateway.store.database import select
from gateway.store.shared.grants import stored_usage

_BINDINGS = "SELECT key, account_id, used_at FROM binding ORDER BY used_at DESC LIMIT ?"
_RESPONSES = (
    "SELECT api_key_id, response_id, account_id, created_at FROM request_log "
    "WHERE response_id IS NOT NULL AND account_id IS NOT NULL AND created_at > ? "
    "ORDER BY created_at DESC LIMIT ?"
)


def stored_bindings() -> list[StoredBinding]:
    """The latest bindings, oldest first, as many as memory takes.

    A response's owner is its row of the log.
    """
    database, since = models.database.obj, models.now_ms() - int(MAX_AGE) * 1000
    bound = select(database, _BINDINGS, (MAX_CONVERSATIONS,))
    answered = select(database, _RESPONSES, (since, MAX_OWNERS))
    rows = [StoredBinding(*row) for row in bound]
    rows += [
        StoredBinding(scoped(key_id, "response", response_id), account_id, at)
        for key_id, response_id, account_id, at in answered
    ]
    return rows[::-1]


def stored_counters(now: float, member: int = 0) -> list[tuple[int, int, int, int]]:
    """(limit id, window start in seconds, used, lost) of each limit's windows next to
    now, without what the member itself has used.

    Before and after it: a clock that was ahead, and is not any more, may have left any
    number of later ones.
    """
    begun: defaultdict[int, deque[tuple[int, int, int, int]]]
    begun = defaultdict(lambda: deque(maxlen=WINDOWS_KEPT))
    to_come: defaultdict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
    for limit_id, start, used, lost in stored_usage(member):
        amounts = count(used, LARGEST_SUM), count(lost, LARGEST_SUM)
        row = limit_id, start // 1000, *amounts
        if start <= now * 1000:
            begun[limit_id].append(row)
        elif len(to_come[limit_id]) < WINDOWS_KEPT:
            to_come[limit_id].append(row)
    return list(chain.from_iterable((*begun.values(), *to_come.values())))
