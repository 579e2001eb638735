"""Removes what is too old: one process for all that share the database."""

import asyncio
import logging
import time

import peewee as pw

from gateway.repository.claims import Claims
from gateway.store import models
from gateway.store.database import StoreUnavailable, cause_of
from gateway.store.log.partitions import drop_partitions, make_next_partitions
from gateway.store.log.retention import oldest_kept, remove_slice
from gateway.store.models import now_ms
from gateway.store.store import Store

logger = logging.getLogger("gateway.store")

# Seconds between two slices, and until the next look when nothing was left.
SLICE_PAUSE = 0.1
IDLE_PAUSE = 300.0
# Held so long by who ended without giving it up; given up after half of it by who has
# more to do.
LONGEST_LOOK = 600.0
_CLAIM = "retention"


class Retention:
    """Makes the log's next partitions, too: both are one look a few minutes."""

    def __init__(self, store: Store, claims: Claims, log_days: int) -> None:
        self._store = store
        self._claims = claims
        self._log_days = log_days

    async def run(self) -> None:
        while True:
            pause = IDLE_PAUSE
            try:
                if await self._claims.take(_CLAIM, LONGEST_LOOK):
                    pause = await self._remove()
            except StoreUnavailable as error:
                told = cause_of(error)
                logger.warning("old rows could not be removed: %s", told)
            await asyncio.sleep(pause)

    async def _remove(self) -> float:
        """Seconds until the next look."""
        ends = time.monotonic() + LONGEST_LOOK / 2
        try:
            await self._store.read(_change_partitions, self._log_days)
            while await self._store.write(remove_slice, now_ms(), self._log_days):
                await asyncio.sleep(SLICE_PAUSE)
                if time.monotonic() > ends:
                    return SLICE_PAUSE
        finally:
            await self._claims.release(_CLAIM)
        return IDLE_PAUSE


def _change_partitions(log_days: int) -> None:
    database = models.database.obj
    if not isinstance(database, pw.SqliteDatabase):
        now = now_ms()
        make_next_partitions(database, now)
        drop_partitions(database, oldest_kept(now, log_days))
