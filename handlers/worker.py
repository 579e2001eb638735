"""A worker: one of several processes that serve under one parent."""

import asyncio
import logging
import os
import signal
import socket
from contextlib import suppress
from typing import Any

from gateway.app import Gateway
from gateway.cluster.membership import Membership
from gateway.process.inherited_sockets import Inherited
from gateway.process.line_link import ENDED, LEAVING, SERVING, LineLink
from gateway.process.workers import Order
from gateway.settings import Settings
from gateway.store.database import StoreUnavailable
from handlers.server import Server
from handlers.serving import StopSignals, drain_server, tune_runtime

logger = logging.getLogger("gateway")


async def serve_for_parent(
    settings: Settings, inherited: Inherited, connected: socket.socket
) -> int:
    """Serve on the inherited sockets until told to leave; the exit status."""
    signals = ParentSignals(connected)
    gateway = await Gateway.start(settings, takes_over=inherited.is_sole)
    server = Server(gateway)
    tune_runtime(gateway)
    try:
        server.listen([*inherited.sockets, *inherited.own_ports])
        gateway.supervisor.start(
            "ended_workers", lambda: _note_dead(gateway.membership, signals.ended)
        )
        running = server.running
        told = {
            "member": gateway.membership.id,
            "own_port": server.sockets[-1].getsockname()[1],
            "database": running.database,
            "database_mark": running.database_mark,
        }
        signals.link.send(SERVING, told)
        await signals.first.wait()
        signals.link.send(LEAVING)
        await drain_server(server, signals, is_succeeded=signals.is_succeeded)
    finally:
        await server.stop()
        signals.link.close()
    return 0


class ParentSignals(StopSignals):
    """And what the parent says; where it is gone, or says nothing, others serve."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__()
        self.is_succeeded = True
        self.ended: asyncio.Queue[int] = asyncio.Queue()
        self.link = LineLink(connected, self._hear, self._lose)
        # A restart is the parent's to make, and so is the end when a terminal's keys
        # ask for it: they go to a whole group of processes.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.setpgid(0, 0)

    def _hear(self, kind: str, body: Any) -> None:
        if kind == ENDED:
            self.ended.put_nowait(body)
        elif kind == Order.END:
            self.first.set()
            self.second.set()
        elif kind in (Order.LEAVE, Order.STOP):
            self.is_succeeded = kind == Order.LEAVE
            self.first.set()

    def _lose(self) -> None:
        logger.error("the parent process is gone; draining")
        self.first.set()


async def _note_dead(membership: Membership, ended: asyncio.Queue[int]) -> None:
    while True:
        member = await ended.get()
        with suppress(StoreUnavailable):  # then its silence will tell
            await membership.note_dead(member)
