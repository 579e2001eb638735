"""Counters of the keys' limits: what is used and reserved in the current windows.

Windows are exact steps from the key's creation. A turn belongs to the window it was
admitted in, however long it runs: the next window starts at zero, and no turn is
counted twice or in a window that never admitted it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import add
from typing import NamedTuple

from gateway.keys.key import Key, Limit, Measure
from gateway.keys.shared.share import (
    JUST_NOW,
    NOTHING_GRANTED,
    Holding,
    Resource,
    Share,
)
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


@dataclass(slots=True, eq=False)
class WindowCounter:
    """The counter of one limit in one window; `start`, `end` in unix seconds."""

    limit: Limit
    start: int
    end: int
    used: int = 0  # by all processes, as far as it is known here
    reserved: int = 0  # by turns that run here, as the next two
    running: int = 0
    largest: int = 0  # what they come to at most
    own: int = 0  # of `used`, by this process
    lost: int = 0  # reserved by processes that have ended: it may have been used
    share: Share | None = None  # None: all that remains is this process's

    @property
    def resource(self) -> Resource:
        return Resource(f"limit:{self.limit.id}", self.start)

    @property
    def remaining(self) -> int:
        return max(0, self.limit.maximum - self.used - self.lost)

    @property
    def is_exhausted(self) -> bool:
        return self.remaining == 0

    def hold(self, estimate: Charge) -> Hold:
        """What a turn is to set aside: all it is expected to use, and one at least.

        Even more than what remains: cut to that, it would be too little once
        others settle below their estimates, and two turns would overshoot.
        """
        return Hold(self, *estimate.bounds(self.limit.measure, self.remaining))

    def fits(self, hold: Hold, began: float = JUST_NOW) -> bool:
        """Whether a turn may run beside those that do; one alone always may.

        `began`: since when it has waited, in loop time.

        Two of which less remains than both are expected to use run one after the
        other: only the first knows what is left for the second. More than two must
        not cost too much even if all of them take the most they can, or a key would
        prepare many large turns by tiny ones.
        """
        maximum = self.limit.maximum
        if self.share is not None:
            if not self._is_granted(hold, self.share, began):
                return False
        elif self.reserved <= 0:
            return not self.is_exhausted
        elif self.reserved + hold.reserved > self.remaining:
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
        self.own += amount
        self.used += amount

    def holding(self) -> Holding:
        return Holding(self.resource, self.limit.maximum, self.own, self.reserved)

    def take(self, share: Share) -> None:
        """Go by what was granted, and by what the others have used."""
        self.share, self.lost = share, share.lost
        self.used = self.own + share.used

    def _is_granted(self, hold: Hold, share: Share, began: float) -> bool:
        if share.is_sole and self.reserved <= 0:
            has_rest = self.own < share.granted and not self.is_exhausted
            return has_rest and began <= share.asked_at
        wanted = self.reserved + hold.reserved
        return wanted <= self.remaining and share.covers(self.own + wanted, began)


class Ledger:
    """All counters, in memory; the database holds what was used."""

    def __init__(self) -> None:
        self.is_shared = False  # whether a counter begins with nothing granted
        # By what the limit is, not by its id alone: a database may give the id of
        # a removed limit to a new one, which must not inherit its counter.
        self._counters: dict[tuple[object, ...], WindowCounter] = {}
        # The windows that each of these was in, by start, the latest used last.
        self._windows: dict[tuple[object, ...], dict[int, WindowCounter]] = {}
        self._restored: dict[int, dict[int, tuple[int, int]]] = {}
        self.dirty: dict[WindowCounter, None] = {}  # to be written down

    def __iter__(self) -> Iterator[WindowCounter]:
        """Every counter of every window that is remembered."""
        for windows in self._windows.values():
            yield from windows.values()

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
        """Have the counter written down with the next."""
        self.dirty[counter] = None

    def take_dirty(self) -> list[WindowCounter]:
        """What is to be written down since the last call."""
        counters = list(self.dirty)
        self.dirty.clear()
        return counters

    def restore(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        """Load (limit id, window start, used, lost) of all other processes.

        Before the first turn, or when those have ended.
        """
        self._restored = {}
        for limit_id, window_start, used, lost in rows:
            self._restored.setdefault(limit_id, {})[window_start] = (used, lost)
        for counter in self:
            used, lost = self._take_restored(counter.limit.id, counter.start)
            counter.used, counter.lost = counter.own + used, lost

    def retain(self, keys: Iterable[Key]) -> None:
        """Drop the counters of limits that no key has any more."""
        keys = list(keys)
        held = {_identity(key, limit) for key in keys for limit in key.limits}
        for identity in self._counters.keys() - held:
            del self._counters[identity], self._windows[identity]
        ids = {limit.id for key in keys for limit in key.limits}
        for limit_id in self._restored.keys() - ids:
            del self._restored[limit_id]

    def _take_restored(self, limit_id: int, start: int) -> tuple[int, int]:
        return self._restored.get(limit_id, {}).pop(start, (0, 0))

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
        # A clock set back a little must not start a used window anew; one that was
        # far ahead must not hold the counter there, nor have given it back.
        for at in (start, start + seconds):
            if at == start or at in self._restored.get(limit.id, {}):
                windows.setdefault(at, self._begin(limit, at))
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

    def _begin(self, limit: Limit, start: int) -> WindowCounter:
        used, lost = self._take_restored(limit.id, start)
        end = start + limit.window_seconds
        counter = WindowCounter(limit, start, end, used, lost=lost)
        if self.is_shared:
            counter.share = NOTHING_GRANTED._replace(used=used, lost=lost)
        return counter


def window_start(created_at: int, seconds: int, now: float) -> int:
    """Unix seconds at which the window that `now` lies in began."""
    return created_at + max(0, (int(now) - created_at) // seconds) * seconds


def _identity(key: Key, limit: Limit) -> tuple[object, ...]:
    return key.id, limit.id, limit.measure, limit.window, limit.model
