"""LineLink: short messages between a parent process and a worker, a line of JSON each.

Processes of two releases talk over it: the kinds of messages stay as they are.
"""

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# From a worker.
SERVING, LEAVING = "serving", "leaving"
# From its parent, besides the words of an `Order`: a member that died, by its number.
ENDED = "ended"
_MOST_BYTES = 64 * 1024


class LineLink:
    """One end of a connected socket, which is read on the loop until it is closed."""

    def __init__(
        self,
        connected: socket.socket,
        receive: Callable[[str, Any], None],
        lose: Callable[[], None],
    ) -> None:
        """`receive` gets each message, `lose` is called once the other end is gone."""
        connected.setblocking(False)
        self._socket = connected
        self._receive = receive
        self._lose = lose
        self._unread = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(connected, self._read)

    def send(self, kind: str, body: object = None) -> None:
        """Never waits: messages are few and short, and one that is gone reads none."""
        with suppress(OSError):
            self._socket.send(json.dumps({kind: body}).encode() + b"\n")

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        try:
            received = self._socket.recv(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._loop.remove_reader(self._socket)
            self._lose()
            return
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            for kind, body in json.loads(line).items():
                self._receive(kind, body)
