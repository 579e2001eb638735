"""Open descriptors from whoever started this process, and for one that it starts.

The protocol is systemd's (sd_listen_fds(3)): they are numbered from 3 on, LISTEN_FDS
says how many there are, LISTEN_FDNAMES what they are, and LISTEN_PID for whom.
"""

import fcntl
import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

FIRST = 3
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
# What a gateway hands to its successor beside the sockets it listens on.
LISTENING, LOCK, PEER = "gateway-listening", "gateway-lock", "gateway-kin"
# Only the shell knows the process's number before the program starts.
_FOR_ITSELF = 'export LISTEN_PID=$$; exec "$@"'


class UnusableDescriptor(Exception):
    """What was handed to the process is nothing it can serve from."""


@dataclass(slots=True)
class Given:
    """What the process was started with; all of it is the receiver's to close."""

    sockets: list[socket.socket] = field(default_factory=list)  # bound, listening
    lock: int | None = None
    peer: socket.socket | None = None  # to the process that started this one


def numbered(environ: Mapping[str, str], pid: int) -> list[tuple[int, str]]:
    """The descriptors meant for the process `pid`, each with its name."""
    told, count = environ.get("LISTEN_PID", ""), environ.get("LISTEN_FDS", "")
    if told != str(pid) or not (count.isascii() and count.isdecimal()):
        return []
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    names += [""] * int(count)
    return [(FIRST + place, names[place]) for place in range(int(count))]


def take(environ: MutableMapping[str, str]) -> Given:
    """What was given to this process; the environment says nothing of it any more.

    Raises UnusableDescriptor.
    """
    found = numbered(environ, os.getpid())
    for name in VARIABLES:
        environ.pop(name, None)  # a child must not take it for its own
    given = Given()
    for descriptor, name in found:
        try:
            os.set_inheritable(descriptor, False)
            if name == LOCK:
                given.lock = descriptor
            elif name == PEER:
                given.peer = socket.socket(fileno=descriptor)
            else:
                given.sockets.append(_listening(descriptor))
        except OSError as error:
            raise UnusableDescriptor(
                f"Descriptor {descriptor} of LISTEN_FDS: {error.strerror}"
            ) from error
    return given


def _listening(descriptor: int) -> socket.socket:
    given = socket.socket(fileno=descriptor)
    if (
        given.family not in (socket.AF_INET, socket.AF_INET6)
        or given.type != socket.SOCK_STREAM
        or not given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ):
        raise UnusableDescriptor(
            f"Descriptor {descriptor} of LISTEN_FDS is no listening TCP socket"
        )
    given.setblocking(False)
    return given


def start_process(command: Sequence[str], passed: Sequence[tuple[int, str]]) -> int:
    """Start a program that is given the named descriptors; its process number.

    What Python opens is closed on the way, all but the standard streams. Raises
    OSError.
    """
    environ = os.environ | {
        "LISTEN_FDS": str(len(passed)),
        "LISTEN_FDNAMES": ":".join(name for _, name in passed),
    }
    with ExitStack() as stack:
        actions = []
        for place, (descriptor, _) in enumerate(passed):
            # Away from the numbers they get: one would overwrite the next.
            beyond = FIRST + len(passed)
            copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, beyond)
            stack.callback(os.close, copy)
            actions.append((os.POSIX_SPAWN_DUP2, copy, FIRST + place))
        arguments = ["sh", "-c", _FOR_ITSELF, "sh", *command]
        return os.posix_spawn("/bin/sh", arguments, environ, file_actions=actions)
