"""What a client still sends of a body that nobody wants any more.

A connection that is closed with unread bytes in it is reset, and many a client then
does not read the answer that explains it. So a refusal waits for the rest of a small
body; before a large one it leaves at once, and the rest is dropped for a while.
"""

import asyncio
import re
from collections.abc import Callable, Mapping

SMALL_BODY_BYTES = 1024 * 1024
DROPPING_SECONDS = 2.0
# What 64 bits can count; `isdigit` knows digits that `int` does not take, and `int`
# takes no more than some thousand of them. Tornado refuses everything else.
_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)


class RestOfBody:
    """How much of one request's body is still to come, as its head tells."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        length = headers.get("content-length", "")
        self.to_come = int(length) if _LENGTH.fullmatch(length) else 0
        # Chunks have no end in sight; who expects to be told to go on has not begun.
        self._is_uncertain = "transfer-encoding" in headers or "expect" in headers
        self.hangs_up = False  # the answer ends the connection
        self._timer: asyncio.TimerHandle | None = None

    def is_worth_waiting(self) -> bool:
        """Whether a refusal should wait for it. Else the answer is the last one."""
        self.hangs_up = self._is_uncertain or self.to_come > SMALL_BODY_BYTES
        return not self.hangs_up

    @property
    def is_to_be_dropped(self) -> bool:
        """Whether the answer should leave now, and the connection live on a little."""
        return self.hangs_up and not self._is_uncertain and self.to_come > 0

    @property
    def is_being_dropped(self) -> bool:
        return self._timer is not None

    def drop(self, end: Callable[[], object]) -> None:
        """Call `end` when the rest has come, or that takes too long."""
        loop = asyncio.get_running_loop()
        self._end = end
        self._timer = loop.call_later(DROPPING_SECONDS, self.stop)

    def count(self, size: int) -> None:
        """So many more bytes have come."""
        self.to_come = max(0, self.to_come - size)
        if not self.to_come and self.is_being_dropped:
            self.stop()

    def stop(self) -> None:
        self.cancel()
        self.to_come = 0
        self._end()

    def cancel(self) -> None:
        """The client is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
