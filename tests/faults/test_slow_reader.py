"""Clients that read nothing: what the gateway keeps for each of them."""

import asyncio
import json
import socket

import pytest

from gateway.demo.answers import ScriptedResponse, sse
from gateway.demo.events import ScriptedTurn
from tests.faults.raw import frame
from tests.serving import CODEX, payload

pytestmark = pytest.mark.slow

MANY = 20
PIECE = {"type": "response.output_text.delta", "delta": "x" * 20_000}
MOST_BYTES = 1 << 20


def connect(port):
    """A client whose kernel takes little; it never reads."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    return sock


def over_http(port):
    body = json.dumps(payload()).encode()
    sock = connect(port)
    sock.sendall(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
        % (CODEX.encode(), len(body), body)
    )
    return sock


def over_a_socket(port):
    sock = connect(port)
    sock.sendall(
        b"GET %b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % CODEX.encode()
    )
    text = json.dumps({"type": "response.create", **payload()})
    sock.sendall(frame(text.encode()))
    return sock


@pytest.mark.parametrize("begin", [over_http, over_a_socket])
@pytest.mark.gen_test(timeout=60)
async def test_who_reads_nothing_holds_little(upstream, start_process, begin):
    process = await start_process(KEEPALIVE_INTERVAL="0.2")
    turn = ScriptedTurn().text("a").completed()
    data = sse(PIECE) if begin is over_http else json.dumps(PIECE).encode()
    endless = ScriptedResponse((turn.events[0], *[data] * 20_000))
    upstream.answer(endless, times=None)
    loop = asyncio.get_running_loop()
    first = await loop.run_in_executor(None, begin, process.port)
    await upstream.arrived()
    await stalled(upstream)
    before = process.resident_bytes()
    readers = [
        await loop.run_in_executor(None, begin, process.port) for _ in range(MANY)
    ]
    await upstream.arrived(MANY + 1)
    await stalled(upstream)
    grown = (process.resident_bytes() - before) / MANY
    print(f"{begin.__name__}: {grown / 1024:.0f} KiB for each")
    assert grown < MOST_BYTES
    for sock in [first, *readers]:
        sock.close()
    await asyncio.wait_for(
        asyncio.gather(*[received.done.wait() for received in upstream.of()]), 20
    )


async def stalled(upstream):
    """Return once no answer has moved for a moment."""
    seen = None
    async with asyncio.timeout(20):
        while seen != (seen := moved(upstream)):  # noqa: ASYNC110
            await asyncio.sleep(0.3)


def moved(upstream):
    return [one.sent_bytes for one in upstream.of()]
