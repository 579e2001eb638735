"""A model that no catalogue lists: all are asked for anew, at once, but rarely."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from gateway.accounts.account import Account
from gateway.accounts.bounded_cache import BoundedCache, hash_key
from gateway.accounts.eligibility import Demand
from gateway.accounts.pool import Pool
from gateway.polling import wait_for_all

# A request waits so long; most catalogues come in a tenth of it.
LONGEST_WAIT_FOR_MODEL = 2.0
LOOKUP_SECONDS = 60.0  # between two looks, whoever asks
# One sender's wrong names must not use up the looks of all.
MOST_LOOKS = 3
SENDER_SECONDS = 3_600.0
REFUSED_SECONDS = 600.0
MOST_REMEMBERED = 1_000  # senders, and names that were looked for in vain


class ModelLookups:
    """Refreshes the catalogues for a request whose model none of them has."""

    def __init__(
        self,
        pool: Pool,
        refresh: Callable[[Account], Awaitable[object]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._refresh = refresh
        self._clock = clock
        self._looking: asyncio.Task[None] | None = None
        self._next_at = 0.0
        self._looks = BoundedCache[tuple[float, ...]](MOST_REMEMBERED)  # by sender
        self._refused = BoundedCache[float](MOST_REMEMBERED)  # until, by name

    async def look_for(self, demand: Demand) -> None:
        """Return once the model is listed, or is not to be waited for any longer."""
        model = demand.model
        if model is None or not self._is_unlisted(model):
            return
        if demand.allows_model is not None and not demand.allows_model(model):
            return
        if self._clock() < (self._refused.get(hash_key(model)) or 0.0):
            return
        if self._looking is None and self._may_look(str(demand.sender)):
            self._looking = asyncio.create_task(self._look())
        looking = self._looking
        if looking is None:
            return
        await asyncio.wait({looking}, timeout=LONGEST_WAIT_FOR_MODEL)
        if looking.done() and self._is_unlisted(model):
            self._refused.put(hash_key(model), self._clock() + REFUSED_SECONDS)

    async def close(self) -> None:
        """End a look that is under way."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    def _is_unlisted(self, model: str) -> bool:
        """Whether every account has a catalogue, and none this model."""
        for account in self._pool.accounts.values():
            catalogue = account.catalogue
            if catalogue is None or model in catalogue.models:
                return False
        return bool(self._pool.accounts)

    def _may_look(self, sender: str) -> bool:
        """Whether a look is due; it is counted then."""
        now = self._clock()
        if now < self._next_at:
            return False
        before = self._looks.get(hash_key(sender)) or ()
        recent = tuple(at for at in before if at > now - SENDER_SECONDS)
        if len(recent) >= MOST_LOOKS:
            return False
        self._looks.put(hash_key(sender), (*recent, now))
        self._next_at = now + LOOKUP_SECONDS
        return True

    async def _look(self) -> None:
        accounts = list(self._pool.accounts.values())
        try:
            await wait_for_all(
                self._refresh(account)
                for account in accounts
                if account.health.is_in_service
            )
        finally:
            self._looking = None
