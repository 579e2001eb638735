"""Lets a client read why its socket ends while it is still sending.

Closing a connection with unread bytes in it resets it, and what was said last is
lost on the way. So a copy of the socket lives on a little and drops what comes.
"""

import asyncio
import socket
from collections.abc import Callable

SECONDS = 2.0
_PIECE = 64 * 1024


class LastWords:
    """The copies that live; `close` ends them all."""

    def __init__(self) -> None:
        self._copies: set[_Copy] = set()

    def outlive(self, sock: socket.socket) -> None:
        """Call before the socket is closed; the copy ends by itself."""
        self._copies.add(_Copy(sock.dup(), self._copies.discard))

    def close(self) -> None:
        for copy in list(self._copies):
            copy.end()


class _Copy:
    """Lives until its client has left or the time is over."""

    def __init__(
        self, sock: socket.socket, on_end: Callable[["_Copy"], object]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._on_end = on_end
        sock.setblocking(False)
        sock.shutdown(socket.SHUT_WR)
        self._loop.add_reader(sock, self._drop)
        self._deadline = self._loop.call_later(SECONDS, self.end)

    def _drop(self) -> None:
        try:
            if self._socket.recv(_PIECE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass  # the client has left
        self.end()

    def end(self) -> None:
        self._on_end(self)
        self._deadline.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()
