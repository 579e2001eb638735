"""The server process: starts, serves until a signal, hands over, drains, ends."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.app import Gateway
from gateway.cluster.handover import HandoverFailed, hand_over, meet_predecessor
from gateway.cluster.peers import SERVING
from gateway.monitoring.sparse_log import SparseLog
from gateway.process import systemd
from gateway.process.garbage import collect_when_idle, exempt_the_start
from gateway.process.inherited_sockets import Inherited, take_inherited
from gateway.process.lockfile import Lock, lock_data_dir
from gateway.settings import Settings
from handlers.server import Server

logger = logging.getLogger("gateway")

SWITCH_SECONDS = 0.0005


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
    return run(_serve(settings, on_ready))


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run the main coroutine of a process on the platform's fastest loop."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


async def _serve(settings: Settings, on_ready: Callable[[int], None] | None) -> int:
    inherited = take_inherited(os.environ)
    signals = Signals()
    with lock_data_dir(settings.data_dir, inherited.lock) as lock:
        server = await _start(settings, inherited)
        _tune_runtime(server.gateway)
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
            await _drain(server, signals, is_succeeded=bool(successor))
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
    predecessor, backlog = await meet_predecessor(inherited.peer)
    server = Server(await Gateway.start(settings, takes_over=False))
    server.gateway.peers.follow(predecessor, backlog)
    await _listen(server, inherited)
    predecessor.send(SERVING)
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
            hand_over(server.gateway.peers, server.gateway.flush, server.sockets, lock)
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


async def _drain(server: Server, signals: "Signals", *, is_succeeded: bool) -> None:
    seconds = server.gateway.settings.drain_seconds
    draining = asyncio.create_task(server.drain(seconds, is_succeeded=is_succeeded))
    second_signal = asyncio.create_task(signals.second.wait())
    await asyncio.wait({draining, second_signal}, return_when=asyncio.FIRST_COMPLETED)
    for task in (draining, second_signal):
        task.cancel()


def _tune_runtime(gateway: Gateway) -> None:
    """Collect garbage seldom, and let the loop have the interpreter back soon."""
    exempt_the_start()
    running = gateway.turns.running
    gateway.supervisor.start("garbage", lambda: collect_when_idle(lambda: not running))
    # So long the loop waits for a thread that writes rows or parses a body: with the
    # default of 5 ms, one turn in a hundred would take that much longer.
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
        logger.info("told to stop")
        (self.second if self.first.is_set() else self.first).set()


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


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where the platform has it: a third less CPU per relayed event."""
    if sys.platform == "win32":
        return None
    import uvloop  # not installed on Windows

    return uvloop.new_event_loop
