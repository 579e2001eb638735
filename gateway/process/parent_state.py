"""What a parent process keeps when it becomes new code: descriptors, and its workers.

A process that executes a program stays the same process: what it has open stays open
where that is said of each descriptor, and its children stay its children.
"""

import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.process.inherited_sockets import PARENT
from gateway.process.workers import Order, State, Worker

_VARIABLE = "CODEX_GATEWAY_PARENT"
# What comes meanwhile is not lost: the new code lets it through once it can take it.
HELD_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


@dataclass(slots=True)
class ParentState:
    """Descriptors by what they are, those of slots by their numbers.

    Two releases understand each other by it: fields may be added, with a default.
    """

    pid: int
    lock: int
    workers_lock: int
    listening: list[int]
    ports: dict[int, list[int]]  # of each slot
    workers: list[Worker]
    links: dict[int, int]  # to each worker, by its process
    members: dict[int, int] = field(default_factory=dict)  # each worker's number
    is_sole: bool = False  # no other process of the data directory was alive before it

    @property
    def descriptors(self) -> Iterable[int]:
        yield from (self.lock, self.workers_lock, *self.listening)
        yield from self.links.values()
        for several in self.ports.values():
            yield from several


def become_new_code(state: ParentState) -> None:
    """Run this process's command anew, in this process. Raises OSError, or is its end.

    Signals that are blocked stay so.
    """
    environ = os.environ | {_VARIABLE: json.dumps(asdict(state))}
    for descriptor in state.descriptors:
        os.set_inheritable(descriptor, True)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environ)


def continues(environ: Mapping[str, str]) -> bool:
    """Whether this process is a worker, or a parent that became new code."""
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    return PARENT in names or _VARIABLE in environ


def take_parent_state(environ: MutableMapping[str, str]) -> ParentState | None:
    """What this process was before it became this code; removed from `environ`."""
    text = environ.pop(_VARIABLE, "")
    if not text:
        return None
    kept = json.loads(text)
    if kept["pid"] != os.getpid():
        return None  # of a process that this one was started by
    kept["workers"] = [_worker(**one) for one in kept["workers"]]
    for name in ("links", "ports", "members"):
        kept[name] = {int(number): one for number, one in kept[name].items()}
    state = ParentState(**kept)
    for descriptor in state.descriptors:
        os.set_inheritable(descriptor, False)
    return state


def _worker(state: str, told: str | None, **more: Any) -> Worker:
    return Worker(state=State(state), told=Order(told) if told else None, **more)
