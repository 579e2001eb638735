"""Deadlines: one timer for many waits of the same length."""

import asyncio
from collections.abc import Callable, Hashable
from itertools import count

# The others of the loop get a turn after so many: what began at once is due at once.
MOST_OVERDUE = 16


class Deadlines:
    """Calls back for every wait that does not end within `seconds`.

    Nearly all end in time: a timer that is made and cancelled for each of them costs
    more than all else about it. As they are equally long, the oldest is due first.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # By waiter, oldest first: when the time is over, and what is called then.
        self._waits: dict[Hashable, tuple[float, Callable[[], object]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, waiter: Hashable, on_timeout: Callable[[], object]) -> None:
        """Start a wait; a waiter that has one already starts again."""
        self._waits.pop(waiter, None)  # or it would keep its place among the older ones
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        self._waits[waiter] = until, on_timeout
        if self._timer is None:
            self._timer = loop.call_at(until, self._call_overdue)

    def __contains__(self, waiter: Hashable) -> bool:
        return waiter in self._waits

    def end(self, waiter: Hashable) -> None:
        """End the waiter's wait, if it has one."""
        self._waits.pop(waiter, None)

    def close(self) -> None:
        """Forget all waits without calling back."""
        self._waits.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _call_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        for called in count():
            if not self._waits:
                return
            waiter, (until, on_timeout) = next(iter(self._waits.items()))
            if until > now or called == MOST_OVERDUE:
                self._timer = loop.call_at(until, self._call_overdue)
                return
            self.end(waiter)
            on_timeout()
