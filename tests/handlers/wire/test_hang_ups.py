"""Clients that leave at once, in hundreds: their connections end in portions."""

import asyncio
import socket
import struct
from itertools import pairwise

import pytest
import uvloop
from tornado.iostream import StreamClosedError

from handlers.wire.arriving_heads import CountedStream
from handlers.wire.deadlines import Deadlines
from handlers.wire.hang_ups import MOST_HUNG_UP, HangUps

RESET = struct.pack("ii", 1, 0)  # a close that resets the connection


def pairs(number):
    with socket.create_server(("127.0.0.1", 0), backlog=number) as server:
        for _ in range(number):
            theirs = socket.create_connection(server.getsockname())
            yield server.accept()[0], theirs


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
@pytest.mark.parametrize("is_reset", [False, True])
def test_those_who_leave_at_once_end_in_portions(is_reset, loop):
    async def main():
        unread, hang_ups = Deadlines(60), HangUps()
        streams, clients, reads = [], [], []
        for ours, theirs in pairs(100):
            streams.append(CountedStream(ours, unread, hang_ups))
            reads.append(asyncio.ensure_future(streams[-1].read_until(b"end")))
            clients.append(theirs)
        clients[-1].send(b"the end")  # and leaves, and is answered to
        for theirs in clients:
            if is_reset and theirs is not clients[-1]:
                theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            theirs.close()
        closed = [0]
        while closed[-1] < len(streams):
            await asyncio.sleep(0)
            closed.append(sum(stream.closed() for stream in streams))
        assert max(b - a for a, b in pairwise(closed)) <= MOST_HUNG_UP
        told = await asyncio.gather(*reads, return_exceptions=True)
        assert told.pop() == b"the end"
        assert {type(error) for error in told} == {StreamClosedError}

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(main(), 30))
