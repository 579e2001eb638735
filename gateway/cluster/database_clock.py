"""DatabaseClock: the time by which all members begin the windows of limits."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from gateway.store import models
from gateway.store.database import StoreUnavailable
from gateway.store.shared.tables import database_now_ms
from gateway.store.store import Store

MEASURE_SECONDS = 10.0
# Clocks so far apart are not kept by anybody.
LARGEST_OFFSET = 2.0


class DatabaseClock:
    """This machine's clock, and by how much the database's is ahead of it."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self.offset = 0.0  # seconds

    def time(self) -> float:
        """Unix seconds."""
        return self._clock() + self.offset

    @property
    def problem(self) -> str:
        """Words for clocks that are far apart, else none."""
        if abs(self.offset) <= LARGEST_OFFSET:
            return ""
        direction = "behind" if self.offset > 0 else "ahead of"
        return (
            f"this machine's clock is {abs(self.offset):.0f} s {direction} the "
            "database's, whose time counts for the windows of limits"
        )

    async def run(self) -> None:
        """Measure now and then; its owner cancels it."""
        while True:
            await asyncio.sleep(MEASURE_SECONDS)
            with suppress(StoreUnavailable):
                await self.measure()

    async def measure(self) -> None:
        """An offset that may still be right stays. Raises StoreUnavailable."""
        least, most = await self._store.read(self._ask)
        self.offset = min(max(self.offset, least), most)

    def _ask(self) -> tuple[float, float]:
        """Between which it lies: the answer was made after asking, before it came."""
        asked_at = self._clock()
        told = database_now_ms(models.database.obj) / 1000
        return told - self._clock(), told + 0.001 - asked_at
