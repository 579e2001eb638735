"""Clients that take long: for their requests there is an end, for answers none."""

import asyncio
import os
import socket

import pytest

from gateway.demo.events import ScriptedTurn
from handlers.server import ArrivalLimits, Server
from tests.faults.raw import BODY, HEAD, LENGTH, still_serves
from tests.serving import until

TURN = ScriptedTurn().text("one two three").completed()


@pytest.fixture
def impatient(io_loop, serving):
    """The port of a second listener of the same gateway, which soon hangs up."""
    server = Server(serving.gateway, ArrivalLimits(head=0.3, body=0.3))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)

    async def start():
        server.listen([listener])

    io_loop.run_sync(start)
    yield server.port
    io_loop.run_sync(server._http.close_all_connections)
    server._http.stop()


SLOW = {
    "silent from the start": (b"",),
    "headers byte by byte": [bytes([byte]) for byte in HEAD * 20],
    "body byte by byte": [HEAD + LENGTH, *[bytes([byte]) for byte in BODY]],
    "chunks byte by byte": [
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        *[b"1\r\n%c\r\n" % byte for byte in BODY],
    ],
}


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.gen_test
async def test_who_takes_long_is_hung_up_on(
    serving, upstream, impatient, at_rest, name
):
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)

    async def drip():
        for piece in SLOW[name]:
            writer.write(piece)
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    assert await asyncio.wait_for(reader.read(), 2) == b""
    dripping.cancel()
    writer.close()
    await at_rest()
    assert upstream.of() == []


@pytest.mark.gen_test
async def test_an_answer_may_take_longer_than_its_request(
    serving, upstream, impatient, at_rest
):
    gate = asyncio.Event()
    upstream.answer(*TURN.events[:6], gate, *TURN.events[6:])
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)
    writer.write(HEAD + LENGTH + BODY)
    await upstream.arrived()
    silent, silent_writer = await asyncio.open_connection("127.0.0.1", impatient)
    assert await asyncio.wait_for(silent.read(), 2) == b""
    gate.set()
    await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 2)
    writer.close()
    silent_writer.close()
    await at_rest()


@pytest.mark.gen_test(timeout=30)
async def test_a_thousand_silent_connections(serving, impatient, at_rest):
    before = len(os.listdir("/proc/self/fd"))
    silent = [
        await asyncio.open_connection("127.0.0.1", impatient) for _ in range(1000)
    ]
    await still_serves(serving)
    gone = await asyncio.wait_for(
        asyncio.gather(*[reader.read() for reader, _ in silent]), 10
    )
    assert gone == [b""] * 1000
    for _, writer in silent:
        writer.close()
    await at_rest()
    await until(lambda: len(os.listdir("/proc/self/fd")) < before + 20)
