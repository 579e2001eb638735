"""Client connections: Tornado's HTTP server, counted and with deadlines of its own.

Relies on what Tornado does not document, seen in 4.5, 6.1 and 6.6:
`HTTPServer.conn_params.header_timeout`, `HTTPServer.handle_stream` and `on_close` being
called once for each connection, and `HTTPServerRequest.server_connection` being what
`start_request` was given.
"""

import asyncio
import socket
from collections.abc import Iterable
from typing import Any

from tornado.http1connection import HTTP1ConnectionParameters
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate, HTTPServerRequest
from tornado.iostream import IOStream

from handlers.wire.accepting import AcceptPolicy, Listener
from handlers.wire.arriving_bodies import ArrivalLimits, ArrivingBodies
from handlers.wire.arriving_heads import ArrivingHeads, CountedStream
from handlers.wire.deadlines import Deadlines
from handlers.wire.hang_ups import HangUps
from handlers.wire.lingering_close import LingeringSockets

assert HTTP1ConnectionParameters().header_timeout is None
assert {"conn_params"} <= set(HTTPServer.initialize.__code__.co_names)
assert {"_connections"} <= set(HTTPServer.on_close.__code__.co_names)
assert {"server_connection"} <= set(HTTPServerRequest.__init__.__code__.co_names)


class ClientConnections:
    """What all connections of one server share: deadlines and lingering sockets."""

    def __init__(self, limits: ArrivalLimits) -> None:
        self.heads = ArrivingHeads(limits.head)
        self.bodies = ArrivingBodies(limits)
        self.unread = Deadlines(limits.unread)
        # Half of it to wait for the rest of a small body, half to have the answer read.
        self.refused_body_seconds = limits.refused_body
        self.refusals = Deadlines(limits.refused_body / 2)
        self.lingering = LingeringSockets()
        self.hang_ups = HangUps()

    def end_head_deadline(self, request: HTTPServerRequest) -> None:
        """The request's head has arrived."""
        self.heads.end(request.server_connection)

    def close(self) -> None:
        self.heads.close()
        self.bodies.close()
        self.unread.close()
        self.refusals.close()
        self.lingering.close()


class CountingServer(HTTPServer):
    """Counts its HTTP connections, of which an upgraded one is no longer one.

    Closes a connection whose next head does not arrive before its deadline, which
    the handler ends.
    """

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        self._heads: ArrivingHeads = kwargs.pop("heads")
        self._unread: Deadlines = kwargs.pop("unread")
        self._hang_ups: HangUps = kwargs.pop("hang_ups")
        self._policy: AcceptPolicy = kwargs.pop("policy")
        super().initialize(*args, **kwargs)
        # Tornado would make a timer and three callbacks for each head.
        self.conn_params.header_timeout = None
        self._open = 0
        self.has_no_connections = asyncio.Event()
        self.has_no_connections.set()

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept by our own policy; Tornado's `stop` closes the listeners."""
        for one in sockets:
            self._sockets[one.fileno()] = one
            listener = Listener(one, self._take, self._policy)
            self._handlers[one.fileno()] = listener.close

    def _take(self, connection: socket.socket, address: tuple[Any, ...]) -> None:
        stream = CountedStream(connection, self._unread, self._hang_ups)
        self.handle_stream(stream, address)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        self._open += 1
        self.has_no_connections.clear()
        super().handle_stream(stream, address)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        stream = getattr(request_conn, "stream", None)
        if isinstance(stream, CountedStream):
            self._heads.begin(server_conn, stream)
        return super().start_request(server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        self._heads.end(server_conn)
        super().on_close(server_conn)
        self._open -= 1
        if not self._open:
            self.has_no_connections.set()
