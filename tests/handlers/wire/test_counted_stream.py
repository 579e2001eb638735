"""What is sent to a client that does not read, or reads slowly."""

import asyncio
import socket

from handlers.wire.arriving_heads import CountedStream
from handlers.wire.deadlines import Deadlines
from handlers.wire.hang_ups import HangUps
from tests.serving import until

MUCH = 32 << 20  # more than kernels keep


def streaming(scenario, seconds=60.0):
    async def main():
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        unread = Deadlines(seconds)
        stream = CountedStream(ours, unread, HangUps())
        await scenario(stream, theirs, unread)
        stream.close()
        assert stream not in unread
        unread.close()
        theirs.close()

    asyncio.run(main())


def test_what_is_taken_at_once_has_no_deadline():
    async def scenario(stream, theirs, unread):
        await stream.write(b"x" * 1_000)
        assert stream not in unread

    streaming(scenario)


def test_each_byte_that_is_taken_begins_the_wait_anew():
    async def scenario(stream, theirs, unread):
        loop = asyncio.get_running_loop()
        whole = stream.write(b"x" * MUCH)
        assert stream in unread
        left = MUCH
        until_before, _ = unread._waits[stream]
        left -= len(await loop.sock_recv(theirs, 1 << 20))
        await until(lambda: unread._waits[stream][0] > until_before)
        stream.write(b"y")  # what is only added does not
        until_before, _ = unread._waits[stream]
        stream._handle_write()
        assert unread._waits[stream][0] == until_before
        while left + 1:
            left -= len(await loop.sock_recv(theirs, 1 << 20))
        await whole
        await until(lambda: stream not in unread)

    streaming(scenario)


def test_who_takes_nothing_is_hung_up_on():
    async def scenario(stream, theirs, unread):
        whole = stream.write(b"x" * MUCH)
        ended = asyncio.Event()
        stream.set_close_callback(ended.set)
        await asyncio.wait_for(ended.wait(), 5)
        assert whole.exception() is not None

    streaming(scenario, 0.05)


def test_what_is_written_never_waits_for_an_acknowledgement():
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as server:
            theirs = socket.create_connection(server.getsockname())
            ours, _ = server.accept()
        unread = Deadlines(60)
        stream = CountedStream(ours, unread, HangUps())
        stream.set_nodelay(False)  # as Tornado does behind each response
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        stream.close()
        unread.close()
        theirs.close()

    asyncio.run(main())
