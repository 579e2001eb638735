"""One timer for many waits that may all take equally long."""

import asyncio
from collections.abc import Callable, Hashable


class Deadlines:
    """Calls back for every wait that has not ended within `seconds`.

    Nearly all end in time: a timer that is made and cancelled for each of them costs
    more than all else about it. As they are equally long, the oldest is due first.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # By who waits, oldest first: when the time is over, and what is done then.
        self._waits: dict[Hashable, tuple[float, Callable[[], object]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, who: Hashable, give_up: Callable[[], object]) -> None:
        """Have `give_up` called once `who`, who may begin anew, has waited too long."""
        self.end(who)  # or it would keep its place among the older ones
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        self._waits[who] = until, give_up
        if self._timer is None:
            self._timer = loop.call_at(until, self._look)

    def end(self, who: Hashable) -> None:
        """Idempotent, and as good for who has never begun."""
        self._waits.pop(who, None)

    def close(self) -> None:
        """Let all of them wait for ever."""
        self._waits.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        while self._waits:
            who, (until, give_up) = next(iter(self._waits.items()))
            if until > now:
                self._timer = loop.call_at(until, self._look)
                return
            self.end(who)
            give_up()
