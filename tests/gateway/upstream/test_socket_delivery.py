"""Runs of frames handed to a sink as they arrive, from a server of raw bytes."""

import asyncio

import pytest

from gateway.upstream import UpstreamFault
from tests.gateway.upstream.socket_server import connecting, upgraded

FIRST, SECOND, THIRD = (b"\x81\x03" + text for text in (b"one", b"two", b"end"))


class Sink:
    """Takes runs; `waiting` is what it has the next one wait for."""

    def __init__(self):
        self.taken = []
        self.came = asyncio.Event()
        self.waiting = None

    def __call__(self, run):
        self.taken.append(run)
        self.came.set()
        return self.waiting

    async def next(self):
        await asyncio.wait_for(self.came.wait(), 5)
        self.came.clear()


@pytest.fixture
def run(tmp_path):
    """Runs `scenario(socket, say)`; `say` has the server write bytes, None ends it."""

    def run_one(scenario):
        async def main():
            said = asyncio.Queue()

            async def serve(reader, writer):
                await upgraded(reader, writer)
                while (data := await said.get()) is not None:
                    writer.write(data)

            async with connecting(serve, tmp_path) as connect:
                socket = await connect()
                await scenario(socket, said.put_nowait)
                said.put_nowait(None)
                await socket.close()

        asyncio.run(main())

    return run_one


def test_runs_are_handed_over_as_they_arrive(run):
    async def scenario(socket, say):
        say(FIRST)
        await asyncio.wait_for(socket.arrival(), 5)
        sink = Sink()
        delivery = socket.deliver_to(sink)
        delivery.deliver()
        await sink.next()
        say(SECOND + THIRD)
        await sink.next()
        assert b"".join(sink.taken) == FIRST + SECOND + THIRD
        assert not socket.has_more
        delivery.end_within(60)
        assert delivery.ended.result() is None

    run(scenario)


def test_a_sink_that_has_enough_is_given_no_more_until_it_has_room(run):
    async def scenario(socket, say):
        sink = Sink()
        sink.waiting = asyncio.get_running_loop().create_future()
        delivery = socket.deliver_to(sink)
        delivery.deliver()
        say(FIRST)
        await sink.next()
        assert delivery.is_full
        say(SECOND)
        for _ in range(20):  # client and server share the loop
            await asyncio.sleep(0)
        assert sink.taken == [FIRST]
        room, sink.waiting = sink.waiting, None
        room.set_result(None)
        await sink.next()
        assert sink.taken == [FIRST, SECOND]
        assert not delivery.is_full
        delivery.stop()

    run(scenario)


def test_what_arrives_after_the_turn_is_kept_for_the_next(run):
    async def scenario(socket, say):
        sink = Sink()
        delivery = socket.deliver_to(sink)
        say(FIRST)
        await sink.next()
        delivery.end_within(60)
        say(SECOND)
        assert await asyncio.wait_for(socket.receive("stream"), 5) == b"two"
        assert sink.taken == [FIRST]

    run(scenario)


def test_a_socket_that_ends_inside_the_turn_is_a_fault_of_the_stream(run):
    async def scenario(socket, say):
        delivery = socket.deliver_to(Sink())
        say(b"\x88\x02\x03\xe9")  # closed, with 1001
        with pytest.raises(UpstreamFault):
            await asyncio.wait_for(delivery.ended, 5)
        assert (socket.is_open, socket.close_code) == (False, 1001)
        late = socket.deliver_to(Sink())
        late.deliver()
        assert isinstance(late.ended.exception(), UpstreamFault)

    run(scenario)


def test_a_client_that_left_ends_the_socket(run):
    def gone(run):
        raise OSError

    async def scenario(socket, say):
        delivery = socket.deliver_to(gone)
        say(FIRST)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(delivery.ended, 5)
        assert not socket.is_open

    run(scenario)


def test_who_receives_waits_for_each_message_anew(run):
    async def scenario(socket, say):
        for frame, text in ((FIRST, b"one"), (SECOND, b"two")):
            receiving = asyncio.create_task(socket.receive("stream"))
            await asyncio.sleep(0)
            say(frame)
            assert await asyncio.wait_for(receiving, 5) == text

    run(scenario)
