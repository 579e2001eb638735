"""Bindings that several processes make: stored before they are told, read before use.

Alone nothing of it happens: memory has them all, and the writer stores them by and by.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from gateway.accounts.affinity import StoredBinding
from gateway.accounts.eligibility import Demand
from gateway.accounts.lease import Lease
from gateway.accounts.pool import Pool
from gateway.protocol.facts import Keys, scoped
from gateway.store import models
from gateway.store.database import StoreUnavailable, select
from gateway.store.store import Store

# What this process wrote or read a second ago nobody has changed since, nearly always.
UNCHANGED_SECONDS = 1.0
# A turn waits so long for a database that does not answer.
LONGEST_DATABASE_WAIT = 2.0
# Another process's row of the log is there after a batch.
BATCH_SECONDS = 0.4


class SharedBindings:
    """Makes one member's bindings those of all."""

    def __init__(self, store: Store, pool: Pool, is_alone: Callable[[], bool]) -> None:
        self._store = store
        self._pool = pool
        self._bindings = pool.bindings
        self._is_alone = is_alone

    async def look(self, demand: Demand, connection: int) -> None:
        """Have what the others know of a request's conversation, before its lease.

        Not where the conversation's last turn came over the same client connection:
        then it was here. The database away: what is known here has to do.
        """
        if self._is_alone():
            return
        names, previous = self._unsure(demand, connection), self._unknown(demand)
        if names or previous:
            with suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(LONGEST_DATABASE_WAIT):
                    await self._read(demand, names, previous)
        self._note(demand.conversation_keys, connection)

    async def _read(
        self, demand: Demand, names: list[str], previous: str | None
    ) -> None:
        key_id = demand.key_id
        found = await self._store.read(_stored, names, key_id, previous)
        if previous and not any(":response:" in row.key for row in found):
            await asyncio.sleep(BATCH_SECONDS)
            found += await self._store.read(_stored, [], key_id, previous)
        now = self._pool.now()
        for row in found:
            self._bindings.take(row, now)
        conversation, _ = self._bindings.conversation(demand.conversation_keys, now)
        if conversation is not None:
            conversation.known_at = now

    def _unsure(self, demand: Demand, connection: int) -> list[str]:
        """The names under which another process may have bound the request."""
        keys, now = demand.conversation_keys, self._pool.now()
        turn_state = demand.affinity.turn_state
        if turn_state and not keys:
            return [scoped(demand.key_id, "turn", turn_state)]
        conversation, _ = self._bindings.conversation(keys, now)
        if conversation is not None and (
            conversation.connection == connection
            or now - conversation.known_at <= UNCHANGED_SECONDS
        ):
            return []
        return [name for _, name in keys]

    def _unknown(self, demand: Demand) -> str | None:
        """The previous response, where it was not this process's."""
        response_id = demand.affinity.previous_response_id
        if response_id is None or demand.websocket:
            return None  # a socket's turn builds on what its own upstream socket knows
        now, key_id = self._pool.now(), demand.key_id
        known = self._bindings.owner(key_id, "response", response_id, now)
        return response_id if known is None else None

    def _note(self, keys: Keys, connection: int) -> None:
        conversation, _ = self._bindings.conversation(keys, self._pool.now())
        if conversation is not None:
            conversation.connection = connection

    def is_moving(self, lease: Lease, *, made_items: bool) -> bool:
        """Whether others do not know yet where the lease's conversation is now.

        `made_items`: its account made encrypted items, with which it stays there.
        """
        conversation = lease.conversation
        if conversation is None or self._is_alone():
            return False
        stays = made_items and conversation.fallback == lease.account.id
        return stays or conversation.is_moving

    async def keep(self, lease: Lease, *, made_items: bool) -> None:
        """Return once the move is in the database, or that takes too long."""
        if made_items:
            self._pool.observer.settle(lease)
        if lease.conversation is not None:
            lease.conversation.is_moving = False
        while rows := self._bindings.dirty():
            for row in rows:
                self._store.writer.bind(*row)
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(LONGEST_DATABASE_WAIT):
                await self._store.flush()


def _stored(
    names: list[str], key_id: int | None, response_id: str | None
) -> list[StoredBinding]:
    database, found = models.database.obj, []
    if names:
        marks = ", ".join("?" * len(names))
        query = f"SELECT key, account_id, used_at FROM binding WHERE key IN ({marks})"
        found = select(database, query, names)
    if response_id is not None:
        found += [
            (scoped(key_id, "response", response_id), *row)
            for row in select(
                database,
                "SELECT account_id, created_at FROM request_log WHERE response_id = ? "
                "AND COALESCE(api_key_id, 0) = ? AND account_id IS NOT NULL LIMIT 1",
                (response_id, key_id or 0),
            )
        ]
    return [StoredBinding(*row) for row in found]
