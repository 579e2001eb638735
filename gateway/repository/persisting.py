"""What changed in memory since the last time, handed to the writer; nothing waits."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from gateway.accounts.account import Account
from gateway.accounts.affinity import Bindings
from gateway.keys.counters import Ledger
from gateway.repository.account_state import to_keep
from gateway.store.store import Store
from gateway.store.writer import Writer


def hand_over_counts(store: Store, bindings: Bindings, ledger: Ledger) -> None:
    """What binds conversations, what is used of limits, and what was refused."""
    store.refusals.hand_over()
    for row in bindings.dirty():
        store.writer.bind(row.key, row.account_id, row.used_at)
    for limit_id, window_start, used in ledger.take_increments():
        store.writer.count(limit_id, window_start * 1000, used)


def hand_over_states(
    writer: Writer,
    changed: set[Account],
    surviving: Callable[[str], AbstractContextManager[None]],
) -> None:
    """Accounts' states; nothing is lost but the one that cannot be handed over."""
    now = time.time()
    while changed:
        account = changed.pop()
        with surviving("persist"):
            writer.save_state(account.id, to_keep(account, now))
