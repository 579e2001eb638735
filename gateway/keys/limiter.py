"""Limiter: a turn reserves what it may use, and settles with what it used.

A turn is admitted while something of every limit remains. One that only the
reservations of running turns stand against waits for them, so nobody is refused
early and a limit is overshot by no more than the last turn admitted.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.errors import GatewayOverloaded, KeyLimitReached
from gateway.events import Topic
from gateway.keys.counters import Charge, Ledger, WindowCounter
from gateway.keys.key import Key
from gateway.keys.quota_report import (
    iso_time,
    limit_rows,
    quota_windows,
    ratelimit_headers,
)
from gateway.keys.request_rate import RequestRate
from gateway.keys.usage_delta import CounterDelta, UsageDelta
from gateway.protocol.facts import Usage, Window

PLAN_TYPE = "api_key"
# Seconds a turn waits for others of its key; proxies give up at about as many.
LONGEST_CONCURRENCY_WAIT = 60.0
# Turns of one key that may wait; each holds a request body in memory.
_MOST_WAITING = 200
# A timer may fire a little before the wall clock reaches the edge of a window.
_SHORTEST_SLEEP = 0.01

Reserved = list[tuple[WindowCounter, int]]


class Reservation:
    """What one running turn reserved; the first `settle` or `release` ends it."""

    def __init__(self, limiter: "Limiter", key: Key | None, reserved: Reserved) -> None:
        self._limiter = limiter
        self._key = key
        self._reserved = reserved
        self.is_open = True

    def settle(self, usage: Usage, cost: int | None) -> None:
        """Count what the turn used; `cost` in micro-dollars, None: unknown."""
        self._close(Charge(usage, cost))

    def release(self) -> None:
        """Give everything back: the turn used nothing."""
        self._close(None)

    def _close(self, charge: Charge | None) -> None:
        if self.is_open and self._key is not None:
            self.is_open = False
            self._limiter.close(self._key, self._reserved, charge)


@dataclass(slots=True, eq=False)
class _WaitingTurn:
    key: Key
    estimate: Charge
    model: str | None
    admitted: asyncio.Future[Reservation]


class Limiter:
    """Every key's limits, rate and concurrency; used on one event loop."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        max_wait: float = LONGEST_CONCURRENCY_WAIT,
    ) -> None:
        self._clock = clock
        self._max_wait = max_wait
        # Processes that share the database subscribe; mostly there is none.
        self.usage_changed = Topic[UsageDelta]()
        self.ledger = Ledger()
        self._rate = RequestRate()
        self.place_freed = self._rate.place_freed
        self.has_place = self._rate.has_room
        self._waiting: dict[int, list[_WaitingTurn]] = {}

    async def reserve(
        self, key: Key | None, estimate: Charge, model: str | None
    ) -> Reservation:
        """Admit a turn, waiting for running ones where only they stand against it.

        Raises KeyLimitReached when a limit or the rate is used up, and
        GatewayOverloaded when the running turns do not end in time.
        """
        if key is None:
            return Reservation(self, None, [])
        now = self._clock()
        self._admit_waiting(key.id)  # a new window may have begun
        counters = self.ledger.counters(key, model, now)
        _refuse_exhausted(counters)
        resets_at = self._rate.count(key, now)
        if resets_at is not None:
            raise _limit_reached("requests per minute", "", resets_at)
        if key.rpm and self.usage_changed.has_subscribers:
            self.usage_changed.publish(UsageDelta(key.id, starts=(now,)))
        if self._has_room(key, counters):
            return self._admit(key, counters, estimate)
        return await self._wait(key, estimate, model)

    def close(self, key: Key, reserved: Reserved, charge: Charge | None) -> None:
        """End a turn; only its Reservation calls this, once."""
        deltas = []
        for counter, amount in reserved:
            used = 0 if charge is None else charge.amount(counter.limit.measure)
            counter.reserved -= amount
            if charge is not None:
                counter.count(used)
                self.ledger.mark_dirty(counter)
            if self.usage_changed.has_subscribers:
                deltas.append(
                    CounterDelta(counter.limit.id, counter.start, -amount, used)
                )
        self._rate.change_running(key, -1)
        if self.usage_changed.has_subscribers:
            self.usage_changed.publish(UsageDelta(key.id, -1, (), tuple(deltas)))
        self._admit_waiting(key.id)

    def check_rate(self, key: Key, arriving: int) -> None:
        """Ask whether a request would be in time, and count nothing.

        So many more of the key's are on their way. Raises KeyLimitReached.
        """
        resets_at = self._rate.full_until(key, self._clock(), arriving)
        if resets_at is not None:
            raise _limit_reached("requests per minute", "", resets_at)

    @property
    def open_reservations(self) -> int:
        """Running turns that have a key."""
        return self._rate.all_running

    @property
    def waiting(self) -> int:
        """Turns that wait for others of their key."""
        return sum(map(len, self._waiting.values()))

    def snapshot(self, key: Key) -> UsageDelta:
        """All of a key's usage, for a process that is to go on from here."""
        now = self._clock()
        return UsageDelta(
            key.id,
            self._rate.running(key),
            self._rate.starts(key, now) if key.rpm else (),
            tuple(
                CounterDelta(one.limit.id, one.start, one.reserved, one.used)
                for one in self.ledger.all_counters(key, now)
            ),
        )

    def apply_snapshot(self, key: Key, snapshot: UsageDelta) -> None:
        """Take over another process's usage, before the first turn."""
        known = {
            (one.limit.id, one.start): one.used
            for one in self.ledger.all_counters(key, self._clock())
        }
        # Its memory is ahead of the database, which this process has read.
        counters = (
            one._replace(used=one.used - known.get((one.limit_id, one.window_start), 0))
            for one in snapshot.counters
        )
        self.apply(key, snapshot._replace(counters=tuple(counters)))

    def apply(self, key: Key, delta: UsageDelta) -> None:
        """Count what another process did; it persists that itself."""
        current = {
            (one.limit.id, one.start): one
            for one in self.ledger.all_counters(key, self._clock())
        }
        for change in delta.counters:
            # Of a window that has ended here, or of a removed limit: not counted.
            counter = current.get((change.limit_id, change.window_start))
            if counter is not None:
                counter.reserved += change.reserved
                if change.used:
                    counter.count_remote(change.used)
        self._rate.change_running(key, delta.running)
        self._rate.add_starts(key, delta.starts)
        self._admit_waiting(key.id)

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

    def _has_room(self, key: Key, counters: list[WindowCounter]) -> bool:
        for counter in counters:
            if counter.is_full:
                return False
        return self._rate.has_room(key)

    def _admit(
        self, key: Key, counters: list[WindowCounter], estimate: Charge
    ) -> Reservation:
        self._rate.change_running(key, 1)
        reserved = [(counter, counter.reserve(estimate)) for counter in counters]
        if self.usage_changed.has_subscribers:
            deltas = tuple(
                CounterDelta(counter.limit.id, counter.start, amount, 0)
                for counter, amount in reserved
            )
            self.usage_changed.publish(UsageDelta(key.id, 1, (), deltas))
        return Reservation(self, key, reserved)

    def _admit_waiting(self, key_id: int) -> None:
        """Admit or refuse, in their order, the waiting turns that no longer need to."""
        if key_id not in self._waiting:
            return
        now = self._clock()
        for turn in self._waiting[key_id]:
            if turn.admitted.done():
                continue
            counters = self.ledger.counters(turn.key, turn.model, now)
            try:
                _refuse_exhausted(counters)
            except KeyLimitReached as error:
                turn.admitted.set_exception(error)
                continue
            if self._has_room(turn.key, counters):
                turn.admitted.set_result(self._admit(turn.key, counters, turn.estimate))

    async def _wait(self, key: Key, estimate: Charge, model: str | None) -> Reservation:
        queue = self._waiting.setdefault(key.id, [])
        if len(queue) >= _MOST_WAITING:
            raise GatewayOverloaded("Too many turns of this API key are waiting")
        admitted = asyncio.get_running_loop().create_future()
        turn = _WaitingTurn(key, estimate, model, admitted)
        queue.append(turn)
        try:
            return await self._until_admitted(turn)
        except asyncio.CancelledError:
            # It may have been admitted when the client had just left.
            if admitted.done() and admitted.exception() is None:
                admitted.result().release()
            raise
        finally:
            queue.remove(turn)
            if not queue:
                self._waiting.pop(key.id, None)

    async def _until_admitted(self, turn: _WaitingTurn) -> Reservation:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._max_wait
        while not turn.admitted.done():
            left = deadline - loop.time()
            if left <= 0:
                raise GatewayOverloaded(
                    "Other turns of this API key hold the rest of its limit"
                )
            window_end = max(self._next_window_end(turn), _SHORTEST_SLEEP)
            await asyncio.wait({turn.admitted}, timeout=min(left, window_end))
            self._admit_waiting(turn.key.id)
        return turn.admitted.result()

    def _next_window_end(self, turn: _WaitingTurn) -> float:
        """Seconds until a window ends that this turn is in."""
        now = self._clock()
        counters = self.ledger.counters(turn.key, turn.model, now)
        ends = (counter.end - now for counter in counters)
        return min(ends, default=self._max_wait)


def _refuse_exhausted(counters: list[WindowCounter]) -> None:
    exhausted = [counter for counter in counters if counter.is_exhausted]
    if exhausted:
        # The last to reset: before that another one would refuse the turn.
        counter = max(exhausted, key=lambda counter: counter.end)
        limit = counter.limit
        model = "" if limit.model is None else f" for model {limit.model}"
        raise _limit_reached(f"{limit.measure} {limit.window}", model, counter.end)


def _limit_reached(what: str, model: str, resets_at: int) -> KeyLimitReached:
    return KeyLimitReached(
        f"API key {what} limit exceeded{model}. Usage resets at {iso_time(resets_at)}.",
        resets_at=resets_at,
        plan_type=PLAN_TYPE,
    )
