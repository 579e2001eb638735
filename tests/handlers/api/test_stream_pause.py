"""A client that pauses inside a stream keeps upstream waiting; that is no silence."""

import asyncio
import json
import socket

import pytest

from gateway.demo.answers import sse
from tests.handlers.api.streams import TURN
from tests.serving import CODEX, payload

# More than all kernels' buffers between upstream and a client take.
PIECE = {"type": "response.output_text.delta", "delta": "x" * 200_000}
PIECES = 100
PAUSE = 1.0  # seconds, several times the idle timeout


@pytest.mark.settings(keepalive_interval=60, idle_timeout=0.3)
@pytest.mark.gen_test(timeout=30)
async def test_a_client_may_pause_for_longer_than_upstream_may_be_silent(
    serving, upstream
):
    upstream.answer(*TURN.events[:6], *[sse(PIECE)] * PIECES, *TURN.events[6:])
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", serving.server.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    body = json.dumps(payload()).encode()
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (CODEX.encode(), len(body), body)
    )
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(PAUSE)
    answer = await reader.read()
    writer.close()
    assert answer.count(b"x" * 200_000) > PIECES // 2  # chunks may part some
    assert b"event: response.completed" in answer
    assert b"response.failed" not in answer
