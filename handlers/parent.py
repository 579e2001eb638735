"""Parent: the process that starts workers, replaces those that end, and reaps all.

It holds the lock and the listening sockets, and serves nothing itself: what can fail
runs in the workers. At SIGHUP it becomes new code, and stays the same process: for
systemd its main one, in a container the first. Killed, its workers see their links
close, and drain.
"""

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gateway.process import systemd
from gateway.process.inherited_sockets import (
    LISTENING,
    OWN_PORT,
    PARENT,
    SOLE_LOCK,
    WORKERS_LOCK,
    Inherited,
    start_process,
)
from gateway.process.line_link import ENDED, LEAVING, SERVING, LineLink
from gateway.process.lockfile import (
    Lock,
    RunningGateway,
    lock_data_dir,
    share_workers_lock,
)
from gateway.process.parent_state import HELD_SIGNALS, ParentState, become_new_code
from gateway.process.workers import Order, State, Worker, Workers, WorkerStep
from gateway.settings import Settings
from handlers.listening import CannotListen, bind
from handlers.worker_ports import WorkerPorts

logger = logging.getLogger("gateway")

# More than a worker takes to end after GATEWAY_DRAIN_SECONDS.
_GRACE_SECONDS = 30.0
# Workers of a parent that was killed let its ports go within moments.
PORT_SECONDS = 5.0
_POLL = 0.05


async def serve_by_workers(
    settings: Settings,
    inherited: Inherited,
    state: ParentState | None,
    on_ready: Callable[[int], None] | None,
) -> int:
    """Be the parent until SIGTERM or SIGINT; the process's exit status."""
    kept, kept_share = (state.lock, state.workers_lock) if state else (None, None)
    with (
        lock_data_dir(settings.data_dir, kept) as lock,
        share_workers_lock(settings.data_dir, kept_share) as (share, is_sole),
    ):
        parent = Parent(settings, lock, (share, is_sole), on_ready)
        if state is None:
            await parent.listen(inherited.sockets)
        else:
            parent.go_on(state)
        return await parent.run()


class Parent:
    """Carries out what `Workers` decides."""

    def __init__(
        self,
        settings: Settings,
        lock: Lock,
        share: tuple[int, bool],
        on_ready: Callable[[int], None] | None,
    ) -> None:
        """`share`: the workers' lock, and whether no other process has it."""
        self._settings = settings
        self._lock = lock
        self._share, self._is_sole = share
        self._on_ready = on_ready
        self._is_ready = False
        self._slots = settings.workers or 1  # 0: it had workers until it was new code
        self._ports = WorkerPorts([], are_any=not settings.port)
        self._links: dict[int, LineLink] = {}
        self._members: dict[int, int] = {}
        self._workers = Workers(self._slots, self._grace)
        self._changed = asyncio.Event()
        self._had_terminal = os.isatty(0)

    @property
    def _grace(self) -> float:
        return self._settings.drain_seconds + _GRACE_SECONDS

    async def listen(self, given: list[socket.socket]) -> None:
        """Have the ports; `given` are bound already. Raises CannotListen."""
        settings = self._settings
        give_up_at = time.monotonic() + (0 if self._is_sole else PORT_SECONDS)
        while True:
            try:
                given = given or bind(settings.host, settings.port)
                self._ports.shared = given
                return self._ports.bind_missing(self._slots)
            except CannotListen as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > give_up_at:
                    raise
            await asyncio.sleep(_POLL)

    def go_on(self, state: ParentState) -> None:
        """From where the code before this one was."""
        self._ports = WorkerPorts.kept(
            state.listening, state.ports, are_any=not self._settings.port
        )
        for slot in [one for one in self._ports.own if one > self._slots]:
            self._ports.let_go(slot)
        for pid, descriptor in state.links.items():
            self._link(pid, socket.socket(fileno=descriptor))
        self._members, self._is_sole = state.members, state.is_sole
        self._is_ready = True
        try:
            self._ports.bind_missing(self._slots)
        except CannotListen as error:
            self._slots = max(self._ports.own)
            logger.error("no more than %d workers: %s", self._slots, error)
        self._workers = Workers(self._slots, self._grace, state.workers)

    async def run(self) -> int:
        """Until all workers have ended; the exit status."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_SIGNALS)
        self._reap()
        while True:
            now = time.monotonic()
            for step in self._workers.decide(now):
                if step.order is Order.BECOME_NEW:
                    await self._become_new()
                else:
                    self._carry_out(step, now)
            if self._workers.is_over:
                return int(self._workers.has_failed)
            wake_at = self._workers.wake_at(now)
            with suppress(TimeoutError):
                async with asyncio.timeout(wake_at and wake_at - now):
                    await self._changed.wait()
            self._changed.clear()

    def _carry_out(self, step: WorkerStep, now: float) -> None:
        if step.order is Order.START:
            self._start(step.slot, now)
        elif step.order is Order.KILL:
            logger.error("process %d does not end: it is killed", step.pid)
            os.kill(step.pid, signal.SIGKILL)
        else:
            self._links[step.pid].send(step.order)

    def _start(self, slot: int, now: float) -> None:
        try:
            self._ports.bind_missing(self._slots)
        except CannotListen as error:
            return self._note_failure(slot, now, error)
        ours, theirs = socket.socketpair()
        passed = [(one.fileno(), LISTENING) for one in self._ports.shared]
        passed += [(one.fileno(), OWN_PORT) for one in self._ports.own[slot]]
        is_sole = self._is_sole and not self._workers.all
        passed += [(self._share, SOLE_LOCK if is_sole else WORKERS_LOCK)]
        passed += [(theirs.fileno(), PARENT)]
        command = [sys.executable, *sys.orig_argv[1:]]
        with theirs:
            try:
                pid = start_process(command, passed)
            except OSError as error:
                ours.close()
                return self._note_failure(slot, now, error)
        logger.info("worker %d is process %d", slot, pid)
        self._workers.add(pid, slot, now)
        self._link(pid, ours)

    def _note_failure(self, slot: int, now: float, error: OSError) -> None:
        logger.error("worker %d does not start: %s", slot, error)
        self._workers.note_failure(slot, now)
        self._changed.set()

    def _link(self, pid: int, connected: socket.socket) -> None:
        def receive(kind: str, body: Any) -> None:
            self._receive(pid, kind, body)

        # A link that closed says nothing: who has ended is reaped.
        self._links[pid] = LineLink(connected, receive, lambda: None)

    def _receive(self, pid: int, kind: str, body: Any) -> None:
        self._changed.set()
        if kind == LEAVING:
            self._workers.note_leaving(pid, time.monotonic())
        elif kind == SERVING:
            self._note_serving(pid, body)

    def _note_serving(self, pid: int, told: dict[str, Any]) -> None:
        self._workers.note_serving(pid)
        self._members[pid] = told["member"]
        if self._workers.is_ending:
            return  # its ports are closed
        self._lock.publish(
            RunningGateway(
                os.getpid(),
                self._settings.host,
                self._ports.port,
                told["database"],
                told["database_mark"],
            )
        )
        logger.info("process %d serves on port %d, too", pid, told["own_port"])
        if not self._is_ready:
            self._is_ready = True
            systemd.notify(systemd.READY)
            if self._on_ready is not None:
                self._on_ready(self._ports.port)

    def _reap(self) -> None:
        """Collect all children that have ended; as process 1 others' as well."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._changed.set()
            if worker := self._workers.note_end(pid, time.monotonic()):
                self._note_end(worker, os.waitstatus_to_exitcode(status))

    def _note_end(self, worker: Worker, status: int) -> None:
        self._links.pop(worker.pid).close()
        if self._workers.is_waiting(worker.slot, time.monotonic()):
            self._ports.let_go(worker.slot)
        how = f"of signal {-status}" if status < 0 else f"with status {status}"
        level = logging.INFO if worker.state is State.LEAVING else logging.ERROR
        logger.log(level, "process %d, %s, has ended %s", worker.pid, worker.state, how)
        member = self._members.pop(worker.pid, None)
        if status != 0 and member is not None:
            # Who shares the database need not wait for its silence.
            for one in self._workers.all:
                if one.state is State.SERVING:
                    return self._links[one.pid].send(ENDED, member)

    def _stop(self) -> None:
        logger.info("told to stop")
        systemd.notify(systemd.STOPPING)
        self._workers.stop()
        self._changed.set()
        # Whoever connected from now on would be accepted by nobody.
        self._ports.close()

    def _hang_up(self) -> None:
        if self._had_terminal and not os.isatty(0):
            self._stop()
        elif self._workers.restart():
            logger.info("SIGHUP: workers are replaced, one after the other")
        else:
            logger.info("SIGHUP: a restart is under way")
        self._changed.set()

    async def _become_new(self) -> None:
        # What was signalled so far is heard here, and what comes now by the new code.
        signal.pthread_sigmask(signal.SIG_BLOCK, HELD_SIGNALS)
        for _ in range(3):  # a signal takes the loop two rounds
            await asyncio.sleep(0)
        try:
            if not self._workers.is_ending:
                self._execute()
        except OSError as error:
            logger.error("it cannot: %s; it goes on as it is", error.strerror)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_SIGNALS)
            self._changed.set()

    def _execute(self) -> None:
        own = self._ports.own.items()
        state = ParentState(
            pid=os.getpid(),
            lock=self._lock.fileno(),
            workers_lock=self._share,
            listening=[one.fileno() for one in self._ports.shared],
            ports={slot: [one.fileno() for one in some] for slot, some in own},
            workers=self._workers.all,
            links={pid: link.fileno() for pid, link in self._links.items()},
            members=self._members,
            is_sole=self._is_sole,
        )
        logger.info("the new code serves: this process becomes it, too")
        become_new_code(state)
