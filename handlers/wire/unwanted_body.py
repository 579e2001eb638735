"""The body of a request that is refused while it is still being sent.

A connection that is closed with unread bytes in it is reset, and many a client then
does not read the response that explains it: Codex takes a reset for a fault of the
network, and repeats the request thirty times. So a refusal waits a moment for the rest
of a small body. Otherwise it is sent at once, what is under way is read and thrown
away, up to a bound, and only then the connection ends.

Relies on what Tornado does not document, seen in 4.5, 6.1 and 6.6:
`HTTP1Connection.stream` and its `socket`, and `HTTPServerRequest._body_future`, which
fails when the connection is closed.
"""

import asyncio
import re
import socket
from collections.abc import Callable
from contextlib import suppress

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream
from tornado.web import RequestHandler

assert {"stream"} <= set(HTTP1Connection.__init__.__code__.co_names)
assert {"_body_future"} <= set(RequestHandler.on_connection_close.__code__.co_names)
assert {"socket"} <= set(IOStream.__init__.__code__.co_names)

# Of a body that nobody wants. A connection whose refused body was smaller is kept.
MAX_DISCARDED_BYTES = 256 * 1024
# What 64 bits can count; `isdigit` knows digits that `int` does not take, and `int`
# takes no more than some thousand of them. Tornado refuses everything else.
_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)


class IncomingBody:
    """Counts what is still to arrive of one request's body, and can discard it."""

    def __init__(self, request: HTTPServerRequest) -> None:
        headers = request.headers
        self._connection = request.connection
        length = headers.get("content-length", "")
        self.remaining = int(length) if _LENGTH.fullmatch(length) else 0
        self.received = 0
        self._is_chunked = "transfer-encoding" in headers
        # A client that expects "100 Continue" has not begun, and a close tells it so.
        self._expects_continue = "expect" in headers
        self.ends_connection = False  # with the response
        self.was_awaited = False
        self._discarded = 0
        self._timer: asyncio.TimerHandle | None = None
        self._pause: asyncio.Future[None] | None = None
        self._on_end: Callable[[], object] | None = None

    def should_be_awaited(self) -> bool:
        """Whether a refusal waits for the rest; else it ends the connection."""
        self.ends_connection = (
            self._expects_continue
            or self._is_chunked
            or self.remaining > MAX_DISCARDED_BYTES
        )
        self.was_awaited = not self.ends_connection
        return self.was_awaited

    @property
    def should_be_discarded(self) -> bool:
        """Whether the response is sent now, and the connection read for a while."""
        return self.ends_connection and not self._expects_continue and self.is_arriving

    @property
    def is_arriving(self) -> bool:
        return self._is_chunked or self.remaining > 0

    @property
    def is_being_discarded(self) -> bool:
        return self._timer is not None

    def close_connection(self) -> None:
        """Close the connection of a body that takes too long."""
        if isinstance(self._connection, HTTP1Connection):
            self._connection.stream.close()

    def discard(self, seconds: float, on_end: Callable[[], object]) -> None:
        """Call `on_end` when the rest has arrived, or takes too long.

        The end of chunks is not reported to handlers, so only time ends those.
        """
        loop = asyncio.get_running_loop()
        self._on_end = on_end
        self._pause = loop.create_future()
        self._timer = loop.call_later(seconds, self._stop)

    def count(self, size: int) -> "asyncio.Future[None] | None":
        """Count bytes that arrived; what it returns is waited for before the next.

        Past the bound nothing more is read, but the client has the rest of the time to
        read its answer: closing the connection would reset it.
        """
        self.received += size
        self.remaining = max(0, self.remaining - size)
        if not self.is_being_discarded:
            return None
        self._discarded += size
        if not self.is_arriving:
            self._stop()
        elif self._discarded >= MAX_DISCARDED_BYTES:
            return self._pause
        return None

    def cancel(self) -> None:
        """Stop discarding: the client has hung up."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(None)
        self._on_end = None

    def _stop(self) -> None:
        on_end = self._on_end
        self.cancel()
        self.remaining, self._is_chunked = 0, False
        if on_end is not None:
            on_end()


def forget_unread_body(request: HTTPServerRequest) -> None:
    """Let go of the handler that waits for a body whose client has hung up.

    It meets an error that its request holds, and with the traceback all of itself.
    """
    waiting = request._body_future
    if waiting.done() and (error := waiting.exception()) is not None:
        loop = asyncio.get_running_loop()
        loop.call_soon(error.with_traceback, None)  # when it has been raised


def shut_down_writing(request: HTTPServerRequest) -> None:
    """Close our direction, and go on reading (RFC 9112, section 9.6).

    Tornado would answer a second time when the rest turns out to be no proper body.
    """
    connection = request.connection
    if isinstance(connection, HTTP1Connection) and not connection.stream.closed():
        with suppress(OSError):  # the client has hung up
            connection.stream.socket.shutdown(socket.SHUT_WR)
