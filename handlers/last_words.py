"""Lets a client read why its socket ends while it is still sending.

Closing a connection with unread bytes in it resets it, and what was said last is
lost on the way. So a copy of the socket lives on a little and drops what comes.
"""

import asyncio
import socket

SECONDS = 2.0
_PIECE = 64 * 1024


def outlive(sock: socket.socket) -> None:
    """Call before the socket is closed; the copy ends by itself."""
    _Copy(sock.dup())


class _Copy:
    """Kept alive by the loop until its client has left or the time is over."""

    def __init__(self, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        sock.setblocking(False)
        sock.shutdown(socket.SHUT_WR)
        self._loop.add_reader(sock, self._drop)
        self._deadline = self._loop.call_later(SECONDS, self._end)

    def _drop(self) -> None:
        try:
            if self._socket.recv(_PIECE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass  # the client has left
        self._end()

    def _end(self) -> None:
        self._deadline.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()
