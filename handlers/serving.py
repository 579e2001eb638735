"""What every process that serves has: its loop, the signals that end it, the drain."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.app import Gateway
from gateway.process.garbage import collect_when_idle, exempt_the_start
from handlers.server import Server

logger = logging.getLogger("gateway")

SWITCH_SECONDS = 0.0005


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run the main coroutine of a process on the platform's fastest loop."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


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


async def drain_server(
    server: Server, signals: StopSignals, *, is_succeeded: bool
) -> None:
    """Let running turns end, unless a second signal comes.

    `is_succeeded`: others serve, so that kept connections need not be closed at once.
    """
    seconds = server.gateway.settings.drain_seconds
    draining = asyncio.create_task(server.drain(seconds, is_succeeded=is_succeeded))
    second_signal = asyncio.create_task(signals.second.wait())
    await asyncio.wait({draining, second_signal}, return_when=asyncio.FIRST_COMPLETED)
    for task in (draining, second_signal):
        task.cancel()


def tune_runtime(gateway: Gateway) -> None:
    """Collect garbage seldom, and let the loop have the interpreter back soon."""
    exempt_the_start()
    running = gateway.turns.running
    gateway.supervisor.start("garbage", lambda: collect_when_idle(lambda: not running))
    # So long the loop waits for a thread that writes rows or parses a body: with the
    # default of 5 ms, one turn in a hundred would take that much longer.
    sys.setswitchinterval(SWITCH_SECONDS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where the platform has it: a third less CPU per relayed event."""
    if sys.platform == "win32":
        return None
    import uvloop  # not installed on Windows

    return uvloop.new_event_loop
