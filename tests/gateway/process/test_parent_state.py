"""What a parent keeps when it becomes new code, and the lock of its workers."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from gateway.process.inherited_sockets import PARENT
from gateway.process.lockfile import share_workers_lock
from gateway.process.parent_state import continues, take_parent_state

ROOT = Path(__file__).resolve().parents[3]
# Becomes itself once, and tells what it is then.
PROGRAM = f"""
import os, signal, socket, sys
sys.path.insert(0, {str(ROOT)!r})
from gateway.process.parent_state import *
from gateway.process.workers import Order, State, Worker
state = take_parent_state(os.environ)
if state is None:
    kept = [socket.socket(), socket.socket(), socket.create_server(("127.0.0.1", 0))]
    mine, link = socket.socketpair()
    link.send(b"hello")
    lock, share, listening = [one.fileno() for one in kept]
    workers = [
        Worker(7, 1, 1.5, State.SERVING, False),
        Worker(8, 2, 2.5, State.LEAVING, True, Order.LEAVE),
    ]
    ports = {{1: [listening]}}
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD_SIGNALS)
    become_new_code(ParentState(
        os.getpid(), lock, share, [listening], ports, workers, {{7: mine.fileno()}}
    ))
print(state.pid == os.getpid(), state.workers == [
    Worker(7, 1, 1.5, State.SERVING, False),
    Worker(8, 2, 2.5, State.LEAVING, True, Order.LEAVE),
])
print([os.get_inheritable(one) for one in state.descriptors])
print(socket.socket(fileno=state.links[7]).recv(9), state.ports[1] == state.listening)
print(signal.pthread_sigmask(signal.SIG_BLOCK, []) == HELD_SIGNALS)
print(take_parent_state(os.environ))
"""


def test_the_new_code_has_what_the_old_had():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "True True",
        "[False, False, False, False, False]",
        "b'hello' True",
        "True",
        "None",
    ]


def test_another_process_s_state_is_nobody_s():
    environ = {"CODEX_GATEWAY_PARENT": json.dumps({"pid": os.getppid()})}
    assert continues(environ)
    assert take_parent_state(environ) is None
    assert environ == {}


def test_a_worker_greets_nobody():
    assert not continues({"LISTEN_FDNAMES": "gateway-listening"})
    assert continues({"LISTEN_FDNAMES": f"gateway-listening:{PARENT}"})


def test_who_shares_the_lock_with_others_is_not_alone(tmp_path):
    with ExitStack() as first:
        held, is_sole = first.enter_context(share_workers_lock(tmp_path))
        assert is_sole
        of_a_worker = socket.dup(held)
    # The parent is gone, its worker is not.
    with share_workers_lock(tmp_path) as (_, is_sole):
        assert not is_sole
        os.close(of_a_worker)
    with share_workers_lock(tmp_path) as (kept, is_sole):
        assert is_sole
        with share_workers_lock(tmp_path, os.dup(kept)) as (_, is_sole):
            assert not is_sole  # it had it before
