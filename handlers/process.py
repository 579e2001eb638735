"""The server process: starts, serves until a signal, hands over, drains, ends."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable

from gateway.app import Gateway
from gateway.cluster.handover import (
    HandoverFailed,
    Predecessor,
    hand_over,
    meet_predecessor,
)
from gateway.cluster.peers import SERVING
from gateway.monitoring.sparse_log import SparseLog
from gateway.process import systemd
from gateway.process.inherited_sockets import Inherited, take_inherited
from gateway.process.lockfile import Lock, lock_data_dir
from gateway.process.parent_state import take_parent_state
from gateway.settings import Settings
from handlers.parent import serve_by_workers
from handlers.server import Server
from handlers.serving import StopSignals, drain_server, run, tune_runtime
from handlers.worker import serve_for_parent

logger = logging.getLogger("gateway")


def run_server(
    settings: Settings, *, on_ready: Callable[[int], None] | None = None
) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit status.

    SIGHUP has a new process of the same command take over first.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("tornado.general").addFilter(SparseLog())
    state, inherited = take_parent_state(os.environ), take_inherited(os.environ)
    if inherited.parent is not None:
        return run(serve_for_parent(settings, inherited, inherited.parent))
    if state is not None or settings.workers:
        return asyncio.run(serve_by_workers(settings, inherited, state, on_ready))
    return run(_serve(settings, inherited, on_ready))


async def _serve(
    settings: Settings, inherited: Inherited, on_ready: Callable[[int], None] | None
) -> int:
    signals = Signals()
    with lock_data_dir(settings.data_dir, inherited.lock) as lock:
        server = await _start(settings, inherited)
        tune_runtime(server.gateway)
        lock.publish(server.running)
        logger.info("listening on %s port %d", settings.host, server.port)
        if on_ready is not None:
            on_ready(server.port)
        try:
            successor = await _wait_for_end(server, lock, signals)
            if successor:
                logger.info("process %d serves now; draining", successor)
                systemd.notify(f"{systemd.MAIN_PID}{successor}")
            else:
                logger.info("draining; a second signal ends at once")
                systemd.notify(systemd.STOPPING)
            await drain_server(server, signals, is_succeeded=bool(successor))
        finally:
            await server.stop()
    return 0


async def _start(settings: Settings, inherited: Inherited) -> Server:
    """Listen; after the predecessor's GO, where there is a predecessor."""
    if inherited.peer is None:
        is_sole = inherited.lock is None
        server = Server(await Gateway.start(settings, takes_over=is_sole))
        await _listen(server, inherited)
        systemd.notify(systemd.READY)
        return server
    predecessor = await meet_predecessor(inherited.peer)
    server = Server(await Gateway.start(settings, takes_over=False))
    server.gateway.peers.follow(predecessor)
    await _listen(server, inherited)
    predecessor.send(SERVING, server.gateway.membership.id)
    return server


async def _listen(server: Server, inherited: Inherited) -> None:
    """Take connections; what was started is stopped when the port cannot be had."""
    try:
        server.listen(inherited.sockets)
    except OSError:
        await server.stop()
        raise


async def _wait_for_end(server: Server, lock: Lock, signals: "Signals") -> int:
    """Serve until the end; the successor's process number, 0 when there is none."""
    while True:
        await signals.wait()
        if signals.first.is_set():
            return 0
        handover = asyncio.create_task(
            hand_over(_as_predecessor(server.gateway), server.sockets, lock)
        )
        stopping = asyncio.create_task(signals.first.wait())
        try:
            await asyncio.wait(
                {stopping, handover}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stopping.cancel()
            handover.cancel()  # without effect once it is done
            await asyncio.wait({handover})
        if handover.cancelled():
            continue
        try:
            successor = handover.result()
        except Exception as error:  # noqa: BLE001
            # Whatever keeps a successor from starting must not end the service.
            why = error if isinstance(error, HandoverFailed) else repr(error)
            logger.error("no successor: %s; this process goes on", why)
            signals.restart.clear()
            continue
        if signals.first.is_set():
            os.kill(successor, signal.SIGTERM)  # the signal was for the service
        return successor


def _as_predecessor(gateway: Gateway) -> Predecessor:
    member_id = gateway.membership.id
    return Predecessor(gateway.peers, member_id, gateway.flush, gateway.changes.look)


class Signals(StopSignals):
    """And SIGHUP: a restart is wanted, or the terminal was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.restart = asyncio.Event()
        self._had_terminal = os.isatty(0)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up)

    async def wait(self) -> None:
        """Until a restart or the end is wanted."""
        either = {
            asyncio.create_task(event.wait()) for event in (self.first, self.restart)
        }
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in either:
                task.cancel()

    def _hang_up(self) -> None:
        if self._had_terminal and not os.isatty(0):
            self._receive()  # a successor in the background would go unnoticed
        elif os.getpid() == 1:
            # A container ends with its first process, whoever else may serve in it.
            logger.error("SIGHUP: a container's first process cannot be succeeded")
        elif self.restart.is_set():
            logger.info("SIGHUP: a restart is under way")
        else:
            self.restart.set()
