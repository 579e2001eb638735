"""Client frames that wait for their turn on a socket."""

import asyncio
from collections import deque

from gateway.protocol.websocket_frames import CREATE, Frame, frame_kind

# One turn runs, a few may wait; more, or more bytes, and the client waits.
MOST_WAITING = 4
MOST_WAITING_BYTES = 16 * 1024 * 1024


class FrameQueue:
    """Bounded in number and bytes."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._changed = asyncio.Condition()
        self._is_closed = False

    async def put(self, frame: Frame) -> None:
        """Waits while the inbox is full: that is the back-pressure."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_room(len(frame)))
            if not self._is_closed:
                self._frames.append(frame)
                self._bytes += len(frame)
                self._changed.notify_all()

    async def get(self) -> Frame:
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._frames))
            frame = self._frames.popleft()
            self._bytes -= len(frame)
            self._changed.notify_all()
            return frame

    async def take_others(self) -> list[Frame]:
        """What came before the next turn: it belongs to the one that is running."""
        others: list[Frame] = []
        async with self._changed:
            while self._frames and frame_kind(self._frames[0]) not in (CREATE, None):
                others.append(self._frames.popleft())
            self._bytes -= sum(map(len, others))
            self._changed.notify_all()
        return others

    async def close(self) -> None:
        """Nobody takes frames any more: who waits to put one need not."""
        async with self._changed:
            self._is_closed = True
            self._frames.clear()
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        if self._is_closed or not self._frames:
            return True
        return (
            len(self._frames) < MOST_WAITING
            and self._bytes + size <= MOST_WAITING_BYTES
        )
