"""The process: listens, waits for a signal, drains, stops."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from gateway.core import Gateway
from gateway.lockfile import hold
from gateway.settings import Settings
from handlers.facts import MAX_HEAD_BYTES
from handlers.routes import build_app

logger = logging.getLogger("gateway")

# What is larger than a handler serves is still read, to be answered; what is larger
# than this ends the connection.
MAX_READ_HEAD_BYTES = 2 * MAX_HEAD_BYTES
BACKLOG = 1024
NO_LIMIT = 2**62
SWITCH_SECONDS = 0.0005
# Probes of an idle peer: a laptop that went away is noticed within two minutes.
TCP_KEEPALIVE = (
    ("TCP_KEEPIDLE", 60),
    ("TCP_KEEPINTVL", 15),
    ("TCP_KEEPCNT", 4),
)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds a connection may take for what the server has to wait for."""

    head: float = 300.0  # for its next request, to the end of the headers
    body: float = 600.0


PATIENCE = Patience()


class Server:
    """One listening gateway; `drain` ends it after its running turns."""

    def __init__(self, gateway: Gateway, patience: Patience = PATIENCE) -> None:
        self.gateway = gateway
        self._app = build_app(gateway)
        self._http = HTTPServer(
            self._app,
            max_header_size=MAX_READ_HEAD_BYTES,
            max_body_size=NO_LIMIT,  # the handlers have their own, and say so
            idle_connection_timeout=patience.head,
            body_timeout=patience.body,
        )
        self.port = 0

    async def start(self) -> None:
        """Listen as the settings say; port 0 lets the kernel choose."""
        settings = self.gateway.settings
        await self.gateway.start()
        self.listen(bind_sockets(settings.port, settings.host, backlog=BACKLOG))

    def listen(self, sockets: list[socket.socket]) -> None:
        """Accept connections on sockets that are bound already."""
        for listening in sockets:
            _probe_idle_peers(listening)
        self._http.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]

    async def drain(self, seconds: float) -> None:
        """Stop accepting, let running turns end, close what is idle."""
        self._http.stop()
        await self.gateway.drain(seconds)

    async def stop(self) -> None:
        """Cut what still runs, while there is a database to note it in."""
        self._http.stop()
        await self._http.close_all_connections()
        await self.gateway.stop()
        self._app.settings["last_words"].close()


def run_server(
    settings: Settings, *, on_ready: Callable[[int], None] | None = None
) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit status."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    return run(_serve(settings, on_ready))


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a whole process's main coroutine on the platform's best loop."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


async def _serve(settings: Settings, on_ready: Callable[[int], None] | None) -> int:
    server = Server(Gateway(settings))
    signals = StopSignals()
    with hold(settings.data_dir) as lock:
        await server.start()
        _settle()
        lock.publish(settings.host, server.port)
        logger.info("listening on %s port %d", settings.host, server.port)
        if on_ready is not None:
            on_ready(server.port)
        try:
            await signals.first.wait()
            logger.info("draining; a second signal ends at once")
            draining = asyncio.create_task(server.drain(settings.drain_seconds))
            hurry = asyncio.create_task(signals.second.wait())
            await asyncio.wait({draining, hurry}, return_when=asyncio.FIRST_COMPLETED)
            for task in (draining, hurry):
                task.cancel()
        finally:
            await server.stop()
    return 0


def _settle() -> None:
    """What was built for the process's life is not looked through again.

    And a turn makes some thousand short-lived objects: looking for cycles after
    every 700 of them, the default, costs 2 to 4 % of a turn and finds none.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    # The loop waits so long for a thread that writes rows or parses a body; the
    # default of 5 ms is what one turn in a hundred would take longer.
    sys.setswitchinterval(SWITCH_SECONDS)


class StopSignals:
    """SIGTERM and SIGINT, counted."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._receive)

    def _receive(self) -> None:
        (self.second if self.first.is_set() else self.first).set()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where the platform has it: a third less CPU per relayed event."""
    if sys.platform == "win32":
        return None
    import uvloop  # not installed on Windows

    return uvloop.new_event_loop


def _probe_idle_peers(listening: socket.socket) -> None:
    """Accepted connections inherit these options."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in TCP_KEEPALIVE:
        if hasattr(socket, name):
            listening.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
