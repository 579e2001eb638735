"""Keeps strangers from filling the log with lines about what they send."""

import logging
import time
from collections.abc import Callable

SECONDS = 60.0


class SparseLog(logging.Filter):
    """Lets each line of a logger pass once a minute, whatever values stand in it.

    The next one that passes says how many did not.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        # By the line without its values, of which a library has a few dozen.
        self._passed: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        line, now = str(record.msg), self._clock()
        if now - self._passed.get(line, -SECONDS) < SECONDS:
            self._held_back[line] = self._held_back.get(line, 0) + 1
            return False
        self._passed[line] = now
        if held_back := self._held_back.pop(line, 0):
            record.msg = f"{record.getMessage()} ({held_back} more since the last)"
            record.args = None
        return True
