"""Reservation: what one turn set aside of its key's limits, and the wait for it."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.errors import GatewayOverloaded, KeyLimitReached
from gateway.keys.counters import Charge, Hold, WindowCounter
from gateway.keys.key import Key, Measure
from gateway.keys.quota_report import iso_time
from gateway.protocol.facts import Usage
from gateway.store.database import StoreUnavailable

PLAN_TYPE = "api_key"
# A timer may fire a little before the wall clock reaches the edge of a window.
_SHORTEST_SLEEP = 0.01


class Reservation:
    """What one running turn reserved; the first `settle` or `release` ends it."""

    def __init__(
        self, holds: list[Hold], close: Callable[[list[int] | None], None] | None
    ) -> None:
        """`close` is told what was used of each counter, None for nothing."""
        self._holds = holds
        self._close = close

    def settle(self, usage: Usage, cost: int, *, within_reserved: bool = False) -> None:
        """Count what the turn used; `cost` in micro-dollars.

        `within_reserved`: it is an estimate, and what was reserved is the most.
        """
        charge, used = Charge(usage, cost), []
        for hold in self._holds:
            amount = charge.amount(hold.counter.limit.measure)
            used.append(min(amount, hold.reserved) if within_reserved else amount)
        self._end(used)

    @property
    def limits_cost(self) -> bool:
        return any(hold.counter.limit.measure is Measure.COST for hold in self._holds)

    def release(self) -> None:
        """Give everything back: the turn used nothing."""
        self._end(None)

    def _end(self, used: list[int] | None) -> None:
        close, self._close = self._close, None
        if close is not None:
            close(used)


NO_RESERVATION = Reservation([], None)


class LimitsUnknown(StoreUnavailable):
    """No Retry-After: nobody knows when, and a client that waits tries no other way."""

    message = (
        "The gateway's database has been away for too long to know what is left of "
        "this API key's limits"
    )


class Patience(NamedTuple):
    """Seconds a turn waits for others of its key; proxies give up at about as many."""

    limit: float = 30.0  # for them to leave it something of a limit
    place: float = 60.0  # for one of the key's places


PATIENCE_WITH_OTHERS = Patience()
# More, until a process that does not give back what it does not use is dead.
SILENT_SECONDS = 5.0


@dataclass(slots=True, eq=False)
class WaitingTurn:
    """In the line of its key."""

    key: Key
    estimate: Charge
    model: str | None
    admitted: asyncio.Future[Reservation]
    began: float  # loop time
    waits_for: list[WindowCounter] = field(default_factory=list)

    async def wait(
        self, refresh: Callable[["WaitingTurn"], float], patience: Patience
    ) -> Reservation:
        """The reservation, once there is one.

        `refresh` looks at the line and tells when to look again, in seconds. Raises
        KeyLimitReached when what is left stays reserved, GatewayOverloaded when no
        place becomes free.
        """
        loop = asyncio.get_running_loop()
        while True:
            window_end = max(refresh(self), _SHORTEST_SLEEP)
            if self.admitted.done():
                return self.admitted.result()
            waited = loop.time() - self.began
            limit = patience.limit + (SILENT_SECONDS if self._waits_elsewhere else 0)
            if self.waits_for and waited >= limit:
                raise _exceeded(self.waits_for)
            if waited >= patience.place:
                raise GatewayOverloaded(
                    "Other turns of this API key hold all its places"
                )
            left = (limit if self.waits_for else patience.place) - waited
            await asyncio.wait({self.admitted}, timeout=min(left, window_end))

    @property
    def _waits_elsewhere(self) -> bool:
        """Whether what it waits for lies idle with another process, which is silent."""
        shares = (counter.share for counter in self.waits_for)
        return any(share is not None and share.idle for share in shares)


def refuse_exhausted(counters: Iterable[WindowCounter]) -> None:
    """Raise the answer of a limit of which nothing is left."""
    exhausted = [counter for counter in counters if counter.is_exhausted]
    if exhausted:
        raise _exceeded(exhausted)


def _exceeded(counters: list[WindowCounter]) -> KeyLimitReached:
    # The last to reset: before that another one would refuse the turn.
    counter = max(counters, key=lambda counter: counter.end)
    limit = counter.limit
    model = "" if limit.model is None else f" for model {limit.model}"
    return limit_reached(f"{limit.measure} {limit.window}", model, counter.end)


def limit_reached(what: str, model: str, resets_at: int) -> KeyLimitReached:
    return KeyLimitReached(
        f"API key {what} limit exceeded{model}. Usage resets at {iso_time(resets_at)}.",
        resets_at=resets_at,
        plan_type=PLAN_TYPE,
    )
