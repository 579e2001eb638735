"""Sockets to upstream, against a server that speaks in bytes."""

import asyncio

import pytest

from gateway.protocol.failure_kind import FailureKind, kind_of
from gateway.upstream import UpstreamFault
from tests.gateway.upstream.socket_server import connecting, upgraded

PING = b"\x89\x05hello"
PONG = b"\x8a\x85\0\0\0\0hello"


def test_a_ping_is_answered(tmp_path):
    async def serve(reader, writer):
        await upgraded(reader, writer)
        writer.write(PING)
        assert await reader.readexactly(len(PONG)) == PONG

    async def main():
        async with connecting(serve, tmp_path) as connect:
            await connect()

    asyncio.run(main())


def test_a_goodbye_is_said_once(tmp_path):
    async def serve(reader, writer):
        await upgraded(reader, writer)
        rest = await reader.read()
        assert len(rest) == 8  # one close frame: its head, a mask, a code
        assert rest[0] == 0x88

    async def main():
        async with connecting(serve, tmp_path) as connect:
            socket = await connect()
            await socket.close()
            assert not socket.is_open
            await socket.close()

    asyncio.run(main())


def test_a_message_for_a_socket_that_is_gone_is_a_fault(tmp_path):
    async def serve(reader, writer):
        await upgraded(reader, writer)

    async def main():
        async with connecting(serve, tmp_path) as connect:
            socket = await connect()
            await asyncio.wait_for(socket.arrival(), 5)
            assert not socket.is_open
            with pytest.raises(UpstreamFault) as caught:
                await socket.send(b"{}")
            assert caught.value.failure.phase == "headers"

    asyncio.run(main())


def test_a_refusal_whose_body_never_comes_is_told_by_its_status(tmp_path):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Too Many\r\nContent-Length: 100\r\n\r\n")

    async def main():
        async with connecting(serve, tmp_path) as connect:
            with pytest.raises(UpstreamFault) as caught:
                await connect()
        failure = caught.value.failure
        assert (failure.status, failure.phase) == (429, "handshake")

    asyncio.run(main())


MESSAGE = b"x" * 60_000
MESSAGES = 500  # 30 MB, more than all kernels' buffers between the two take


def test_upstream_waits_while_nobody_receives(tmp_path):
    """Server and client share a loop: what is read at all is read in its turns."""
    sending = asyncio.Event()
    writers = []

    async def serve(reader, writer):
        await upgraded(reader, writer)
        writers.append(writer)
        for _ in range(MESSAGES):
            writer.write(b"\x82\x7e\xea\x60" + MESSAGE)
        sending.set()
        await reader.read()

    async def main():
        async with connecting(serve, tmp_path) as connect:
            socket = await connect()
            await asyncio.wait_for(sending.wait(), 5)
            for _ in range(2 * MESSAGES):
                await asyncio.sleep(0)
            left = writers[0].transport.get_write_buffer_size()
            assert left > len(MESSAGE) * MESSAGES / 4
            for _ in range(MESSAGES):
                assert await asyncio.wait_for(socket.receive("stream"), 5) == MESSAGE
            await socket.close()

    asyncio.run(main())


SHORT = 2 + 4 + 1  # head, mask and payload of a frame of one byte


def test_what_was_received_does_not_count_as_held(tmp_path):
    """A message that waits keeps nobody from answering pings, long after others."""

    async def serve(reader, writer):
        await upgraded(reader, writer)
        for _ in range(6):  # more than may be held at once
            writer.write(b"\x82\x7e\xea\x60" + MESSAGE)
        await reader.readexactly(SHORT)
        writer.write(b"\x82\x7e\xea\x60" + MESSAGE)
        await reader.readexactly(SHORT)
        writer.write(PING)
        assert await reader.readexactly(len(PONG)) == PONG

    async def main():
        async with connecting(serve, tmp_path) as connect:
            socket = await connect()
            for _ in range(6):
                await asyncio.wait_for(socket.receive("stream"), 5)
            await socket.send(b"x")
            await asyncio.wait_for(socket.arrival(), 5)
            await socket.send(b"x")

    asyncio.run(main())


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 2\r\n\r\n", b"\x15\x03\x01\x00\x02"])
def test_a_handshake_that_breaks_off_is_no_refused_connection(tmp_path, said):
    """The request may have brought it about; a refused connection nobody brings."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)

    async def main():
        async with connecting(serve, tmp_path) as connect:
            with pytest.raises(UpstreamFault) as caught:
                await connect()
            return caught.value.failure

    failure = asyncio.run(main())
    assert (failure.phase, failure.code) == ("handshake", "connection_reset")
    assert kind_of(failure) is FailureKind.CONNECTION_LOST
