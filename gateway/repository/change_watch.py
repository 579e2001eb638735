"""ChangeWatch: what others change in the database is taken over within seconds."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateway.repository.revision import RAISED, read_revision
from gateway.store.database import StoreUnavailable
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
        self._store = store
        self._load = load
        self._acknowledge = acknowledge
        self._pause = pause
        self.revision = self._told = -1  # that was loaded last, and acknowledged
        self._content = -1
        self._called = asyncio.Event()

    def hear(self, text: str) -> None:
        """Look at once when it was called out that there is something new."""
        if text == RAISED:
            self._called.set()

    async def load(self) -> None:
        """Load all of it. Raises StoreUnavailable."""
        # Read first: what is changed meanwhile is loaded again.
        found = await self._store.read(read_revision)
        await self._load()
        self.revision, self._content = found

    async def run(self) -> None:
        """Look now and then; its owner cancels it."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._called.wait()
            self._called.clear()
            with suppress(StoreUnavailable):  # as old as before, no older
                await self.look()

    async def look(self) -> None:
        """Take over what is new, and acknowledge it. Raises StoreUnavailable."""
        found = await self._store.read(read_revision)
        if found.content != self._content:
            await self.load()
        else:
            self.revision = found.number
        if self._told != self.revision:
            await self._acknowledge(self.revision)
            self._told = self.revision
