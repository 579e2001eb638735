"""One listening gateway: it accepts connections, drains, stops."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets

from gateway.app import Gateway
from handlers.routes import build_app
from handlers.wire.deadlines import Deadlines
from handlers.wire.request_head import MAX_HEAD_BYTES

# What is larger than a handler serves is still read, to be answered; what is larger
# than this ends the connection.
MAX_READ_HEAD_BYTES = 2 * MAX_HEAD_BYTES
BACKLOG = 1024
NO_LIMIT = 2**62
# Clients and proxies keep idle connections for at most as long, nearly all of them.
KEPT_SECONDS = 90.0
# Probes of an idle peer: a laptop that went away is noticed within two minutes.
TCP_KEEPALIVE = (
    ("TCP_KEEPIDLE", 60),
    ("TCP_KEEPINTVL", 15),
    ("TCP_KEEPCNT", 4),
)


@dataclass(frozen=True, slots=True)
class ArrivalLimits:
    """Seconds a connection may take for what the server has to wait for."""

    head: float = 300.0  # for its next request, to the end of the headers
    body: float = 600.0


ARRIVAL_LIMITS = ArrivalLimits()


class CountedServer(HTTPServer):
    """Knows when its last connection has gone; a WebSocket is none any more.

    Hangs up where no head comes before its deadline, which a handler ends.
    """

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        self._heads: Deadlines = kwargs.pop("heads")
        super().initialize(*args, **kwargs)
        # Tornado would make a timer and three callbacks for each head.
        self.conn_params.header_timeout = None
        self._open = 0
        self.is_deserted = asyncio.Event()
        self.is_deserted.set()

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        self._open += 1
        self.is_deserted.clear()
        super().handle_stream(stream, address)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        if isinstance(request_conn, HTTP1Connection):
            self._heads.begin(server_conn, request_conn.stream.close)
        return super().start_request(server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        self._heads.end(server_conn)
        super().on_close(server_conn)
        self._open -= 1
        if not self._open:
            self.is_deserted.set()


class Server:
    """One listening gateway, which ends with it; `drain` waits for running turns."""

    def __init__(
        self, gateway: Gateway, patience: ArrivalLimits = ARRIVAL_LIMITS
    ) -> None:
        self.gateway = gateway
        self._app = build_app(gateway)
        self._heads, self._bodies = Deadlines(patience.head), Deadlines(patience.body)
        self._app.settings["head_deadlines"] = self._heads
        self._app.settings["body_deadlines"] = self._bodies
        self._http = CountedServer(
            self._app,
            max_header_size=MAX_READ_HEAD_BYTES,
            max_body_size=NO_LIMIT,  # the handlers have their own, and say so
            heads=self._heads,
        )
        self.sockets: list[socket.socket] = []
        self.port = 0

    def listen(self, given: Sequence[socket.socket] = ()) -> None:
        """Accept connections on sockets that are bound already, else as set.

        Port 0 lets the kernel choose.
        """
        settings = self.gateway.settings
        self.sockets = list(given) or bind_sockets(
            settings.port, settings.host, backlog=BACKLOG
        )
        for listening in self.sockets:
            _probe_idle_peers(listening)
        self._http.add_sockets(self.sockets)
        self.port = self.sockets[0].getsockname()[1]

    async def drain(self, seconds: float, *, is_succeeded: bool = False) -> None:
        """Stop accepting, let running turns end, close what is idle.

        Where a successor serves, kept connections are closed with their next answer:
        closed while idle, one may be in the moment of carrying the next request.
        """
        self._http.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.gateway.drain(seconds)
                # Its turns are told here; and with this one ends the service.
                await self.gateway.peers.wait_for_predecessor()
                if is_succeeded:
                    await self._wait_until_deserted()
                    await self.gateway.drain(seconds)

    async def _wait_until_deserted(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(KEPT_SECONDS):
                await self._http.is_deserted.wait()

    async def stop(self) -> None:
        """Cut what still runs, while there is a database to note it in."""
        self._http.stop()
        await self._http.close_all_connections()
        self._heads.close()
        self._bodies.close()
        await self.gateway.stop()
        self._app.settings["last_words"].close()


def _probe_idle_peers(listening: socket.socket) -> None:
    """Accepted connections inherit these options."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in TCP_KEEPALIVE:
        if hasattr(socket, name):
            listening.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
