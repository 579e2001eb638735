"""Sockets to upstream, against a server that speaks in bytes."""

import asyncio
import base64
import hashlib
from contextlib import asynccontextmanager

import aiohttp
import pytest

from gateway.settings import Settings
from gateway.upstream import UpstreamFault
from gateway.upstream.learned_traits import LearnedTraits
from gateway.upstream.websocket_handshake import UpstreamSockets

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PING = b"\x89\x05hello"
PONG = b"\x8a\x85\0\0\0\0hello"


async def upgraded(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    key = {name.lower(): value for name, value in lines.items()}[b"sec-websocket-key"]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


@asynccontextmanager
async def connecting(serve, tmp_path):
    """Opens a socket to a server that does `await serve(reader, writer)`."""
    served = []

    async def one(reader, writer):
        served.append(asyncio.current_task())
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings.from_env(dotenv=str(tmp_path / "none"))
    async with server, aiohttp.ClientSession() as session:
        sockets = UpstreamSockets(session, settings, LearnedTraits(1))
        yield lambda: sockets.connect(f"http://127.0.0.1:{port}/", {}, 1, None)
        await asyncio.wait_for(asyncio.gather(*served), 5)


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
