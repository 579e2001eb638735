"""Clients' connections: heads that arrive have a deadline and a common bound, answers
that are not read a deadline.

Relies on what Tornado does not document, seen in 6.1 and 6.6: every byte that a stream
buffers coming through `IOStream.read_from_fd`, what it sends through `write_to_fd`, of
which 0 means that nothing more is taken, and `_read_buffer_size`.
"""

import asyncio
import socket
from collections.abc import Hashable
from itertools import count

from tornado.iostream import BaseIOStream, IOStream

from gateway.errors import forget_traceback
from handlers.wire.deadlines import Deadlines
from handlers.wire.hang_ups import HangUps

assert {"read_from_fd", "_read_buffer_size"} <= set(
    BaseIOStream._read_to_buffer.__code__.co_names
)
assert {"write_to_fd"} <= set(BaseIOStream._handle_write.__code__.co_names)

# Many thousands of heads as clients send them, or 256 of the largest that are read.
HEAD_BUDGET_BYTES = 32 * 1024 * 1024

NUMBERS = count(1)  # of connections


class CountedStream(IOStream):
    """A client's connection: what it sends of a head counts, and it has to read."""

    heads: "ArrivingHeads | None" = None

    def __init__(
        self, connection: socket.socket, unread: Deadlines, hang_ups: HangUps
    ) -> None:
        super().__init__(connection)
        super().set_nodelay(True)
        self.number = next(NUMBERS)
        self._unread = unread
        self._hang_ups = hang_ups

    def set_nodelay(self, value: bool) -> None:
        """It is for good: Tornado would turn it off and on with every response."""

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        try:
            size = super().read_from_fd(buf)
        except ConnectionError:
            if self._hang_ups.may_end(self):
                raise
            return None
        finally:
            del buf
        if size == 0 and not self._hang_ups.may_end(self):
            return None
        if size and self.heads is not None:
            self.heads.count(self, size)
        return size

    def write_to_fd(self, data: memoryview) -> int:
        size = len(data)
        try:
            sent = super().write_to_fd(data)
        except BlockingIOError:
            sent = 0
        finally:
            del data  # its exporter may not be held by a traceback
        if sent == size:
            self._unread.end(self)
        elif sent or self not in self._unread:
            self._unread.begin(self, self.close)
        return sent

    def close_fd(self) -> None:
        self._unread.end(self)
        super().close_fd()
        if self.error is not None:  # Tornado keeps it: without the frames it met
            forget_traceback(self.error)


class ArrivingHeads:
    """Closes the connection of a head that takes too long, or the oldest ones.

    Strangers may begin any number of heads. Whole ones are let through at once, so
    beyond the bound it is theirs that have been here for longest.
    """

    def __init__(self, seconds: float, limit: int = HEAD_BUDGET_BYTES) -> None:
        self._deadlines = Deadlines(seconds)
        self._limit = limit
        self._streams: dict[Hashable, CountedStream] = {}
        # Bytes of those that have begun, the oldest first.
        self._begun: dict[CountedStream, int] = {}
        self.used = 0

    def begin(self, connection: Hashable, stream: CountedStream) -> None:
        """The connection's next head is awaited; some of it may be here."""
        self._deadlines.begin(connection, stream.close)
        self._streams[connection] = stream
        stream.heads = self
        if stream._read_buffer_size:
            self.count(stream, stream._read_buffer_size)

    def count(self, stream: CountedStream, size: int) -> None:
        """So much more of a head is here."""
        self._begun[stream] = self._begun.get(stream, 0) + size
        self.used += size
        while self.used > self._limit:
            oldest = next(iter(self._begun))
            self._forget(oldest)
            # Not at once: it may be the one that is just being read.
            asyncio.get_running_loop().call_soon(oldest.close)

    def end(self, connection: Hashable) -> None:
        """The head is whole, or its connection has ended."""
        self._deadlines.end(connection)
        stream = self._streams.pop(connection, None)
        if stream is not None:
            self._forget(stream)

    def close(self) -> None:
        self._deadlines.close()

    def _forget(self, stream: CountedStream) -> None:
        stream.heads = None
        self.used -= self._begun.pop(stream, 0)
