"""One listening gateway: it accepts connections, drains, stops."""

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import suppress

from gateway.app import Gateway
from gateway.process.lockfile import RunningGateway
from gateway.settings.member_url import with_port
from gateway.store.identity import place_of
from handlers.listening import bind, probe_idle_peers
from handlers.routes import build_app
from handlers.wire.accepting import AcceptPolicy
from handlers.wire.arriving_bodies import ARRIVAL_LIMITS, ArrivalLimits
from handlers.wire.connections import ClientConnections, CountingServer
from handlers.wire.request_head import MAX_HEAD_BYTES

# What is larger than a handler serves is still read, to be answered; what is larger
# than this ends the connection.
MAX_READ_HEAD_BYTES = 2 * MAX_HEAD_BYTES
NO_LIMIT = 2**62
# Clients and proxies keep idle connections for at most as long, nearly all of them.
KEPT_SECONDS = 90.0


class Server:
    """One listening gateway, which ends with it; `drain` waits for running turns."""

    def __init__(
        self, gateway: Gateway, limits: ArrivalLimits = ARRIVAL_LIMITS
    ) -> None:
        self.gateway = gateway
        self._connections = ClientConnections(limits)
        self.app = build_app(gateway, self._connections)
        self._http = CountingServer(
            self.app,
            max_header_size=MAX_READ_HEAD_BYTES,
            max_body_size=NO_LIMIT,  # the handlers have their own, and say so
            heads=self._connections.heads,
            unread=self._connections.unread,
            hang_ups=self._connections.hang_ups,
            policy=AcceptPolicy(gateway.metrics, self._connections.lingering),
        )
        self.sockets: list[socket.socket] = []
        self.port = 0

    @property
    def running(self) -> RunningGateway:
        """As commands on its data directory find it."""
        settings, us = self.gateway.settings, self.gateway.membership
        place = place_of(settings.database_url)
        return RunningGateway(os.getpid(), settings.host, self.port, place, us.mark)

    def listen(self, given: Sequence[socket.socket] = ()) -> None:
        """Accept connections on sockets that are bound already, else as set.

        Port 0 lets the kernel choose. Raises CannotListen.
        """
        settings = self.gateway.settings
        self.sockets = list(given) or bind(settings.host, settings.port)
        for listening in self.sockets:
            probe_idle_peers(listening)
        self._http.add_sockets(self.sockets)
        self.port = self.sockets[0].getsockname()[1]
        us = self.gateway.membership
        # A worker has a port that is shared by all, and one of its own.
        own_port = self.sockets[-1].getsockname()[1]
        us.url = us.url or self.running.url
        if own_port != self.port:
            us.url = with_port(us.url, own_port)

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
                await self._http.has_no_connections.wait()

    async def stop(self) -> None:
        """Cut what still runs, while there is a database to note it in."""
        self._http.stop()
        await self._http.close_all_connections()
        await self.gateway.stop()
        self._connections.close()
