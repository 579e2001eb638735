"""Descriptors from outside, as systemd numbers and names them."""

import os
import socket
import sys
from pathlib import Path

import pytest

from gateway.process.inherited_sockets import (
    LISTENING,
    LOCK,
    PEER,
    named_descriptors,
    start_process,
    take_inherited,
)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, []),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, [(3, ""), (4, "")]),
        (
            {"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"},
            [(3, "a"), (4, "b")],
        ),
        (
            {"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a"},
            [(3, "a"), (4, "")],
        ),
        ({"LISTEN_PID": "8", "LISTEN_FDS": "2"}, []),  # another process's
        ({"LISTEN_FDS": "2"}, []),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "two"}, []),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "-1"}, []),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "²"}, []),
        ({"LISTEN_PID": "7"}, []),
    ],
)
def test_descriptors_are_numbered_from_three(told, expected):
    assert named_descriptors(told, 7) == expected


def test_nobodys_variables_are_removed_all_the_same():
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "a", "A": "b"}
    given = take_inherited(environ)
    assert (given.sockets, given.lock, given.peer) == ([], None, None)
    assert environ == {"A": "b"}


# What a process finds that was started with descriptors.
PROGRAM = """
import os, sys
sys.path.insert(0, {root!r})
from gateway.process.inherited_sockets import (UnusableDescriptor, take_inherited)
before = os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"] == str(os.getpid())
try:
    given = take_inherited(os.environ)
except UnusableDescriptor as error:
    print(error, file=open({out!r}, "w"))
    sys.exit(3)
print(
    *before,
    [one.getsockname()[1] for one in given.sockets],
    [one.get_inheritable() or one.getblocking() for one in given.sockets],
    given.lock and os.fstat(given.lock).st_ino,
    given.peer and given.peer.recv(9),
    [name for name in os.environ if name.startswith("LISTEN")],
    file=open({out!r}, "w"),
)
"""


@pytest.fixture
def found(tmp_path):
    """What a started process says of the descriptors it got, and its exit status."""

    def find(passed):
        out = tmp_path / "found"
        root = os.fspath(Path(__file__).parents[3])
        program = PROGRAM.format(root=root, out=str(out))
        pid = start_process([sys.executable, "-c", program], passed)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status, out.read_text().strip() if out.exists() else ""

    return find


def test_a_started_process_finds_what_it_was_given(found, tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
        (tmp_path / "lock").open("w") as lock,
    ):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.send(b"hello")
            passed = [
                (two.fileno(), LISTENING),
                (one.fileno(), LISTENING),
                (lock.fileno(), LOCK),
                (theirs.fileno(), PEER),
            ]
            ports = [two.getsockname()[1], one.getsockname()[1]]
            inode = os.fstat(lock.fileno()).st_ino
            expected = f"4 True {ports} [False, False] {inode} b'hello' []"
            assert found(passed) == (0, expected)


@pytest.mark.parametrize("kind", ["file", "datagrams", "unix", "not listening"])
def test_what_cannot_be_listened_on_is_refused(found, tmp_path, kind):
    if kind == "file":
        given = (tmp_path / "file").open("w")
    else:
        family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
        sort = socket.SOCK_DGRAM if kind == "datagrams" else socket.SOCK_STREAM
        given = socket.socket(family, sort)
    with given:
        status, said = found([(given.fileno(), "")])
    assert status == 3
    assert "Descriptor 3 of LISTEN_FDS" in said
