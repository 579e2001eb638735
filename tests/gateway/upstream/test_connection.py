"""What goes over the wire to upstream, and comes back: real sockets, bytes by bytes."""

import asyncio
import dataclasses
import os
import re
from contextlib import asynccontextmanager

import pytest

from gateway.settings import Settings
from gateway.upstream import UpstreamFault
from gateway.upstream.body import BrokenAnswer
from gateway.upstream.connection import HEAD_BYTES, PIECE_BYTES, Connection
from gateway.upstream.fair_reading import FairReading
from gateway.upstream.http import UpstreamHttp

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
LARGE = bytes(range(256)) * 40 * 1024  # 10 MiB
SETTINGS = dataclasses.replace(
    Settings.from_env(dotenv=os.devnull), first_event_timeout=5.0
)


class Upstream:
    """One listening server, which runs `serve` for each connection."""

    def __init__(self):
        self.connections = 0
        self.requests = []  # (head, body)
        self.lost = asyncio.Event()

    async def take(self, reader):
        """Read one request."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head)[1])
        self.requests.append((head, await reader.readexactly(length)))

    async def serve(self, reader, writer):
        """Answer all requests alike."""
        while True:
            await self.take(reader)
            writer.write(OK)

    async def accept(self, reader, writer):
        self.connections += 1
        try:
            await self.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.lost.set()
            writer.close()


@asynccontextmanager
async def asking(upstream):
    """Asks the upstream: `await ask(body)` is the whole answer."""
    server = await asyncio.start_server(upstream.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with UpstreamHttp(SETTINGS) as http:

        async def ask(body=b"{}", **headers):
            url = f"http://127.0.0.1:{port}/codex/responses?x=%20y"
            answer = await http.send(url, headers, body)
            try:
                pieces = []
                while piece := await answer.read("stream"):
                    pieces.append(piece)
                return b"".join(pieces)
            finally:
                answer.close()

        yield ask
    server.close()


async def failure(asked):
    with pytest.raises(UpstreamFault) as raised:
        await asked
    return raised.value.failure


def test_a_request_is_what_was_given_and_what_http_needs():
    async def run():
        upstream = Upstream()
        async with asking(upstream) as ask:
            assert await ask(b'{"a":1}', accept="*/*", named="caf\xe9") == b"ok"
        return upstream.requests

    [(head, body)] = asyncio.run(run())
    host = re.search(rb"Host: (127\.0\.0\.1:\d+)\r\n", head)[1]
    assert head == (
        b"POST /codex/responses?x=%20y HTTP/1.1\r\n"
        b"Host: " + host + b"\r\n"
        b"accept: */*\r\nnamed: caf\xe9\r\nContent-Length: 7\r\n\r\n"
    )
    assert body == b'{"a":1}'


@pytest.mark.parametrize("size", [PIECE_BYTES, PIECE_BYTES + 1, len(LARGE)])
def test_bodies_of_any_size_arrive_whole(size):
    async def run():
        upstream = Upstream()
        async with asking(upstream) as ask:
            for _ in range(2):
                assert await ask(LARGE[:size]) == b"ok"
        assert upstream.connections == 1
        return [body for _, body in upstream.requests]

    assert asyncio.run(run()) == [LARGE[:size]] * 2


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "é\u2028"])
def test_a_header_that_would_be_two_is_not_sent(end):
    async def run():
        upstream = Upstream()
        async with asking(upstream) as ask:
            found = await failure(ask(named=f"a{end}smuggled: 1"))
        assert not upstream.connections
        return found

    assert asyncio.run(run()).origin == "network"


def test_an_early_refusal_of_a_large_request_is_heard_and_ends_it():
    class Refusing(Upstream):
        async def serve(self, reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\n\r\nmuch")
            while True:  # reads nothing: only what is given up ends
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0)

    async def run():
        upstream = Refusing()
        async with asking(upstream) as ask, asyncio.timeout(10):
            found = await failure(ask(LARGE))
            await upstream.lost.wait()
        return found

    assert asyncio.run(run()).status == 413


def test_what_comes_unasked_is_nobodys_answer():
    class Talkative(Upstream):
        async def serve(self, reader, writer):
            await self.take(reader)
            writer.write(OK)
            await go_on.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged")
            await reader.read(-1)

    go_on = asyncio.Event()

    async def run():
        upstream = Talkative()
        async with asking(upstream) as ask, asyncio.timeout(10):
            assert await ask() == b"ok"
            go_on.set()
            await upstream.lost.wait()
            assert await ask() == b"ok"
        assert upstream.connections == 2

    asyncio.run(run())


class LostLease:
    """What the library gives when upstream has hung up already."""

    transport = protocol = None
    is_closed = False

    def close(self):
        self.is_closed = True


def test_a_connection_that_was_lost_at_once_is_given_back():
    lease = LostLease()
    with pytest.raises(BrokenAnswer):
        Connection.of(lease, FairReading())
    assert lease.is_closed


HEADS = {
    "another protocol": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "a TLS alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "no end": b"HTTP/1.1 200 OK\r\nx-long: " + b"a" * HEAD_BYTES,
    "too long": b"HTTP/1.1 200 OK\r\nx: " + b"a" * HEAD_BYTES + b"\r\n\r\n",
    "nothing but interim heads": b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
    "an answer behind too many": b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000 + OK,
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\ncontent-length: ten\r\n\r\n",
    "two framings": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"
    b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "two framings, the other way": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
    b"content-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_what_is_no_answer_fails_at_once(head):
    class Strange(Upstream):
        async def serve(self, reader, writer):
            await self.take(reader)
            writer.write(head)
            if head:
                await reader.read(-1)

    async def run():
        upstream = Strange()
        async with asking(upstream) as ask, asyncio.timeout(4):
            found = await failure(ask())
            await upstream.lost.wait()
        return found

    found = asyncio.run(run())
    assert (found.code, found.phase) == ("connection_reset", "headers")


def test_a_head_may_come_byte_by_byte():
    class Slow(Upstream):
        async def serve(self, reader, writer):
            await self.take(reader)
            for byte in b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0)
            await reader.read(-1)

    async def run():
        async with asking(Slow()) as ask:
            return await ask()

    assert asyncio.run(run()) == b"ok"


def test_many_interim_heads_go_before_an_answer():
    class Hinting(Upstream):
        async def serve(self, reader, writer):
            await self.take(reader)
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000 + OK)
            await reader.read(-1)

    async def run():
        async with asking(Hinting()) as ask, asyncio.timeout(10):
            return await ask()

    assert asyncio.run(run()) == b"ok"
