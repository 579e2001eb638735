"""Counters of the keys' limits: what is used and reserved in the current windows.

Windows are exact steps from the key's creation. A turn belongs to the window it was
admitted in, however long it runs: the next window starts at zero, and no turn is
counted twice or in a window that never admitted it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import add
from typing import NamedTuple

from gateway.keys.key import Key, Limit, Measure
from gateway.pricing.rates import Quote
from gateway.protocol.facts import Usage

# Windows of one limit that are remembered, for a clock that goes ahead and back: those
# of a month of days.
WINDOWS_KEPT = 32
# What is expected may be wrong of all running turns at once: when each of them is the
# largest there is, they come to so many times the limit.
_MOST_AT_ONCE = 3


class Charge(NamedTuple):
    """What one turn uses, or is expected to use; priced when a limit asks."""

    usage: Usage
    cost: int | None = None  # micro-dollars; None: as quoted
    model: str | None = None
    quote: Quote | None = None
    most_output: int = 0  # tokens it can write, whatever is expected; 0: not told
    # Whether `usage` is expected. Else nothing is known of such turns, and what it has
    # of output is the least to reserve.
    is_expected: bool = True

    @property
    def output(self) -> int:
        return max(0, self.usage.output_tokens)

    def amount(self, measure: Measure) -> int:
        return self._amount(measure, self.output)

    def bounds(self, measure: Measure, remaining: int) -> tuple[int, int]:
        """What to reserve of a limit of which so much remains; what it is at most."""
        expected = self.amount(measure)
        largest = self._amount(measure, max(self.output, self.most_output))
        if not self.is_expected:
            half = self._amount(measure, 0) + remaining // 2
            expected = min(max(expected, half), largest)
        expected = max(1, expected)
        return expected, max(expected, largest)

    def _amount(self, measure: Measure, output: int) -> int:
        """If it has so much output."""
        if measure is Measure.COST:
            return self._price(output)
        return _AMOUNTS[measure](max(0, self.usage.input_tokens), output)

    def _price(self, output: int) -> int:
        """The cost in micro-dollars; of an unknown price, the highest there is."""
        if self.cost is not None or self.quote is None:
            return self.cost or 0
        return self.quote.at_most(self.usage._replace(output_tokens=output))


# Of so much input and output.
_AMOUNTS: dict[Measure, Callable[[int, int], int]] = {
    Measure.TOKENS: add,
    Measure.INPUT: lambda input, output: input,
    Measure.OUTPUT: lambda input, output: output,
    Measure.REQUESTS: lambda input, output: 1,
}


class Charged(NamedTuple):
    """What a turn is charged: tokens and micro-dollars."""

    usage: Usage | None = None  # None: upstream took nothing on
    cost: int | None = None  # None: there is no price for it
    counted: int | None = None  # by its key's cost limits instead, at the highest rates
    cached_discount: int = 0  # on each cached token, in millionths of a micro-dollar
    is_estimate: bool = False  # of what upstream did not count


NOTHING_CHARGED = Charged()


class Hold(NamedTuple):
    """What one running turn sets aside of one counter."""

    counter: "WindowCounter"
    reserved: int
    largest: int  # what it comes to at most


class CounterIncrement(NamedTuple):
    """What this process used of a limit; it is added to what is stored.

    Not a total: during a handover two processes count the same limits.
    """

    limit_id: int
    window_start: int  # unix seconds
    used: int


@dataclass(slots=True, eq=False)
class WindowCounter:
    """The counter of one limit in one window; `start`, `end` in unix seconds."""

    limit: Limit
    start: int
    end: int
    used: int = 0
    reserved: int = 0
    running: int = 0  # turns of this process, and what they come to at most
    largest: int = 0
    unpersisted: int = 0  # of `used`, by this process

    @property
    def remaining(self) -> int:
        return max(0, self.limit.maximum - self.used)

    @property
    def is_exhausted(self) -> bool:
        return self.used >= self.limit.maximum

    def hold(self, estimate: Charge) -> Hold:
        """What a turn is to set aside: all it is expected to use, and one at least.

        Even more than what remains: cut to that, it would be too little once
        others settle below their estimates, and two turns would overshoot.
        """
        return Hold(self, *estimate.bounds(self.limit.measure, self.remaining))

    def fits(self, hold: Hold) -> bool:
        """Whether a turn may run beside those that do; one alone always may.

        Two of which less remains than both are expected to use run one after the
        other: only the first knows what is left for the second. More than two must
        not cost too much even if all of them take the most they can, or a key would
        prepare many large turns by tiny ones.
        """
        maximum = self.limit.maximum
        if self.reserved <= 0:
            return not self.is_exhausted
        if self.used + self.reserved + hold.reserved > maximum:
            return False
        largest = self.used + self.largest + hold.largest
        return self.running < 2 or largest <= _MOST_AT_ONCE * maximum

    def reserve(self, hold: Hold) -> None:
        """The turn runs."""
        self.reserved += hold.reserved
        self.largest += hold.largest
        self.running += 1

    def free(self, hold: Hold) -> None:
        """The turn has ended."""
        self.reserved -= hold.reserved
        self.largest -= hold.largest
        self.running -= 1

    def count(self, amount: int) -> None:
        """Count what a turn used."""
        self.unpersisted += amount
        self.count_remote(amount)

    def count_remote(self, amount: int) -> None:
        """Count what a turn of another process used, which persists it."""
        self.used += amount


class Ledger:
    """All counters, in memory; the database holds what was used."""

    def __init__(self) -> None:
        # By what the limit is, not by its id alone: a database may give the id of
        # a removed limit to a new one, which must not inherit its counter.
        self._counters: dict[tuple[object, ...], WindowCounter] = {}
        # The windows that each of these was in, by start, the latest used last.
        self._windows: dict[tuple[object, ...], dict[int, WindowCounter]] = {}
        self._restored: dict[int, dict[int, int]] = {}
        self._dirty: dict[tuple[int, int], WindowCounter] = {}

    def counters(self, key: Key, model: str | None, now: float) -> list[WindowCounter]:
        """The counters of the current windows that a turn with this model is in."""
        return [
            self._current(key, limit, now)
            for limit in key.limits
            if limit.applies_to(model)
        ]

    def all_counters(self, key: Key, now: float) -> list[WindowCounter]:
        return [self._current(key, limit, now) for limit in key.limits]

    def mark_dirty(self, counter: WindowCounter) -> None:
        """Have the counter among the next increments."""
        self._dirty[counter.limit.id, counter.start] = counter

    def take_increments(self) -> list[CounterIncrement]:
        """What to persist since the last call, oldest windows first."""
        increments = []
        for (limit_id, start), counter in self._dirty.items():
            increments.append(CounterIncrement(limit_id, start, counter.unpersisted))
            counter.unpersisted = 0
        self._dirty.clear()
        return sorted(increments)

    def restore(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """Load persisted (limit id, window start, used), before the first turn."""
        for limit_id, window_start, used in rows:
            self._restored.setdefault(limit_id, {})[window_start] = used

    def retain(self, keys: Iterable[Key]) -> None:
        """Drop the counters of limits that no key has any more."""
        keys = list(keys)
        held = {_identity(key, limit) for key in keys for limit in key.limits}
        for identity in self._counters.keys() - held:
            del self._counters[identity], self._windows[identity]
        ids = {limit.id for key in keys for limit in key.limits}
        for limit_id in self._restored.keys() - ids:
            del self._restored[limit_id]

    def _current(self, key: Key, limit: Limit, now: float) -> WindowCounter:
        identity = _identity(key, limit)
        counter = self._counters.get(identity)
        if (
            counter is not None
            and counter.limit is limit
            and counter.start <= now < counter.end
        ):
            return counter
        seconds = limit.window_seconds
        start = window_start(key.created_at, seconds, now)
        windows = self._windows.setdefault(identity, {})
        restored = self._restored.get(limit.id, {})
        # A clock set back a little must not start a used window anew; one that was
        # far ahead must not hold the counter there, nor have given it back.
        for at in (start, start + seconds):
            if at in restored or at == start:
                used = restored.pop(at, 0)
                windows.setdefault(at, WindowCounter(limit, at, at + seconds, used))
        counter = windows[start]
        later = windows.get(start + seconds)
        if later is not None and later.used >= counter.used:
            counter = later
        counter.limit = limit  # it may be the same one with another maximum
        windows[counter.start] = windows.pop(counter.start)
        while len(windows) > WINDOWS_KEPT:
            del windows[next(iter(windows))]
        self._counters[identity] = counter
        return counter


def window_start(created_at: int, seconds: int, now: float) -> int:
    """Unix seconds at which the window that `now` lies in began."""
    return created_at + max(0, (int(now) - created_at) // seconds) * seconds


def _identity(key: Key, limit: Limit) -> tuple[object, ...]:
    return key.id, limit.id, limit.measure, limit.window, limit.model
