"""Inherited descriptors: those this process was started with, and passes on.

The protocol is systemd's (sd_listen_fds(3)): they are numbered from 3 on, LISTEN_FDS
is their number, LISTEN_FDNAMES their names, and LISTEN_PID whom they are for.
"""

import fcntl
import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

FIRST = 3
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
# What a gateway passes to its successor. Two releases have to understand each other:
# the names stay as they are.
LISTENING, LOCK, PEER = "gateway-listening", "gateway-lock", "gateway-kin"
# And what a parent passes to its workers: the link to it, a port of the worker's own,
# and the workers' lock; SOLE_LOCK where no other process of the data directory lives.
PARENT, OWN_PORT = "gateway-parent", "gateway-own-port"
WORKERS_LOCK, SOLE_LOCK = "gateway-workers-lock", "gateway-sole-lock"
# Only the shell knows the process's number before the program starts.
_WITH_OWN_PID = 'export LISTEN_PID=$$; exec "$@"'


class UnusableDescriptor(Exception):
    """A descriptor of LISTEN_FDS is not what the gateway can serve from."""


@dataclass(slots=True)
class Inherited:
    """What the process was started with; all of it is the receiver's to close."""

    sockets: list[socket.socket] = field(default_factory=list)  # bound, listening
    lock: int | None = None
    peer: socket.socket | None = None  # to the predecessor
    parent: socket.socket | None = None  # a worker's, to its parent
    own_ports: list[socket.socket] = field(default_factory=list)  # and listening
    is_sole: bool = False  # a worker's: no other process of the data directory lives


def named_descriptors(environ: Mapping[str, str], pid: int) -> list[tuple[int, str]]:
    """The descriptors meant for the process `pid`, each with its name."""
    meant_for, count = environ.get("LISTEN_PID", ""), environ.get("LISTEN_FDS", "")
    if meant_for != str(pid) or not (count.isascii() and count.isdecimal()):
        return []
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    names += [""] * int(count)
    return [(FIRST + place, names[place]) for place in range(int(count))]


def take_inherited(environ: MutableMapping[str, str]) -> Inherited:
    """What this process inherited; the variables are removed from `environ`.

    Raises UnusableDescriptor.
    """
    found = named_descriptors(environ, os.getpid())
    for name in VARIABLES:
        environ.pop(name, None)  # a child process must not take them for its own
    inherited = Inherited()
    for descriptor, name in found:
        try:
            os.set_inheritable(descriptor, False)
            if name in (LOCK, WORKERS_LOCK, SOLE_LOCK):
                inherited.lock = descriptor
                inherited.is_sole = name == SOLE_LOCK
            elif name == PEER:
                inherited.peer = socket.socket(fileno=descriptor)
            elif name == PARENT:
                inherited.parent = socket.socket(fileno=descriptor)
            elif name == OWN_PORT:
                inherited.own_ports.append(_listening(descriptor))
            else:
                inherited.sockets.append(_listening(descriptor))
        except OSError as error:
            raise UnusableDescriptor(
                f"Descriptor {descriptor} of LISTEN_FDS: {error.strerror}"
            ) from error
    return inherited


def _listening(descriptor: int) -> socket.socket:
    listening = socket.socket(fileno=descriptor)
    if (
        listening.family not in (socket.AF_INET, socket.AF_INET6)
        or listening.type != socket.SOCK_STREAM
        or not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ):
        raise UnusableDescriptor(
            f"Descriptor {descriptor} of LISTEN_FDS is no listening TCP socket"
        )
    listening.setblocking(False)
    return listening


def start_process(command: Sequence[str], passed: Sequence[tuple[int, str]]) -> int:
    """Start a program with the named descriptors; its process number.

    It inherits nothing else that Python opened but the standard streams. Raises
    OSError.
    """
    environ = os.environ | {
        "LISTEN_FDS": str(len(passed)),
        "LISTEN_FDNAMES": ":".join(name for _, name in passed),
    }
    # Copies above the numbers they get: else one could overwrite the next.
    first_copy = FIRST + len(passed)
    with ExitStack() as stack:
        actions = []
        for number, (descriptor, _) in enumerate(passed, FIRST):
            copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, first_copy)
            stack.callback(os.close, copy)
            actions.append((os.POSIX_SPAWN_DUP2, copy, number))
        arguments = ["sh", "-c", _WITH_OWN_PID, "sh", *command]
        return os.posix_spawn("/bin/sh", arguments, environ, file_actions=actions)
