"""Lingering close: a client that is still sending can read why its socket ends.

Closing a socket with unread bytes resets the connection, and what was sent last is
lost on the way. So a duplicate of the socket stays open a little longer and discards
what arrives.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

LINGER_SECONDS = 2.0
_PIECE = 64 * 1024


class LingeringSockets:
    """The sockets that are open for no more than that; `close` closes them all."""

    def __init__(self) -> None:
        self._open: set[_Lingering] = set()

    def linger(self, sock: socket.socket) -> None:
        """Call before the socket is closed; the duplicate closes by itself."""
        self.close_later(sock.dup())

    def close_later(self, sock: socket.socket) -> None:
        """Take the socket over, and close it in the end."""
        self._open.add(_Lingering(sock, self._open.discard))

    def close(self) -> None:
        for duplicate in list(self._open):
            duplicate.close()


class _Lingering:
    """Discards what arrives until the client hangs up or the time is over."""

    def __init__(
        self, sock: socket.socket, on_close: Callable[["_Lingering"], object]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._on_close = on_close
        sock.setblocking(False)
        with suppress(OSError):  # the client has hung up, which is read below
            sock.shutdown(socket.SHUT_WR)
        self._loop.add_reader(sock, self._discard)
        self._deadline = self._loop.call_later(LINGER_SECONDS, self.close)

    def _discard(self) -> None:
        try:
            if self._socket.recv(_PIECE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass  # the client has hung up
        self.close()

    def close(self) -> None:
        self._on_close(self)
        self._deadline.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()
