"""Writes to a client's socket beside Tornado, with as little as possible between.

What has been framed goes straight to the socket while the kernel accepts it; the rest
goes through Tornado's buffer, whose future is the back-pressure.

Relies on what Tornado does not document, seen in 4.5, 6.1 and 6.6: `IOStream.socket`,
and `HTTP1Connection.stream` carrying the body's chunks as they are.
"""

import asyncio
import socket

from tornado.http1connection import HTTP1Connection
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.web import RequestHandler

assert {"socket"} <= set(IOStream.__init__.__code__.co_names)
assert {"stream"} <= set(HTTP1Connection.__init__.__code__.co_names)


class RawStream:
    """Writes bytes in their order, between what Tornado writes itself."""

    def __init__(self, stream: IOStream) -> None:
        self._stream = stream
        # An encrypted stream has its own framing.
        is_plain = not isinstance(stream, SSLIOStream)
        self._socket: socket.socket | None = stream.socket if is_plain else None
        # Else two events within one round trip would wait for the first one's ACK.
        stream.set_nodelay(True)

    def write(self, data: bytes) -> "asyncio.Future[None] | None":
        """None when the kernel has it all; else a future that is the back-pressure.

        Raises StreamClosedError when the client is gone.
        """
        stream = self._stream
        if self._socket is None or stream.writing() or stream.closed():
            return stream.write(data)
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            stream.close()
            raise StreamClosedError(error) from error
        return None if sent == len(data) else stream.write(data[sent:])


class ClientStream:
    """Writes the body of one response block by block; Tornado writes head and end."""

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._chunks: RawStream | None = None

    def write(self, block: bytes) -> "asyncio.Future[None] | None":
        """Send one block; as `RawStream.write`."""
        if self._chunks is not None:
            return self._chunks.write(b"%x\r\n%b\r\n" % (len(block), block))
        # The head and the first block leave together.
        self._handler.write(block)
        flushed = self._handler.flush()
        request = self._handler.request
        stream = getattr(request.connection, "stream", None)
        if request.version == "HTTP/1.1" and isinstance(stream, IOStream):
            self._chunks = RawStream(stream)  # HTTP/1.0 knows no chunks
        if not flushed.done():
            return flushed
        flushed.result()
        return None
