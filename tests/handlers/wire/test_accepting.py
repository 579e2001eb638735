"""What becomes of connections when descriptors are short."""

import asyncio
import resource
import socket
from contextlib import contextmanager
from operator import sub

import pytest

from handlers.wire.accepting import (
    MOST_ACCEPTED,
    AcceptPolicy,
    Listener,
    descriptors_for_clients,
)
from handlers.wire.lingering_close import LingeringSockets
from tests.serving import until


class Counts:
    """Stands where the metrics do."""

    def __init__(self):
        self.connections_refused, self.accept_pauses = Count(), Count()


class Count:
    number = 0

    def inc(self):
        self.number += 1


@pytest.mark.parametrize(
    ("limit", "clients"),
    [(65536, 49152), (1024, 768), (256, 192), (200, 136), (100, 50), (20, 10)],
)
def test_a_part_of_the_descriptors_is_not_for_clients(limit, clients):
    assert descriptors_for_clients(limit) == clients


@contextmanager
def no_descriptor_left():
    """Lowers the process's limit to what it has open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as probe:
        lowest_free = probe.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.gen_test
async def test_out_of_descriptors_accepting_pauses_and_comes_back(caplog):
    """One attempt in each pause, whatever waits, and one line in the log."""
    counts, accepted = Counts(), []
    policy = AcceptPolicy(counts, LingeringSockets(), pause_seconds=0.05)
    clients = [socket.socket() for _ in range(3)]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        listener = Listener(listening, lambda *one: accepted.append(one), policy)
        with no_descriptor_left():
            for client in clients:
                client.connect(listening.getsockname())
            started = asyncio.get_running_loop().time()
            await until(lambda: counts.accept_pauses.number == 3)
            assert asyncio.get_running_loop().time() - started > 0.09
            assert accepted == []
        await until(lambda: len(accepted) == 3)
        listener.close()
    assert len([one for one in caplog.records if "accepting pauses" in one.msg]) == 1
    for one in (*clients, *(connection for connection, _ in accepted)):
        one.close()


@pytest.mark.gen_test
async def test_a_listener_that_is_closed_in_a_pause_does_not_come_back():
    counts, accepted = Counts(), []
    policy = AcceptPolicy(counts, LingeringSockets(), pause_seconds=0.05)
    client = socket.socket()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        listener = Listener(listening, lambda *one: accepted.append(one), policy)
        with no_descriptor_left():
            client.connect(listening.getsockname())
            await until(lambda: counts.accept_pauses.number)
        listener.close()
        other = Listener(listening, lambda *one: accepted.append(one), policy)
        await until(lambda: accepted)
        other.close()
    assert counts.accept_pauses.number == 1
    client.close()
    accepted[0][0].close()


@pytest.mark.gen_test
async def test_of_those_who_come_at_once_some_are_taken_at_a_time():
    """In between the loop does what else there is to do."""
    accepted, number = [], 3 * MOST_ACCEPTED
    policy = AcceptPolicy(Counts(), LingeringSockets())
    with socket.create_server(("127.0.0.1", 0), backlog=number) as listening:
        listening.setblocking(False)
        clients = [
            socket.create_connection(listening.getsockname()) for _ in range(number)
        ]
        listener = Listener(listening, lambda *one: accepted.append(one), policy)
        seen = [0]
        while seen[-1] < number:
            await asyncio.sleep(0)
            seen.append(len(accepted))
        listener.close()
    assert max(map(sub, seen[1:], seen)) == MOST_ACCEPTED
    for one in (*clients, *(connection for connection, _ in accepted)):
        one.close()
