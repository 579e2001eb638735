"""Arrivals: a key's rate and concurrency are asked before its body is read.

Asked, and not taken: that happens when the turn begins. Until then the request counts
as arriving, so that a key has no more bodies on their way than it may start turns.
"""

import asyncio
from collections import deque
from typing import NamedTuple

from gateway.errors import GatewayOverloaded
from gateway.keys.key import Key
from gateway.keys.limiter import Limiter
from gateway.keys.reservation import PATIENCE_WITH_OTHERS
from gateway.keys.shared.share import Want

# Requests of one key whose bodies wait unread; each holds a connection.
_MOST_UNREAD = 200


class _Unread(NamedTuple):
    key: Key
    admitted: asyncio.Future[None]
    began: float  # loop time


class Arrivals:
    """The requests of keys whose bodies are being read, and those that wait for it."""

    def __init__(
        self, limiter: Limiter, max_wait: float = PATIENCE_WITH_OTHERS.place
    ) -> None:
        self._limiter = limiter
        self._max_wait = max_wait
        self._arriving: dict[int, int] = {}
        self._unread: dict[int, deque[_Unread]] = {}
        limiter.place_freed.subscribe(self._admit_unread)

    @property
    def waiting(self) -> int:
        """Requests whose bodies wait for a turn of their key to end."""
        return sum(map(len, self._unread.values()))

    async def enter(self, key: Key) -> None:
        """Return when the body may be read; `leave` ends the arrival.

        Raises KeyLimitReached when the rate is used up, and GatewayOverloaded when
        the key's running turns do not end in time.
        """
        arriving = self._arriving.get(key.id, 0)
        await self._limiter.check_rate(key, arriving)
        arriving = self._arriving.get(key.id, 0)
        if key.id not in self._unread and self._limiter.has_place(key, arriving):
            self._arriving[key.id] = arriving + 1
        else:
            await self._wait(key)

    def leave(self, key: Key) -> None:
        """The body is here, or does not come any more."""
        arriving = self._arriving.pop(key.id, 0) - 1
        if arriving > 0:
            self._arriving[key.id] = arriving
        self._admit_unread(key.id)

    async def _wait(self, key: Key) -> None:
        queue = self._unread.setdefault(key.id, deque())
        if len(queue) >= _MOST_UNREAD:
            raise GatewayOverloaded("Too many turns of this API key are waiting")
        loop = asyncio.get_running_loop()
        admitted: asyncio.Future[None] = loop.create_future()
        waiting = _Unread(key, admitted, loop.time())
        queue.append(waiting)
        self._tell_waiting(key.id)
        try:
            async with asyncio.timeout(self._max_wait):
                await admitted
        except (TimeoutError, asyncio.CancelledError) as error:
            if waiting in queue:
                queue.remove(waiting)
                self._admit_unread(key.id)
            else:  # it was admitted in the moment it gave up
                self.leave(key)
            if isinstance(error, TimeoutError):
                raise GatewayOverloaded(
                    "Other turns of this API key hold all of its places"
                ) from error
            raise

    def _admit_unread(self, key_id: int) -> None:
        """Admit, in their order, those there are places for."""
        queue = self._unread.get(key_id)
        while queue:
            key, admitted, began = queue[0]
            arriving = self._arriving.get(key_id, 0)
            if not self._limiter.has_place(key, arriving, began):
                break
            if admitted.done():  # it is giving up, and leaves the queue itself
                break
            queue.popleft()
            self._arriving[key_id] = arriving + 1
            admitted.set_result(None)
        if not queue:
            self._unread.pop(key_id, None)
        self._tell_waiting(key_id)

    def _tell_waiting(self, key_id: int) -> None:
        """Have the others hear of it where several processes serve."""
        shared = self._limiter.shared
        shared.unread.pop(key_id, None)
        queue = self._unread.get(key_id)
        if queue and shared.are_shared:
            want = Want(self._arriving.get(key_id, 0) + 1, queue[0].began)
            shared.unread[key_id] = (queue[0].key, want)
            shared.lacking.publish(None)
