"""Accepting connections: as many as leave descriptors for what runs, without a spin.

Relies on what Tornado does not document, seen in 4.5, 6.1 and 6.6:
`TCPServer._sockets` and `_handlers`.
"""

import asyncio
import errno
import logging
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import orjson
from tornado.tcpserver import TCPServer

from gateway.errors import GatewayOverloaded
from gateway.monitoring.metrics import Metrics
from handlers.wire.lingering_close import LingeringSockets

assert {"_sockets", "_handlers"} <= set(TCPServer.stop.__code__.co_names)

logger = logging.getLogger("gateway.accepting")

# What accept() says when there is no descriptor or no memory for another one; it
# says so again at once, for the connection still waits.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# accept(2): errors of the connection that waited, not of the listener.
_OF_CONNECTION = {errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.ENETUNREACH}
_OF_CONNECTION |= {errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ETIMEDOUT}
_MOST_ASKED = 64 * 1024
# The others of the loop get a turn after so many: each is a millisecond of work, and
# hundreds may come back at once.
MOST_ACCEPTED = 8
ACCEPT_PAUSE_SECONDS = 1.0
_LOG_SECONDS = 60.0
# Upstream's connections, the database and files: a quarter, and at least so many.
LEAST_SPARE = 64


def descriptors_for_clients(limit: int) -> int:
    """Descriptors from this number on are not for clients, of so many in all.

    The kernel gives out the lowest free number, so that of a new connection says how
    many are in use, whatever for.
    """
    return limit - min(max(limit // 4, LEAST_SPARE), limit // 2)


def descriptor_limit() -> int:
    """How many descriptors this process may have."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource  # not there on Windows

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


class AcceptPolicy:
    """What becomes of new connections, for all listeners of a server."""

    def __init__(
        self,
        metrics: Metrics,
        lingering: LingeringSockets,
        pause_seconds: float = ACCEPT_PAUSE_SECONDS,
    ) -> None:
        self.pause_seconds = pause_seconds
        self._metrics = metrics
        self._lingering = lingering
        self._limit = descriptor_limit()
        self._most = descriptors_for_clients(self._limit)
        self._refusal = _refusal()
        self._last_logged = -_LOG_SECONDS

    def has_room(self, connection: socket.socket) -> bool:
        return connection.fileno() < self._most

    def refuse(self, connection: socket.socket) -> None:
        """Say when to come back, and hang up."""
        self._metrics.connections_refused.inc()
        self._log("connections are refused: clients have %d descriptors of", self._most)
        connection.setblocking(False)
        with suppress(OSError):
            connection.send(self._refusal)
            # Else what was asked already would reset the connection.
            connection.recv(_MOST_ASKED)
        # They wait with descriptors that what runs may need: with a few of them.
        if connection.fileno() < self._most + (self._limit - self._most) // 4:
            self._lingering.close_later(connection)
        else:
            connection.close()

    def note_pause(self) -> None:
        self._metrics.accept_pauses.inc()
        self._log("accepting pauses: no descriptor is left of")

    def _log(self, what: str, *numbers: int) -> None:
        """Say once a minute what may happen a thousand times in it."""
        now = time.monotonic()
        if now - self._last_logged >= _LOG_SECONDS:
            self._last_logged = now
            logger.warning(what + " %d (ulimit -n, LimitNOFILE)", *numbers, self._limit)


class Listener:
    """Accepts from one listening socket until it is closed."""

    def __init__(
        self,
        listening: socket.socket,
        take: Callable[[socket.socket, Any], None],
        policy: AcceptPolicy,
    ) -> None:
        self._listening = listening
        self._take = take
        self._policy = policy
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._is_open = True
        self._resume()

    def close(self) -> None:
        """Stop accepting; the socket is the caller's."""
        self._is_open = False
        if self._pause is None:
            self._loop.remove_reader(self._listening)
        else:
            self._pause.cancel()

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(MOST_ACCEPTED):
            if not self._is_open:
                return
            try:
                connection, address = self._listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _OF_CONNECTION:
                    continue
                if error.errno not in _EXHAUSTED:
                    raise
                self._loop.remove_reader(self._listening)
                self._pause = self._loop.call_later(
                    self._policy.pause_seconds, self._resume
                )
                self._policy.note_pause()
                return
            if self._policy.has_room(connection):
                self._take(connection, address)
            else:
                self._policy.refuse(connection)


def _refusal() -> bytes:
    """The whole response: nothing has been read that would say whose surface it is."""
    error = GatewayOverloaded("The gateway has too many connections", retry_after=1)
    body = orjson.dumps(error.envelope(codex=False))
    status = HTTPStatus(error.status)
    lines = [
        f"HTTP/1.1 {status} {status.phrase}",
        *(f"{name}: {value}" for name, value in error.headers(codex=False).items()),
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
