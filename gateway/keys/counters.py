"""Counters of the keys' limits: what is used and reserved in the running windows.

Windows are exact steps from the key's creation. A turn belongs to the window it was
admitted in, however long it runs: the next window starts at nothing, and no turn is
counted twice or in a window that never admitted it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from gateway.keys.key import Key, Limit, Measure
from gateway.keys.pricing import cost_microdollars, default_table
from gateway.protocol.facts import Usage

# Four bytes of JSON are about one token; nothing upstream takes a longer context.
_BYTES_PER_TOKEN = 4
_LARGEST_INPUT = 400_000
_USUAL_OUTPUT = 8192


class Spend(NamedTuple):
    """What one turn takes, or is expected to take; priced when a limit asks."""

    usage: Usage
    cost: int | None = None  # micro-dollars; None: what model and tier come to
    model: str | None = None
    tier: str | None = None

    @classmethod
    def estimate(
        cls, body_bytes: int, model: str | None, tier: str | None = None
    ) -> "Spend":
        """A guess before the turn, from the size of its body."""
        tokens = min(max(1, body_bytes // _BYTES_PER_TOKEN), _LARGEST_INPUT)
        usage = Usage(input_tokens=tokens, output_tokens=_USUAL_OUTPUT)
        return cls(usage, None, model, tier)

    @property
    def input(self) -> int:
        return max(0, self.usage.input_tokens)

    @property
    def output(self) -> int:
        return max(0, self.usage.output_tokens)

    @property
    def price(self) -> int:
        """The cost; where it is unknown, that at the dearest rates there are."""
        cost = self.cost
        if cost is None:
            cost = cost_microdollars(self.model, self.usage, self.tier)
        return default_table().highest_cost(self.usage) if cost is None else cost

    def amount(self, measure: Measure) -> int:
        return _AMOUNTS[measure](self)


_AMOUNTS: dict[Measure, Callable[[Spend], int]] = {
    Measure.TOKENS: lambda spend: spend.input + spend.output,
    Measure.INPUT: lambda spend: spend.input,
    Measure.OUTPUT: lambda spend: spend.output,
    Measure.COST: lambda spend: spend.price,
    Measure.REQUESTS: lambda spend: 1,
}


class CounterRow(NamedTuple):
    """What was spent of a limit; it is added to what is stored.

    Two processes count the same limits for the time of a handover.
    """

    limit_id: int
    window_start: int  # unix seconds
    spent: int


@dataclass(slots=True, eq=False)
class Counter:
    """One limit in one window; `start` and `end` in unix seconds."""

    limit: Limit
    start: int
    end: int
    used: int = 0
    reserved: int = 0
    # The largest turn lately. A turn that names a previous response sends little
    # and takes much, which no estimate made from its body can foresee.
    peak: int = 0
    unsaved: int = 0  # of `used`, what this process spent and has not persisted

    @property
    def is_exhausted(self) -> bool:
        return self.used >= self.limit.maximum

    @property
    def is_full(self) -> bool:
        return self.used + self.reserved >= self.limit.maximum

    def reserve(self, estimate: Spend) -> int:
        """Hold all that the turn is expected to need, and one at least.

        More than what is left, too: cut to that, the turn would hold too little
        once others settle below their estimates, and two would overshoot.
        """
        amount = max(1, self.peak, estimate.amount(self.limit.measure))
        self.reserved += amount
        return amount

    def spend(self, amount: int) -> None:
        self.unsaved += amount
        self.learn(amount)

    def learn(self, amount: int) -> None:
        """Count what another process spent, who persists it, too."""
        self.used += amount
        self.peak = max(amount, self.peak - self.peak // 8)


class Ledger:
    """All counters, in memory; the database holds what was spent."""

    def __init__(self) -> None:
        # By what the limit is, not by its id alone: a database may give the id of
        # a removed limit to a new one, which must not inherit its counter.
        self._counters: dict[tuple[object, ...], Counter] = {}
        self._restored: dict[int, dict[int, int]] = {}
        self._changed: dict[tuple[int, int], Counter] = {}

    def counters(self, key: Key, model: str | None, now: float) -> list[Counter]:
        """Those of the running windows that a turn with this model counts in."""
        return [
            self._running(key, limit, now)
            for limit in key.limits
            if limit.applies_to(model)
        ]

    def all_counters(self, key: Key, now: float) -> list[Counter]:
        return [self._running(key, limit, now) for limit in key.limits]

    def touch(self, counter: Counter) -> None:
        """Remember that a counter has to be persisted."""
        self._changed[counter.limit.id, counter.start] = counter

    def changed(self) -> list[CounterRow]:
        """What to persist since the last call; oldest windows first."""
        rows = []
        for counter in self._changed.values():
            rows.append(CounterRow(counter.limit.id, counter.start, counter.unsaved))
            counter.unsaved = 0
        self._changed.clear()
        return sorted(rows)

    def restore(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """Take over persisted counters, before the first turn."""
        for limit_id, window_start, used in rows:
            self._restored.setdefault(limit_id, {})[window_start] = used

    def retain(self, keys: Iterable[Key]) -> None:
        """Forget the counters of limits that no key has any more."""
        keys = list(keys)
        held = {_identity(key, limit) for key in keys for limit in key.limits}
        for identity in self._counters.keys() - held:
            del self._counters[identity]
        ids = {limit.id for key in keys for limit in key.limits}
        for limit_id in self._restored.keys() - ids:
            del self._restored[limit_id]

    def _running(self, key: Key, limit: Limit, now: float) -> Counter:
        identity = _identity(key, limit)
        counter = self._counters.get(identity)
        if (
            counter is not None
            and counter.limit is limit
            and counter.start <= now < counter.end
        ):
            return counter
        start = window_start(key.created_at, limit.seconds, now)
        # A clock set back a little must not give a spent window back; one that
        # was far ahead must not hold the counter there.
        if counter is None or not (
            counter.start - limit.seconds <= start <= counter.start
        ):
            used = self._restored.pop(limit.id, {}).get(start, 0)
            peak = counter.peak if counter is not None else 0
            counter = Counter(limit, start, start + limit.seconds, used, peak=peak)
            self._counters[identity] = counter
        elif counter.limit is not limit:
            counter.limit = limit  # the same one with another maximum
        return counter


def window_start(created_at: int, seconds: int, now: float) -> int:
    """Unix seconds at which the window that `now` lies in began."""
    return created_at + max(0, (int(now) - created_at) // seconds) * seconds


def _identity(key: Key, limit: Limit) -> tuple[object, ...]:
    return key.id, limit.id, limit.measure, limit.window, limit.model
