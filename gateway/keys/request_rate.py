"""RequestRate: requests per minute and concurrent turns, per key."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, KeysView

from gateway.events import Topic
from gateway.keys.key import Key
from gateway.keys.shared.share import (
    JUST_NOW,
    NOTHING_GRANTED,
    Holding,
    Resource,
    Share,
)

_MINUTE = 60.0


class RequestRate:
    """The requests of the last minute and the running turns of every key.

    Where several processes serve, each has its part of both; see `share`.
    """

    def __init__(self) -> None:
        self._starts: dict[int, deque[float]] = {}
        self._running: dict[int, int] = {}
        self.place_freed = Topic[int]()  # the key's id
        # None: this process has all there is.
        self._shares: dict[Resource, Share] | None = None
        self._known: dict[Resource, Key] = {}  # keys of which there is a share
        self._dirty: set[Resource] = set()
        self._taken: set[Resource] = set()  # of it, the last time

    def count(self, key: Key, now: float) -> int | None:
        """Count a request; refused, when the next is possible (unix seconds)."""
        if not key.rpm:
            return None
        until = self.full_until(key, now, 0)
        if until is None:
            self._starts[key.id].append(now)
            if self._shares is not None:
                self._dirty.add(rate_of(key))
        return until

    def full_until(self, key: Key, now: float, more: int) -> int | None:
        """When a request is possible (unix seconds), after so many more by now.

        None: at once. Nothing is counted.
        """
        if not key.rpm:
            return None
        most = key.rpm
        if self._shares is not None:
            self._known[rate_of(key)] = key
            most = min(most, self.share(rate_of(key)).granted)
        starts = self._recent(key, now)
        if len(starts) + more < most:
            return None
        if not starts:  # they are all elsewhere, or not here yet
            return math.ceil(now + _MINUTE)
        # The first of the minute, unless the rate was lowered.
        first = len(starts) + more - most
        return math.ceil((starts[first] if first < len(starts) else now) + _MINUTE)

    def remaining(self, key: Key, now: float) -> tuple[int, float]:
        """Requests that remain, and seconds until all of them do."""
        starts = self._recent(key, now)
        reset = starts[-1] + _MINUTE - now if starts else 0.0
        elsewhere = self.share(rate_of(key))
        used = len(starts) + elsewhere.held + elsewhere.lost
        return max(0, (key.rpm or 0) - used), reset

    def has_room(self, key: Key, more: int = 0, began: float = JUST_NOW) -> bool:
        """Whether a turn may run beside those that do, and so many more.

        `began`: since when it has waited, in loop time.
        """
        if not key.concurrency:
            return True
        running = self._running.get(key.id, 0) + more
        if running >= key.concurrency:
            return False
        if self._shares is None:
            return True
        turns = turns_of(key)
        self._known[turns] = key
        return self.share(turns).covers(running + 1, began)

    def change_running(self, key: Key, by: int) -> None:
        running = self._running.pop(key.id, 0) + by
        if running:
            self._running[key.id] = running
        if self._shares is not None and key.concurrency:
            self._dirty.add(turns_of(key))
        if by < 0:
            self.place_freed.publish(key.id)

    def add_starts(self, key: Key, starts: tuple[float, ...]) -> None:
        """Count requests that another process admitted."""
        if starts:
            known = self._starts.get(key.id, ())
            self._starts[key.id] = deque(sorted((*known, *starts)))

    def running(self, key: Key) -> int:
        """Turns of the key, as far as it is known here."""
        return self._running.get(key.id, 0) + self.share(turns_of(key)).held

    @property
    def all_running(self) -> int:
        """Turns of all keys together."""
        return sum(self._running.values())

    # Shared with other processes.

    def begin_sharing(self, keys: Iterable[Key], now: float) -> None:
        """From now on, no more than what is in hand, and what will be granted."""
        self._shares = {}
        for key in keys:
            if key.id not in self._running and key.id not in self._starts:
                continue
            for holding in self._holdings_of(key, now):
                if holding.held:
                    self._known[holding.resource] = key
                    share = NOTHING_GRANTED._replace(granted=holding.held)
                    self._shares[holding.resource] = share
                    self._dirty.add(holding.resource)

    def end_sharing(self) -> None:
        self._shares = None
        self._known.clear()
        self._dirty.clear()

    def share(self, resource: Resource) -> Share:
        return (self._shares or {}).get(resource, NOTHING_GRANTED)

    def take(self, resource: Resource, share: Share) -> None:
        """Go by what was granted."""
        if self._shares is not None:
            self._shares[resource] = share

    def take_dirty(self) -> set[Resource]:
        """What is to be written down since the last call."""
        self._taken, self._dirty = self._dirty, set()
        return self._taken

    @property
    def unwritten(self) -> set[Resource]:
        """What the database may not have yet."""
        return self._taken | self._dirty

    def holding(self, resource: Resource, now: float) -> Holding | None:
        """What this process has of a level; None for one that it has not used."""
        key = self._known.get(resource)
        if key is None:
            return None
        return next(
            (one for one in self._holdings_of(key, now) if one.resource == resource),
            None,
        )

    def known(self) -> KeysView[Resource]:
        """Levels of which there may be a share."""
        return self._known.keys()

    def mark_dirty(self) -> None:
        """Have all levels written down once more."""
        self._dirty.update(self._known)

    def _holdings_of(self, key: Key, now: float) -> Iterator[Holding]:
        if key.concurrency:
            running = self._running.get(key.id, 0)
            yield Holding(turns_of(key), key.concurrency, 0, running)
        if key.rpm:
            yield Holding(rate_of(key), key.rpm, 0, len(self._recent(key, now)))

    def _recent(self, key: Key, now: float) -> deque[float]:
        starts = self._starts.setdefault(key.id, deque())
        # A start in the future is left from before the clock was set back.
        while starts and not now - _MINUTE < starts[0] <= now:
            starts.popleft()
        return starts


def rate_of(key: Key) -> Resource:
    return Resource(f"rate:{key.id}")


def turns_of(key: Key) -> Resource:
    return Resource(f"turns:{key.id}")
