"""Clients that take long: for their requests there is an end, for answers none."""

import asyncio
import os
import socket

import pytest

from gateway.demo.events import ScriptedTurn
from handlers.server import Server
from handlers.wire.arriving_bodies import ArrivalLimits
from tests.faults.raw import BODY, HEAD, LENGTH, frame, raw_socket, still_serves
from tests.serving import CODEX, until

TURN = ScriptedTurn().text("one two three").completed()
CREATE = b'{"type": "response.create", ' + BODY[1:]


@pytest.fixture
def impatient(io_loop, serving, request):
    """The port of a second listener of the same gateway, which soon hangs up."""
    limits = getattr(request, "param", {"head": 0.3, "body": 0.3})
    server = Server(serving.gateway, ArrivalLimits(**limits))
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


PACE = {"pace_window": 0.2, "pace": 100}  # bytes a second: 20 in each window


async def drip(writer, pieces, seconds):
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(seconds)


@pytest.mark.parametrize("impatient", [PACE], indirect=True)
@pytest.mark.parametrize("name", ["body byte by byte", "chunks byte by byte"])
@pytest.mark.gen_test
async def test_a_body_that_hardly_comes_is_hung_up_on(
    serving, upstream, impatient, at_rest, name
):
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)
    dripping = asyncio.create_task(drip(writer, SLOW[name], 0.02))
    assert await asyncio.wait_for(reader.read(), 2) == b""
    dripping.cancel()
    writer.close()
    await at_rest()
    assert upstream.of() == []


@pytest.mark.parametrize("impatient", [PACE], indirect=True)
@pytest.mark.gen_test
async def test_a_body_that_comes_at_its_pace_may_take_many_windows(
    serving, upstream, impatient
):
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)
    pieces = [BODY[start : start + 12] for start in range(0, len(BODY), 12)]
    assert len(pieces) * 0.04 > 2.5 * PACE["pace_window"]
    await drip(writer, [HEAD + LENGTH, *pieces], 0.04)
    assert b" 200 " in await asyncio.wait_for(reader.readline(), 2)
    writer.close()


@pytest.mark.parametrize("impatient", [{"side_body": 0.3}], indirect=True)
@pytest.mark.gen_test
async def test_a_body_that_needs_no_key_has_less_time(serving, impatient, at_rest):
    ours, other = [
        await asyncio.open_connection("127.0.0.1", impatient) for _ in range(2)
    ]
    mcp = HEAD.replace(CODEX.encode(), b"/backend-api/ps/mcp")
    ours[1].write(HEAD + LENGTH + BODY[:20])
    other[1].write(mcp + LENGTH + BODY[:20])
    assert await asyncio.wait_for(other[0].read(), 2) == b""
    ours[1].write(BODY[20:])
    assert b" 200 " in await asyncio.wait_for(ours[0].readline(), 2)
    for _, writer in (ours, other):
        writer.close()
    await at_rest()


REFUSED = b"POST /v1/nope HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("impatient", [{"refused_body": 0.4}], indirect=True)
@pytest.mark.gen_test
async def test_a_refusal_does_not_wait_long_for_the_rest(impatient, at_rest):
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)
    writer.write(REFUSED + b"Content-Length: 100000\r\n\r\n" + b"x" * 500)
    answer = await asyncio.wait_for(reader.read(), 2)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b"}}")
    assert b"connection: close" in answer.lower()
    writer.close()
    await at_rest()


@pytest.mark.parametrize("impatient", [{"refused_body": 0.4}], indirect=True)
@pytest.mark.gen_test
async def test_a_rest_that_comes_behind_the_refusal_is_read(impatient, at_rest):
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)
    writer.write(REFUSED + b"Content-Length: 300000\r\n\r\n" + b"x" * 500)
    assert (await reader.readuntil(b"}}")).startswith(b"HTTP/1.1 404 ")
    writer.write(b"x" * 200_000)  # a reset upon this would lose the answer
    await writer.drain()
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()
    await at_rest()


@pytest.mark.parametrize("impatient", [{"refused_body": 60}], indirect=True)
@pytest.mark.gen_test
async def test_who_still_sends_sees_that_nothing_follows_the_refusal(impatient):
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)
    writer.write(REFUSED + b"Content-Length: 300000\r\n\r\n" + b"x" * 500)
    assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"}}")
    writer.close()


@pytest.mark.gen_test
async def test_a_small_refused_body_leaves_the_connection_open(serving, at_rest):
    reader, writer = await serving.connect()
    writer.write(REFUSED + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000)
    assert (await reader.readuntil(b"}}")).startswith(b"HTTP/1.1 404 ")
    writer.write(HEAD + LENGTH + BODY)
    assert b" 200 " in await asyncio.wait_for(reader.readline(), 2)
    writer.close()
    await at_rest()


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


UNFINISHED = {
    "byte by byte": [frame(CREATE)[:9], *[b"x"] * 1000],
    "begun, and no more": [frame(CREATE)[:-1]],
    "only its head": [frame(b"", length=1 << 20)],
    "only a part of its head": [frame(b"", length=1 << 20)[:3]],
    "a fragment a message": [frame(b"{", fin=False)],
    "pings in between": [frame(b"{", fin=False), *[frame(b"x", 9)] * 1000],
    "fragments of nothing": [
        frame(b"{", fin=False),
        *[frame(b"", 0, fin=False)] * 1000,
    ],
}


@pytest.mark.parametrize(
    "impatient", [{"pace_window": 0.2, "pace": 5000}], indirect=True
)
@pytest.mark.parametrize("name", UNFINISHED)
@pytest.mark.gen_test
async def test_a_message_that_hardly_comes_ends_its_socket(
    serving, upstream, impatient, at_rest, name
):
    reader, writer = await raw_socket(serving, port=impatient)
    dripping = asyncio.create_task(drip(writer, UNFINISHED[name], 0.02))
    await asyncio.wait_for(reader.read(), 2)
    dripping.cancel()
    writer.close()
    await at_rest()
    assert upstream.of() == []


@pytest.mark.parametrize("impatient", [PACE | {"body": 1.0}], indirect=True)
@pytest.mark.gen_test
async def test_a_socket_may_be_idle_and_its_messages_come_at_their_pace(
    serving, impatient
):
    reader, writer = await raw_socket(serving, port=impatient)
    idle_for = asyncio.sleep(2.5 * PACE["pace_window"])  # a ping is no beginning
    writer.write(frame(b"x", 9))
    await idle_for
    whole = frame(CREATE)
    pieces = [whole[at : at + 12] for at in range(0, len(whole), 12)]
    assert len(pieces) * 0.04 > 1.5 * PACE["pace_window"]
    await drip(writer, pieces, 0.04)
    await asyncio.wait_for(reader.readuntil(b"response.completed"), 5)
    writer.close()
