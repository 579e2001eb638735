"""Lookups: what another process of the database began is read once, within bounds."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from gateway.admission.failed_keys import FailedKeys
from gateway.store.database import StoreUnavailable
from gateway.store.store import Store

T = TypeVar("T")

# For an address: made-up ones are cheap to send, and each costs a read.
LOOKUPS_PER_MINUTE = 30
TOKEN_LOOKUP_SECONDS = 2.0
_MOST_LOOKUPS = 8  # at once


class Lookups:
    """Reads, off the loop, what memory does not have of a token or a session."""

    def __init__(self, store: Store, seconds: float = TOKEN_LOOKUP_SECONDS) -> None:
        self._store = store
        self._seconds = seconds
        self._counts = FailedKeys(LOOKUPS_PER_MINUTE)
        self._looking = 0

    async def find(self, network: str, read: Callable[..., T], *args: Any) -> T | None:
        """What is read; None, too, for one too many, or when it is not there in time.

        `network`: of the address that asks.
        """
        if self._looking >= _MOST_LOOKUPS or self._counts.count(network, time.time()):
            return None
        self._looking += 1
        try:
            async with asyncio.timeout(self._seconds):
                return await self._store.read(read, *args)
        except (StoreUnavailable, TimeoutError):
            return None
        finally:
            self._looking -= 1
