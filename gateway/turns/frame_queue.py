"""Client frames that wait for their turn on a socket."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gateway.protocol.websocket_frames import CREATE, Frame, frame_kind

# One turn runs, a few may wait; more, or more bytes, and the client waits.
MOST_WAITING = 4
MOST_WAITING_BYTES = 16 * 1024 * 1024


@dataclass(slots=True, eq=False)
class ClientFrame:
    """One frame, and what gives back the memory it counts for; idempotent."""

    frame: Frame
    free: Callable[[], None]

    def take(self) -> Frame:
        """The frame, once: it must not live as long as its turn."""
        frame, self.frame = self.frame, b""
        return frame


class FrameQueue:
    """Bounded in number and bytes."""

    def __init__(self) -> None:
        self._waiting: deque[ClientFrame] = deque()
        self._bytes = 0
        self._changed = asyncio.Condition()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def put(self, message: ClientFrame) -> None:
        """Waits while the inbox is full: that is the back-pressure."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_room(len(message.frame)))
            if self._is_closed:
                message.free()
                return
            self._waiting.append(message)
            self._bytes += len(message.frame)
            self._changed.notify_all()

    async def get(self) -> ClientFrame:
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting))
            message = self._waiting.popleft()
            self._bytes -= len(message.frame)
            self._changed.notify_all()
            return message

    async def take_others(self) -> list[Frame]:
        """What came before the next turn: it belongs to the one that is running."""
        others: list[Frame] = []
        while self._waiting and _is_other(self._waiting[0].frame):
            message = await self.get()
            message.free()
            others.append(message.frame)
        return others

    async def close(self) -> None:
        """Nobody takes frames any more: who waits to put one need not."""
        async with self._changed:
            self._is_closed = True
            while self._waiting:
                self._waiting.popleft().free()
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        if self._is_closed or not self._waiting:
            return True
        return (
            len(self._waiting) < MOST_WAITING
            and self._bytes + size <= MOST_WAITING_BYTES
        )


def _is_other(frame: Frame) -> bool:
    return frame_kind(frame) not in (CREATE, None)
