"""Limiter: a turn reserves what it is expected to use, and settles with what it used.

The first turn is admitted while anything of every limit remains, others beside it as
long as what they are expected to use fits, too. Those wait for the running ones, in
their order, so that a limit is overshot by little more than one turn.
"""

import asyncio
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gateway.errors import GatewayOverloaded, KeyLimitReached
from gateway.keys.counters import Charge, Hold, Ledger, WindowCounter
from gateway.keys.key import Key
from gateway.keys.quota_report import limit_rows, quota_windows, ratelimit_headers
from gateway.keys.request_rate import RequestRate
from gateway.keys.reservation import (
    NO_RESERVATION,
    PATIENCE_WITH_OTHERS,
    LimitsUnknown,
    Patience,
    Reservation,
    WaitingTurn,
    limit_reached,
    refuse_exhausted,
)
from gateway.keys.shared.share import JUST_NOW
from gateway.keys.shared.shared_limits import SharedLimits
from gateway.keys.turn_history import TurnHistory
from gateway.protocol.facts import Window

# Turns of one key that may wait; each holds a request body in memory.
_MOST_WAITING = 200


class Limiter:
    """Every key's limits, rate and concurrency; used on one event loop."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        patience: Patience = PATIENCE_WITH_OTHERS,
    ) -> None:
        self._clock = clock
        self._patience = patience
        self.ledger = Ledger()
        self.history = TurnHistory()
        self._rate = RequestRate()
        self.place_freed = self._rate.place_freed
        self.has_place = self._rate.has_room
        self._waiting: dict[int, list[WaitingTurn]] = {}
        self.shared = SharedLimits(self.ledger, self._rate, self._waiting, clock)
        self.shared.answered.subscribe(lambda _: self._admit_all())

    async def reserve(
        self, key: Key | None, estimate: Charge, model: str | None
    ) -> Reservation:
        """Admit a turn, waiting for running ones where only they stand against it.

        Raises KeyLimitReached when a limit or the rate is used up, or what is left of
        a limit stays reserved, and GatewayOverloaded when no place becomes free.
        """
        if key is None:
            return NO_RESERVATION
        if self.shared.are_shared:
            await self.shared.await_rate(key, 0)
        now = self._clock()
        if self._waiting:
            self._admit_waiting(key.id)  # a new window may have begun
        counters = self.ledger.counters(key, model, now)
        refuse_exhausted(counters)
        resets_at = self._rate.count(key, now)
        if resets_at is not None:
            raise limit_reached("requests per minute", "", resets_at)
        holds = [counter.hold(estimate) for counter in counters]
        if key.id not in self._waiting and not self._against(key, holds):
            return self._admit(key, holds)
        return await self._wait(key, estimate, model)

    async def check_rate(self, key: Key, arriving: int) -> None:
        """Ask whether a request would be in time, and count nothing.

        So many more of the key's are on their way. Raises KeyLimitReached.
        """
        if self.shared.are_shared:
            await self.shared.await_rate(key, arriving)
        resets_at = self._rate.full_until(key, self._clock(), arriving)
        if resets_at is not None:
            raise limit_reached("requests per minute", "", resets_at)

    @property
    def open_reservations(self) -> int:
        """Running turns that have a key."""
        return self._rate.all_running

    @property
    def waiting(self) -> int:
        """Turns that wait for others of their key."""
        return sum(map(len, self._waiting.values()))

    def ratelimit_headers(
        self, key: Key, model: str | None, now: float
    ) -> dict[str, str]:
        """The x-ratelimit-* headers of an answer on the public surface."""
        counters = self.ledger.counters(key, model, now)
        return ratelimit_headers(key, counters, self._rate, now)

    def report(self, key: Key, now: float) -> list[dict[str, Any]]:
        """One object per limit, for the key's own usage page."""
        return limit_rows(key, self.ledger.all_counters(key, now), self._rate, now)

    def windows(self, key: Key, now: float) -> tuple[Window, ...]:
        """The key's quota as the two windows the Codex client shows."""
        return quota_windows(self.ledger.all_counters(key, now))

    def _against(
        self, key: Key, holds: list[Hold], began: float = JUST_NOW
    ) -> "list[WindowCounter | None]":
        """The counters that keep a turn waiting; None among them for a place."""
        full = [hold.counter for hold in holds if not self.shared.fits(hold, began)]
        has_room = self._rate.has_room(key, began=began)
        return [*full] if has_room else [*full, None]

    def _admit(self, key: Key, holds: list[Hold]) -> Reservation:
        self._rate.change_running(key, 1)
        for hold in holds:
            hold.counter.reserve(hold)
            self.ledger.mark_dirty(hold.counter)
        return Reservation(holds, partial(self._close, key, holds))

    def _close(self, key: Key, holds: list[Hold], used: list[int] | None) -> None:
        for at, hold in enumerate(holds):
            hold.counter.free(hold)
            if used is not None:
                hold.counter.count(used[at])
            self.ledger.mark_dirty(hold.counter)
        self._rate.change_running(key, -1)
        if self.shared.are_shared:
            self.shared.note_freed()
        if self._waiting:
            self._admit_waiting(key.id)

    def _admit_all(self) -> None:
        for key_id in tuple(self._waiting):
            self._admit_waiting(key_id)
        for key_id in tuple(self.shared.unread):
            self.place_freed.publish(key_id)

    def _admit_waiting(self, key_id: int) -> None:
        """Admit or refuse, in their order, the waiting turns that no longer need to.

        Nobody is overtaken by a turn that wants of the same full limit, however small.
        """
        if key_id not in self._waiting:
            return
        now = self._clock()
        claimed: set[WindowCounter | None] = set()
        for turn in self._waiting[key_id]:
            if turn.admitted.done():
                continue
            counters = self.ledger.counters(turn.key, turn.model, now)
            try:
                refuse_exhausted(counters)
                self.shared.refuse_unknown(turn.key, turn.model)
            except (KeyLimitReached, LimitsUnknown) as error:
                turn.admitted.set_exception(error)
                continue
            holds = [counter.hold(turn.estimate) for counter in counters]
            against = self._against(turn.key, holds, turn.began)
            turn.waits_for = [
                one for one in counters if one in claimed or one in against
            ]
            if against or turn.waits_for:
                claimed.update(against)
            else:
                admitted = self._admit(turn.key, holds)
                turn.admitted.set_result(admitted)

    async def _wait(self, key: Key, estimate: Charge, model: str | None) -> Reservation:
        queue = self._waiting.setdefault(key.id, [])
        loop = asyncio.get_running_loop()
        admitted = loop.create_future()
        turn = WaitingTurn(key, estimate, model, admitted, loop.time())
        queue.append(turn)
        try:
            self._admit_waiting(key.id)  # those before it may wait for other limits
            if self.shared.are_shared:
                self.shared.lacking.publish(None)
            if len(queue) > _MOST_WAITING and not admitted.done():
                raise GatewayOverloaded("Too many turns of this API key are waiting")
            return await turn.wait(self._refresh, self._patience)
        except asyncio.CancelledError:
            # It may have been admitted when the client had just left.
            if admitted.done() and admitted.exception() is None:
                admitted.result().release()
            raise
        finally:
            queue.remove(turn)
            self._admit_waiting(key.id)  # one behind it may have waited for it
            if not queue:
                self._waiting.pop(key.id, None)

    def _refresh(self, turn: WaitingTurn) -> float:
        """Look whether a turn is admitted; seconds until its next window may be."""
        self._admit_waiting(turn.key.id)
        now = self._clock()
        counters = self.ledger.counters(turn.key, turn.model, now)
        return min((counter.end - now for counter in counters), default=math.inf)
