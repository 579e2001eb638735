"""RequestRate: requests per minute and concurrent turns, per key."""

import math
from collections import deque

from gateway.events import Topic
from gateway.keys.key import Key

_MINUTE = 60.0


class RequestRate:
    """The requests of the last minute and the running turns of every key."""

    def __init__(self) -> None:
        self._starts: dict[int, deque[float]] = {}
        self._running: dict[int, int] = {}
        self.place_freed = Topic[int]()  # the key's id

    def count(self, key: Key, now: float) -> int | None:
        """Count a request; refused, when the next is possible (unix seconds)."""
        if not key.rpm:
            return None
        starts = self._recent(key, now)
        if len(starts) >= key.rpm:
            # The first of the minute, unless the rate was lowered.
            return math.ceil(starts[len(starts) - key.rpm] + _MINUTE)
        starts.append(now)
        return None

    def full_until(self, key: Key, now: float, more: int) -> int | None:
        """When a request is possible (unix seconds), after so many more by now.

        None: at once. Nothing is counted.
        """
        starts = [*self._recent(key, now), *[now] * more] if key.rpm else []
        if not key.rpm or len(starts) < key.rpm:
            return None
        return math.ceil(starts[len(starts) - key.rpm] + _MINUTE)

    def remaining(self, key: Key, now: float) -> tuple[int, float]:
        """Requests that remain, and seconds until all of them do."""
        starts = self._recent(key, now)
        reset = starts[-1] + _MINUTE - now if starts else 0.0
        return max(0, (key.rpm or 0) - len(starts)), reset

    def has_room(self, key: Key, more: int = 0) -> bool:
        """Whether a turn may run beside those that do, and so many more."""
        running = self._running.get(key.id, 0) + more
        return not key.concurrency or running < key.concurrency

    def change_running(self, key: Key, by: int) -> None:
        running = self._running.pop(key.id, 0) + by
        if running:
            self._running[key.id] = running
        if by < 0:
            self.place_freed.publish(key.id)

    def starts(self, key: Key, now: float) -> tuple[float, ...]:
        """The requests of the last minute, in unix seconds."""
        return tuple(self._recent(key, now))

    def add_starts(self, key: Key, starts: tuple[float, ...]) -> None:
        """Count requests that another process admitted."""
        if starts:
            known = self._starts.get(key.id, ())
            self._starts[key.id] = deque(sorted((*known, *starts)))

    def running(self, key: Key) -> int:
        return self._running.get(key.id, 0)

    @property
    def all_running(self) -> int:
        """Turns of all keys together."""
        return sum(self._running.values())

    def _recent(self, key: Key, now: float) -> deque[float]:
        starts = self._starts.setdefault(key.id, deque())
        # A start in the future is left from before the clock was set back.
        while starts and not now - _MINUTE < starts[0] <= now:
            starts.popleft()
        return starts
