"""Connections that bring much are read in turn, a portion each time.

One with megabytes waiting would else be read for as long as they last, forty of them
at once, and every step of every other turn stands behind that.
"""

import asyncio
from collections import deque

# What one brings before others have their turn; an answer is mostly smaller.
PORTION_BYTES = 128 * 1024


class FairReading:
    """Who waits to be read on; round robin, one each time around the loop."""

    def __init__(self) -> None:
        self._waiting: deque[ReadingControl] = deque()

    def wait(self, control: "ReadingControl") -> None:
        """Let it read on when its turn comes."""
        self._waiting.append(control)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        control = self._waiting.popleft()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        control.take_turn()


class ReadingControl:
    """Whether one transport is read: not while its reader has enough, nor while
    it is not its turn."""

    def __init__(self, transport: asyncio.Transport, order: FairReading) -> None:
        self._transport = transport
        self._order = order
        self._brought = 0  # bytes since its last turn
        self._is_paused = self._is_waiting = False

    def pause(self) -> None:
        """The reader has enough."""
        if not (self._is_paused or self._transport.is_closing()):
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """The reader can take more."""
        if self._is_paused:
            self._is_paused = False
            self._read_on()

    def count(self, brought: int) -> None:
        """Note the bytes of one read."""
        self._brought += brought
        if self._brought < PORTION_BYTES or self._is_waiting:
            return
        if not self._transport.is_closing():
            self._is_waiting = True
            self._transport.pause_reading()
            self._order.wait(self)

    def take_turn(self) -> None:
        self._is_waiting, self._brought = False, 0
        self._read_on()

    def _read_on(self) -> None:
        if not (self._is_paused or self._is_waiting or self._transport.is_closing()):
            self._transport.resume_reading()
