"""The Limiter: a turn reserves what it may take, and settles with the truth.

A turn is admitted while something of every limit is left. One that only the
reservations of running turns stand against waits for them, so nobody is refused
early and a limit is overshot by no more than the last turn admitted.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.errors import GatewayOverloaded, KeyLimitReached
from gateway.events import Topic
from gateway.keys.counters import Counter, CounterRow, Ledger, Spend
from gateway.keys.key import Key
from gateway.keys.quota_report import limit_rows, ratelimit_headers, windows
from gateway.keys.request_rate import RequestRate
from gateway.keys.usage_delta import Held, Move
from gateway.protocol.facts import Usage, Window

PLAN_TYPE = "api_key"
# Seconds a turn waits for others of its key; proxies give up at about as many.
LONGEST_CONCURRENCY_WAIT = 60.0
# Turns of one key that may wait; each holds a request body in memory.
_MOST_WAITING = 200
# A timer may fire a little before the wall clock reaches the edge of a window.
_SHORTEST_SLEEP = 0.01


class Reservation:
    """What one running turn holds; `settle` or `release` ends it, the first wins."""

    def __init__(
        self, limiter: "Limiter", key: Key | None, held: list[tuple[Counter, int]]
    ) -> None:
        self._limiter = limiter
        self._key = key
        self._held = held
        self.is_open = True

    def settle(self, usage: Usage, cost: int | None) -> None:
        """Count what the turn really took; `cost` in micro-dollars, None: unknown."""
        if self.is_open and self._key is not None:
            self.is_open = False
            self._limiter.close(self._key, self._held, Spend(usage, cost))

    def release(self) -> None:
        """Give everything back: the turn took nothing."""
        if self.is_open and self._key is not None:
            self.is_open = False
            self._limiter.close(self._key, self._held, None)


@dataclass(slots=True, eq=False)
class _Turn:
    """A turn that asks to be admitted."""

    key: Key
    estimate: Spend
    model: str | None
    admitted: asyncio.Future[Reservation]


class Limiter:
    """Every key's limits, rate and concurrency; lives on one event loop."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        patience: float = LONGEST_CONCURRENCY_WAIT,
    ) -> None:
        self._clock = clock
        self._patience = patience
        # Processes that share the database subscribe; mostly there is none.
        self.usage_changed = Topic[Move]()
        self._ledger = Ledger()
        self._rates = RequestRate()
        self._waiting: dict[int, list[_Turn]] = {}

    async def reserve(
        self, key: Key | None, estimate: Spend, model: str | None
    ) -> Reservation:
        """Admit a turn, waiting for running ones where only they stand against it.

        Raises KeyLimitReached when a limit or the rate is used up, and
        GatewayOverloaded when the running turns do not end in time.
        """
        if key is None:
            return Reservation(self, None, [])
        now = self._clock()
        self._admit_waiting(key.id)  # the edge of a window may have let them in
        counters = self._ledger.counters(key, model, now)
        _refuse_exhausted(counters)
        resets_at = self._rates.count(key, now)
        if resets_at is not None:
            raise _limit_reached("requests per minute", "", resets_at)
        if key.rpm and self.usage_changed.has_subscribers:
            self.usage_changed.publish(Move(key.id, starts=(now,)))
        if self._is_free(key, counters):
            return self._take(key, counters, estimate)
        return await self._wait(key, estimate, model)

    def close(
        self, key: Key, held: list[tuple[Counter, int]], spend: Spend | None
    ) -> None:
        """End a turn; only its Reservation calls this, once."""
        moved = []
        for counter, amount in held:
            spent = 0 if spend is None else spend.amount(counter.limit.measure)
            counter.reserved -= amount
            if spend is not None:
                counter.spend(spent)
                self._ledger.touch(counter)
            if self.usage_changed.has_subscribers:
                moved.append(Held(counter.limit.id, counter.start, -amount, spent))
        self._rates.change_running(key, -1)
        if self.usage_changed.has_subscribers:
            self.usage_changed.publish(Move(key.id, running=-1, held=tuple(moved)))
        self._admit_waiting(key.id)

    @property
    def open_reservations(self) -> int:
        """Of turns with a key that run."""
        return self._rates.all_running

    @property
    def waiting(self) -> int:
        """Turns that wait for others of their key."""
        return sum(map(len, self._waiting.values()))

    def changed(self) -> list[CounterRow]:
        """What was spent since the last call, to be added to the stored counters."""
        return self._ledger.changed()

    def restore(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """Take over (limit id, window start, used) rows, before the first turn."""
        self._ledger.restore(rows)

    def standing(self, key: Key) -> Move:
        """How a key stands, for a process that is to go on from here."""
        now = self._clock()
        return Move(
            key.id,
            self._rates.running(key),
            self._rates.starts(key, now) if key.rpm else (),
            tuple(
                Held(one.limit.id, one.start, one.reserved, one.used)
                for one in self._ledger.all_counters(key, now)
            ),
        )

    def adopt(self, key: Key, standing: Move) -> None:
        """Stand as another process does; before the first turn."""
        used = {
            (one.limit.id, one.start): one.used
            for one in self._ledger.all_counters(key, self._clock())
        }
        # Its memory is ahead of the database, which this process has read.
        held = (
            one._replace(used=one.used - used.get((one.limit_id, one.window_start), 0))
            for one in standing.held
        )
        self.learn(key, standing._replace(held=tuple(held)))

    def learn(self, key: Key, move: Move) -> None:
        """Count what another process did; it persists its own."""
        running = {
            (one.limit.id, one.start): one
            for one in self._ledger.all_counters(key, self._clock())
        }
        for held in move.held:
            # One of a window that is over here, or of a limit that is gone: no loss.
            counter = running.get((held.limit_id, held.window_start))
            if counter is not None:
                counter.reserved += held.reserved
                if held.used:
                    counter.learn(held.used)
        self._rates.change_running(key, move.running)
        self._rates.learn(key, move.starts)
        self._admit_waiting(key.id)

    def retain(self, keys: Iterable[Key]) -> None:
        """Forget limits that no key has any more; call when the ring changes."""
        self._ledger.retain(keys)

    def remaining(self, key: Key, model: str | None, now: float) -> dict[str, str]:
        """The x-ratelimit-* headers of an answer on the public surface."""
        return ratelimit_headers(
            key, self._ledger.counters(key, model, now), self._rates, now
        )

    def report(self, key: Key, now: float) -> list[dict[str, Any]]:
        """One object per limit, for the key's own usage page."""
        return limit_rows(key, self._ledger.all_counters(key, now), self._rates, now)

    def windows(self, key: Key, now: float) -> tuple[Window, ...]:
        """The key's budget as the two windows the Codex client shows."""
        return windows(self._ledger.all_counters(key, now))

    def _is_free(self, key: Key, counters: list[Counter]) -> bool:
        for counter in counters:
            if counter.is_full:
                return False
        return self._rates.has_room(key)

    def _take(self, key: Key, counters: list[Counter], estimate: Spend) -> Reservation:
        self._rates.change_running(key, 1)
        held = [(counter, counter.reserve(estimate)) for counter in counters]
        if self.usage_changed.has_subscribers:
            taken = (Held(one.limit.id, one.start, amount, 0) for one, amount in held)
            self.usage_changed.publish(Move(key.id, running=1, held=tuple(taken)))
        return Reservation(self, key, held)

    def _admit_waiting(self, key_id: int) -> None:
        """Admit or refuse, in their order, those whose case is decided by now."""
        if key_id not in self._waiting:
            return
        now = self._clock()
        for turn in self._waiting[key_id]:
            if turn.admitted.done():
                continue
            counters = self._ledger.counters(turn.key, turn.model, now)
            try:
                _refuse_exhausted(counters)
            except KeyLimitReached as error:
                turn.admitted.set_exception(error)
                continue
            if self._is_free(turn.key, counters):
                turn.admitted.set_result(self._take(turn.key, counters, turn.estimate))

    async def _wait(self, key: Key, estimate: Spend, model: str | None) -> Reservation:
        queue = self._waiting.setdefault(key.id, [])
        if len(queue) >= _MOST_WAITING:
            raise GatewayOverloaded("Too many turns of this API key are waiting")
        admitted = asyncio.get_running_loop().create_future()
        turn = _Turn(key, estimate, model, admitted)
        queue.append(turn)
        try:
            return await self._until_admitted(turn)
        except asyncio.CancelledError:
            # Admitted in the very moment the client left.
            if admitted.done() and admitted.exception() is None:
                admitted.result().release()
            raise
        finally:
            queue.remove(turn)
            if not queue:
                self._waiting.pop(key.id, None)

    async def _until_admitted(self, turn: _Turn) -> Reservation:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        while not turn.admitted.done():
            left = deadline - loop.time()
            if left <= 0:
                raise GatewayOverloaded(
                    "Other turns of this API key hold the rest of its limit"
                )
            edge = max(self._next_edge(turn), _SHORTEST_SLEEP)
            await asyncio.wait({turn.admitted}, timeout=min(left, edge))
            self._admit_waiting(turn.key.id)
        return turn.admitted.result()

    def _next_edge(self, turn: _Turn) -> float:
        """Seconds until a window ends that this turn counts in."""
        now = self._clock()
        counters = self._ledger.counters(turn.key, turn.model, now)
        return min((counter.end - now for counter in counters), default=self._patience)


def _refuse_exhausted(counters: list[Counter]) -> None:
    exhausted = [counter for counter in counters if counter.is_exhausted]
    if exhausted:
        # The last to reset: before that another one would refuse the turn.
        counter = max(exhausted, key=lambda counter: counter.end)
        limit = counter.limit
        model = "" if limit.model is None else f" for model {limit.model}"
        raise _limit_reached(f"{limit.measure} {limit.window}", model, counter.end)


def _limit_reached(what: str, model: str, resets_at: int) -> KeyLimitReached:
    moment = datetime.fromtimestamp(resets_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return KeyLimitReached(
        f"API key {what} limit exceeded{model}. Usage resets at {moment}.",
        resets_at=resets_at,
        plan_type=PLAN_TYPE,
    )
