"""What changed in memory since the last time, handed to the writer; nothing waits."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from gateway.accounts.account import Account
from gateway.accounts.affinity import Bindings
from gateway.repository.account_state import to_keep
from gateway.store.store import Store

# So often: what a killed process may lose of bindings and accounts' states.
PERSIST_SECONDS = 0.5


class Persisting:
    """`changed` are the accounts whose states are to be kept."""

    def __init__(
        self,
        store: Store,
        bindings: Bindings,
        surviving: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self.changed: set[Account] = set()
        self._store = store
        self._bindings = bindings
        self._surviving = surviving

    async def run(self) -> None:
        """Hand over now and then; its owner cancels it."""
        while True:
            await asyncio.sleep(PERSIST_SECONDS)
            self.hand_over()

    def hand_over(self) -> None:
        """What binds conversations, what was refused, and states.

        Of accounts' states nothing is lost but the one that cannot be handed over.
        """
        writer = self._store.writer
        self._store.refusals.hand_over()
        for row in self._bindings.dirty():
            writer.bind(row.key, row.account_id, row.used_at)
        now = time.time()
        while self.changed:
            account = self.changed.pop()
            with self._surviving("persist"):
                writer.save_state(account.id, to_keep(account, now))
