"""What a client still sends of a body that nobody wants any more.

A connection that is closed with unread bytes in it is reset, and many a client then
does not read the answer that explains it. So a refusal waits for the rest of a small
body; before a large one, and before chunks, it leaves at once, and the rest is dropped
for a while.
"""

import asyncio
import re
import socket
from collections.abc import Callable
from contextlib import suppress

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerRequest

SMALL_BODY_BYTES = 1024 * 1024
DROPPING_SECONDS = 2.0
# Twice the largest body that is usually allowed.
DROPPED_BYTES = 256 * 1024 * 1024
# What 64 bits can count; `isdigit` knows digits that `int` does not take, and `int`
# takes no more than some thousand of them. Tornado refuses everything else.
_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)


class RestOfBody:
    """How much of one request's body is still to come, as its head tells."""

    def __init__(self, request: HTTPServerRequest) -> None:
        headers = request.headers
        self._connection = request.connection
        length = headers.get("content-length", "")
        self.to_come = int(length) if _LENGTH.fullmatch(length) else 0
        self._is_chunked = "transfer-encoding" in headers
        # Who expects to be told to go on has not begun, and is told so by an end.
        self._is_expecting = "expect" in headers
        self.hangs_up = False  # the answer ends the connection
        self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None

    def is_worth_waiting(self) -> bool:
        """Whether a refusal should wait for it. Else the answer is the last one."""
        self.hangs_up = (
            self._is_expecting or self._is_chunked or self.to_come > SMALL_BODY_BYTES
        )
        return not self.hangs_up

    @property
    def is_to_be_dropped(self) -> bool:
        """Whether the answer should leave now, and the connection live on a little."""
        return self.hangs_up and not self._is_expecting and self.is_coming

    @property
    def is_coming(self) -> bool:
        return self._is_chunked or self.to_come > 0

    def give_up(self) -> None:
        """It takes too long: hang up."""
        if isinstance(self._connection, HTTP1Connection):
            self._connection.stream.close()

    @property
    def is_being_dropped(self) -> bool:
        return self._timer is not None

    def drop(self, end: Callable[[], object]) -> None:
        """Call `end` when the rest has come, or is too much, or takes too long.

        That chunks have come to their end, nobody tells.
        """
        loop = asyncio.get_running_loop()
        self._end = end
        self._timer = loop.call_later(DROPPING_SECONDS, self.stop)

    def count(self, size: int) -> None:
        """So many more bytes have come."""
        self.to_come = max(0, self.to_come - size)
        if not self.is_being_dropped:
            return
        self._dropped += size
        if not self.is_coming or self._dropped > DROPPED_BYTES:
            self.stop()

    def stop(self) -> None:
        self.cancel()
        self.to_come, self._is_chunked = 0, False
        self._end()

    def cancel(self) -> None:
        """The client is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def say_no_more(connection: object) -> None:
    """Close our direction, and go on reading (RFC 9112, section 9.6).

    Tornado would answer a second time when the rest turns out to be no proper body.
    """
    if isinstance(connection, HTTP1Connection) and not connection.stream.closed():
        with suppress(OSError):  # the client has left
            connection.stream.socket.shutdown(socket.SHUT_WR)
