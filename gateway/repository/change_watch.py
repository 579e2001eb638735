"""ChangeWatch: what others change in the database is taken over within seconds."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import uuid4

from gateway.repository import options
from gateway.repository.revision import current_revision
from gateway.store.database import StoreUnavailable
from gateway.store.identity import SERVED_BY
from gateway.store.store import Store

# A device that was ended is refused by every member within a second.
LOOK_AGAIN_SECONDS = 0.75


class ChangeWatch:
    """Loads what the database has, knows up to which change, and acknowledges it.

    A command of another machine changes the database, and waits for that word.
    """

    def __init__(
        self,
        store: Store,
        load: Callable[[], Awaitable[None]],
        acknowledge: Callable[[int], Awaitable[None]],
        pause: float = LOOK_AGAIN_SECONDS,
    ) -> None:
        self.mark = uuid4().hex  # of this start, in the database that is served from
        self._store = store
        self._load = load
        self._acknowledge = acknowledge
        self._pause = pause
        self._loaded = self._told = -1

    async def begin(self) -> None:
        """Mark the database, load and acknowledge. Raises StoreUnavailable."""
        await self._store.write(options.write, SERVED_BY, self.mark)
        await self.look()

    async def load(self) -> None:
        """Load all of it. Raises StoreUnavailable."""
        # Read first: what is changed meanwhile is loaded again.
        revision = await self._store.read(current_revision)
        await self._load()
        self._loaded = revision

    async def run(self) -> None:
        """Look now and then; its owner cancels it."""
        while True:
            await asyncio.sleep(self._pause)
            with suppress(StoreUnavailable):  # as old as before, no older
                await self.look()

    async def look(self) -> None:
        if await self._store.read(current_revision) != self._loaded:
            await self.load()
        if self._told != self._loaded:
            await self._acknowledge(self._loaded)
            self._told = self._loaded
