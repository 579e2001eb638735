"""Clients that read nothing: what the gateway keeps for each of them."""

import asyncio
import json
import socket
from functools import partial

import pytest

from gateway.demo.answers import ScriptedResponse, sse
from gateway.demo.events import ScriptedTurn
from tests.faults.raw import frame
from tests.serving import CODEX, payload

pytestmark = pytest.mark.slow

MANY = 20
PIECE = {"type": "response.output_text.delta", "delta": "x" * 20_000}
MOST_BYTES = 1 << 20
MUCH = 60_000_000  # bytes


BODY = json.dumps(payload()).encode()
OVER_HTTP = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (
    CODEX.encode(),
    len(BODY),
    BODY,
)
OVER_A_SOCKET = (
    b"GET %b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n%b"
    % (
        CODEX.encode(),
        frame(json.dumps({"type": "response.create", **payload()}).encode()),
    )
)


def read_nothing(port, request):
    """A client whose kernel takes little; it never reads."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    sock.sendall(request)
    return sock


@pytest.mark.parametrize(
    "request_bytes", [OVER_HTTP, OVER_A_SOCKET], ids=["http", "ws"]
)
@pytest.mark.gen_test(timeout=60)
async def test_who_reads_nothing_holds_little(upstream, start_process, request_bytes):
    process = await start_process(KEEPALIVE_INTERVAL="0.2")
    turn = ScriptedTurn().text("a").completed()
    data = sse(PIECE) if request_bytes is OVER_HTTP else json.dumps(PIECE).encode()
    endless = ScriptedResponse((turn.events[0], *[data] * 20_000))
    upstream.answer(endless, times=None)
    loop = asyncio.get_running_loop()
    begin = partial(read_nothing, process.port, request_bytes)
    first = await loop.run_in_executor(None, begin)
    await upstream.arrived()
    await read_much(process.port, request_bytes)
    before = process.resident_bytes()
    readers = [await loop.run_in_executor(None, begin) for _ in range(MANY)]
    await upstream.arrived(2 + MANY)
    await read_much(process.port, request_bytes)
    assert all(one.sent_bytes < MUCH for one in upstream.of()[2:-1])
    grown = (process.resident_bytes() - before) / MANY
    print(f"{grown / 1024:.0f} KiB for each")
    assert grown < MOST_BYTES
    for sock in [first, *readers]:
        sock.close()
    await asyncio.wait_for(
        asyncio.gather(*[received.done.wait() for received in upstream.of()]), 20
    )


async def read_much(port, request):
    """Read far more than all buffers hold: who reads nothing has stalled by then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(30):
        left = MUCH
        while left > 0:
            left -= len(await reader.read(1 << 20))
    writer.close()
