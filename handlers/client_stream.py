"""A streaming answer's way to the client's socket, with as little as possible between.

Tornado writes the head and ends the answer. The chunks between go straight to the
socket while the kernel takes them; what it does not take goes through Tornado's
buffer, whose future is the back-pressure.
"""

import asyncio
import socket

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.web import RequestHandler


class ClientStream:
    """Writes blocks of one chunked answer of a handler."""

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._stream: IOStream | None = None
        self._socket: socket.socket | None = None

    def write(self, block: bytes) -> "asyncio.Future[None] | None":
        """Send one block; a future when the client has to catch up first.

        Raises StreamClosedError when the client is gone.
        """
        stream = self._stream
        if stream is None:
            return self._begin(block)
        if self._socket is None:
            self._handler.write(block)
            return _unless_done(self._handler.flush())
        chunk = b"%x\r\n%b\r\n" % (len(block), block)
        if not stream.writing():
            try:
                sent = self._socket.send(chunk)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                stream.close()
                raise StreamClosedError(error) from error
            if sent == len(chunk):
                return None
            chunk = chunk[sent:]
        return stream.write(chunk)

    def _begin(self, block: bytes) -> "asyncio.Future[None] | None":
        """The head and the first block leave together, by Tornado's hands."""
        connection = self._handler.request.connection
        stream = getattr(connection, "stream", None)
        assert isinstance(stream, IOStream)
        self._stream = stream
        self._handler.write(block)
        waiting = _unless_done(self._handler.flush())
        stream.set_nodelay(True)
        # HTTP/1.0 knows no chunks, and an encrypted stream has its own framing.
        is_plain = self._handler.request.version == "HTTP/1.1" and not isinstance(
            stream, SSLIOStream
        )
        self._socket = stream.socket if is_plain else None
        return waiting


def _unless_done(future: "asyncio.Future[None]") -> "asyncio.Future[None] | None":
    if not future.done():
        return future
    future.result()
    return None
