"""Clients that read nothing hold an account's place for a while, and not for good."""

import asyncio
import json
import socket

import pytest

from gateway.demo.answers import ScriptedResponse, sse
from gateway.demo.events import ScriptedTurn
from tests.faults.raw import BODY, HEAD, LENGTH
from tests.faults.test_client_patience import impatient  # noqa: F401
from tests.faults.test_slow_reader import OVER_A_SOCKET
from tests.serving import until

PIECE = {"type": "response.output_text.delta", "delta": "x" * 20_000}
TURN = ScriptedTurn().text("a").completed()
OVER_HTTP = HEAD + LENGTH + BODY
soon = pytest.mark.parametrize("impatient", [{"unread": 0.3}], indirect=True)


def endless(request):
    data = sse(PIECE) if request is OVER_HTTP else json.dumps(PIECE).encode()
    return ScriptedResponse((TURN.events[0], *[data] * 2_000))


async def begun(port, request):
    """A client whose kernel takes little."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", port))
    await loop.sock_sendall(sock, request)
    return sock


@soon
@pytest.mark.parametrize(
    "request_bytes", [OVER_HTTP, OVER_A_SOCKET], ids=["http", "ws"]
)
@pytest.mark.gen_test
async def test_who_reads_nothing_loses_the_place(
    serving,
    upstream,
    impatient,  # noqa: F811
    request_bytes,
):
    upstream.answer(endless(request_bytes))
    sock = await begun(impatient, request_bytes)
    await until(lambda: serving.account("one").in_flight == 1)
    await until(lambda: serving.account("one").in_flight == 0)
    (row,) = await serving.rows(1)
    assert row["status"] == "interrupted"
    sock.close()
