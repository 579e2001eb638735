"""Everything a client may do wrong: bounds, and nothing left behind."""

import asyncio
import json
import os
import socket
import struct
from contextlib import suppress

import aiohttp
import pytest

from gateway.demo.answers import Answer
from gateway.demo.events import Turn
from handlers.server import Patience, Server
from tests.serving import CODEX, V1, payload, turn_on, until

TURN = Turn().text("one two three").completed()
HEAD = b"POST " + CODEX.encode() + b" HTTP/1.1\r\nHost: localhost\r\n"
BODY = json.dumps(payload()).encode()
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)


async def still_serves(serving):
    assert (await serving.ask()).status == 200


@pytest.fixture
def impatient(io_loop, serving):
    """The port of a second listener of the same gateway, which soon hangs up."""
    server = Server(serving.gateway, Patience(head=0.3, body=0.3))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)

    async def start():
        server.listen([listener])

    io_loop.run_sync(start)
    yield server.port
    io_loop.run_sync(server._http.close_all_connections)
    server._http.stop()


# Who leaves, and when.

PARTS = {
    "inside the request line": b"POST /backend-api/co",
    "inside the headers": HEAD + b"Content-Le",
    "before the body": HEAD + LENGTH,
    "inside the body": HEAD + LENGTH + BODY[:100],
    "inside a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{",
    "waiting to go on": HEAD + b"Expect: 100-continue\r\n" + LENGTH,
}


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
@pytest.mark.parametrize("name", PARTS)
@pytest.mark.gen_test
async def test_leaving_while_the_request_is_on_its_way(
    serving, upstream, at_rest, name, reset
):
    _, writer = await serving.connect()
    writer.write(PARTS[name])
    await writer.drain()
    await still_serves(serving)  # in the meantime the parts have arrived
    if reset:
        writer.transport.abort()
    else:
        writer.close()
    await at_rest()
    assert len(upstream.of()) == 1


@pytest.mark.accounts
@pytest.mark.gen_test
async def test_leaving_while_waiting_for_an_account(serving, upstream, at_rest):
    account = await serving.add_account("one")
    serving.account(account.name).concurrency = 1
    gate = asyncio.Event()
    upstream.answer(*TURN.events[:6], gate, *TURN.events[6:])
    first = asyncio.create_task(serving.ask())
    await upstream.arrived()
    _, writer = await serving.connect()
    writer.write(HEAD + LENGTH + BODY)
    await until(lambda: serving.gateway.pool.waiting)
    writer.close()
    await until(lambda: not serving.gateway.pool.waiting)
    gate.set()
    assert (await first).status == 200
    await at_rest()
    assert [row["status"] for row in await serving.rows(2)] == [
        "interrupted",
        "success",
    ]


@pytest.mark.gen_test
async def test_leaving_while_an_answer_is_folded(serving, upstream, at_rest):
    upstream.answer(*TURN.events[:6], asyncio.Event())
    _, writer = await serving.connect()
    body = json.dumps(payload(stream=False)).encode()
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\n" % V1.encode()
    writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    received = await upstream.arrived()
    writer.close()
    await asyncio.wait_for(received.closed.wait(), 2)
    await at_rest()


# Who takes long.

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


# Who sends what is no request.

MALFORMED = {
    "no request": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a bad method": b"P\xc3ST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no version": b"GET /health\r\nHost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": b"POST %b HTTP/1.1\r\n" % CODEX.encode() + LENGTH + BODY,
    "two hosts": HEAD + b"Host: elsewhere\r\n" + LENGTH + BODY,
    "a header without a colon": HEAD + b"no colon here\r\n" + LENGTH + BODY,
    "a space before the colon": HEAD + b"Content-Length : 5\r\n\r\nhello",
    "a NUL in a header": HEAD + b"X-Nul: a\0b\r\n" + LENGTH + BODY,
    "a line folded": HEAD + b"X-Folded: a\r\n b\r\n" + LENGTH + BODY,
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\nhello",
    "a length with a sign": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "a hexadecimal length": HEAD + b"Content-Length: 0x5\r\n\r\nhello",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a list of lengths": HEAD + b"Content-Length: 5, 6\r\n\r\nhello",
    "a length and chunks": HEAD
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": HEAD
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "an unknown coding": HEAD + b"Transfer-Encoding: gzip\r\n\r\nhello",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked, hidden": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a chunk without a size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n\r\nx\r\n",
    "a chunk with a bad size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n",
    "a negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n",
    "an endless chunk size": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"0" * 10_000,
    "a chunk longer than it says": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxxxx\r\n0\r\n\r\n",
    "headers without an end": HEAD + b"X-Many: of them\r\n" * 10_000,
    "a header without an end": HEAD + b"X-Long: " + b"x" * 200_000,
    "a path without an end": b"GET /" + b"a" * 200_000,
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.gen_test
async def test_what_is_no_request_is_not_served(serving, upstream, at_rest, name):
    reader, writer = await serving.connect()
    writer.write(MALFORMED[name])
    try:
        answer = await asyncio.wait_for(reader.read(), 3)
    except ConnectionError:
        answer = b""
    assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 405")
    assert answer.count(b"HTTP/1.1 ") <= 1
    writer.close()
    await still_serves(serving)
    assert len(upstream.of()) == 1
    await at_rest()


LARGE_HEADS = {
    "many headers": HEAD + b"X-Many: of them\r\n" * 6_000 + LENGTH + BODY,
    "a long header": HEAD + b"X-Long: " + b"x" * 100_000 + b"\r\n" + LENGTH + BODY,
    "a long path": b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"a" * 100_000),
    "of an upgrade": HEAD.replace(b"POST", b"GET")
    + b"Upgrade: websocket\r\nX-Long: %b\r\n\r\n" % (b"x" * 100_000),
}


@pytest.mark.parametrize("name", LARGE_HEADS)
@pytest.mark.gen_test
async def test_a_head_that_is_too_large_is_told_so(serving, upstream, at_rest, name):
    reader, writer = await serving.connect()
    writer.write(LARGE_HEADS[name])
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3)
    assert head.startswith(b"HTTP/1.1 431 ")
    told = json.loads(await reader.read(10_000))["error"]
    assert told["code"] == "headers_too_large"
    assert (told["origin"], told["message"]) == (
        "client",
        "Request headers are larger than 64 KiB",
    )
    writer.close()
    await still_serves(serving)
    assert len(upstream.of()) == 1
    await at_rest()


@pytest.mark.gen_test
async def test_requests_sent_in_advance_are_served_in_order(serving, upstream, at_rest):
    reader, writer = await serving.connect()
    writer.write((HEAD + LENGTH + BODY) * 3)
    for _ in range(3):
        assert await reader.readuntil(b"HTTP/1.1 200 ")
        await reader.readuntil(b"event: response.completed")
    assert len(upstream.of()) == 3
    writer.close()
    await at_rest()


@pytest.mark.settings(keepalive_interval=0.1)
@pytest.mark.gen_test(timeout=20)
async def test_what_is_sent_in_advance_is_bounded(serving, upstream, at_rest):
    """While a turn runs, nobody reads its connection: memory must not fill up.

    That such a client has left shows when it is written to.
    """
    upstream.answer(*TURN.events[:6], asyncio.Event())
    reader, writer = await serving.connect()
    writer.write(HEAD + LENGTH + BODY)
    await reader.readuntil(b"output_text.delta")

    poured = 0

    async def pour():
        nonlocal poured
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            poured += 65536

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pour(), 0.5)
    assert poured < 16 << 20  # the kernel's buffers, and little more
    writer.transport.abort()
    await at_rest()


# Sockets.


def frame(payload_bytes, opcode=1, *, fin=True, rsv=0, mask=b"\1\2\3\4", length=None):
    size = len(payload_bytes) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv | opcode])
    flag = 0x80 if mask else 0
    if size < 126:
        head += bytes([flag | size])
    elif size < 1 << 16:
        head += bytes([flag | 126]) + struct.pack("!H", size)
    else:
        head += bytes([flag | 127]) + struct.pack("!Q", size)
    if not mask:
        return head + payload_bytes
    keys = (mask * (len(payload_bytes) // 4 + 1))[: len(payload_bytes)]
    masked = bytes(a ^ b for a, b in zip(payload_bytes, keys, strict=True))
    return head + mask + masked


async def raw_socket(serving, path=CODEX):
    reader, writer = await serving.connect()
    writer.write(
        b"GET %b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % path.encode()
    )
    assert b" 101 " in await reader.readline()
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


CREATE = json.dumps({"type": "response.create", **payload()}).encode()

BAD_FRAMES = {
    "bad utf-8": frame(b"\xff\xfe{}"),
    "half a character": frame(b'{"type":"\xe2\x82"}'),
    "a reserved bit": frame(b"{}", rsv=0x40),
    "a reserved opcode": frame(b"{}", opcode=3),
    "a fragmented ping": frame(b"x", opcode=9, fin=False),
    "a long ping": frame(b"x" * 126, opcode=9),
    "nothing to continue": frame(b"x", opcode=0),
    "a message inside a message": frame(b"{", fin=False) + frame(b"{}"),
    "a close with one byte": frame(b"\x03", opcode=8),
    "no frame": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD_FRAMES)
@pytest.mark.parametrize("in_a_turn", [False, True], ids=["idle", "in a turn"])
@pytest.mark.gen_test
async def test_bad_frames_end_the_socket(serving, upstream, at_rest, name, in_a_turn):
    reader, writer = await raw_socket(serving)
    if in_a_turn:
        upstream.answer(*TURN.events[:6], asyncio.Event())
        writer.write(frame(CREATE))
        await reader.readuntil(b"output_text.delta")
    writer.write(BAD_FRAMES[name])
    with suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 3)
    writer.close()
    await at_rest()
    await still_serves(serving)


@pytest.mark.gen_test
async def test_fragments_make_one_message(serving, upstream, at_rest):
    reader, writer = await raw_socket(serving)
    writer.write(frame(CREATE[:1], fin=False))
    for byte in CREATE[1:-1]:
        writer.write(frame(bytes([byte]), opcode=0, fin=False))
        writer.write(frame(b"", opcode=9))
    writer.write(frame(CREATE[-1:], opcode=0))
    await asyncio.wait_for(reader.readuntil(b"response.completed"), 5)
    assert upstream.of()[0].body == CREATE
    writer.close()
    await at_rest()


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.parametrize("fragmented", [False, True])
@pytest.mark.parametrize("size", [100_001, 3_000_000, 1 << 40])
@pytest.mark.gen_test
async def test_frames_that_are_too_large_get_a_readable_1009(
    serving, at_rest, size, fragmented
):
    """The client is still sending when it is told."""
    reader, writer = await raw_socket(serving)
    if fragmented:
        writer.write(frame(b"x" * 50_000, fin=False))
        size -= 50_000
    opcode = 0 if fragmented else 1
    writer.write(frame(b"", opcode=opcode, length=size))
    for _ in range(30):
        writer.write(b"x" * 100_000)
        await writer.drain()
    told = await asyncio.wait_for(reader.read(), 4)
    assert told.startswith(b"\x88")
    assert struct.unpack("!H", told[2:4]) == (1009,)
    assert b"too big" in told
    writer.close()
    await at_rest()


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.gen_test
async def test_who_was_told_1009_keeps_no_server_from_ending(serving):
    reader, writer = await raw_socket(serving)
    writer.write(frame(b"", length=1 << 40))
    await asyncio.wait_for(reader.read(), 4)
    await serving.restart()

    async def pour():
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(pour(), 0.5)
    writer.close()


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.gen_test
async def test_a_client_library_reads_the_1009(serving, at_rest):
    async with serving.socket() as ws:
        await ws.send_str("x" * 200_000)
        assert (await ws.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == 1009
    await at_rest()


@pytest.mark.gen_test
async def test_a_frame_as_large_as_is_allowed_passes(serving, upstream, at_rest):
    async with serving.socket(max_msg_size=0) as ws:
        seen = await turn_on(ws, payload("x" * (20 << 20)))
        assert seen[-1]["type"] == "response.completed"
    assert len(upstream.of()[0].body) > 20 << 20
    await at_rest()


@pytest.mark.gen_test
async def test_frames_during_a_turn_wait_for_it(serving, upstream, at_rest):
    gate = asyncio.Event()
    upstream.answer(*TURN.events[:6], gate, *TURN.events[6:])
    async with serving.socket() as ws:
        for _ in range(10):
            await ws.send_json({"type": "response.create", **payload()})
        await upstream.arrived()
        assert len(serving.gateway.turns.running) == 1
        gate.set()
        ends = 0
        while ends < 10:
            event = await ws.receive_json(timeout=5)
            ends += event["type"] == "response.completed"
    assert len(upstream.of()) == 10
    await at_rest()


@pytest.mark.gen_test
async def test_who_leaves_with_frames_waiting_leaves_nothing(
    serving, upstream, at_rest
):
    upstream.answer(*TURN.events[:6], asyncio.Event())
    _, writer = await raw_socket(serving)
    writer.write(frame(CREATE) * 50)
    await upstream.arrived()
    writer.transport.abort()
    await at_rest()
    assert len(upstream.of()) == 1


@pytest.mark.gen_test
async def test_pings_without_an_end_are_answered_one_at_a_time(serving, at_rest):
    """Who does not read gets no pile of pongs."""
    reader, writer = await raw_socket(serving)
    for _ in range(200):
        writer.write(frame(b"p" * 125, opcode=9) * 500)
        await writer.drain()
    await still_serves(serving)
    writer.transport.abort()
    del reader
    await at_rest()


@pytest.mark.gen_test
async def test_an_upgrade_that_is_none(serving, at_rest):
    for head in (
        b"GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n",
        b"GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        b"GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
    ):
        reader, writer = await serving.connect()
        writer.write(head.replace(b"%s", CODEX.encode()) + b"\r\n")
        status = (await asyncio.wait_for(reader.readline(), 3)).split()[1]
        assert status in (b"400", b"426")
        writer.close()
    await at_rest()
    await still_serves(serving)


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.gen_test
async def test_a_bomb_among_turns_costs_nobody_else(serving, upstream, at_rest):
    import zstandard

    bomb = zstandard.compress(b"0" * 50_000_000)
    calls = [
        serving.ask(CODEX, bomb, headers={"content-encoding": "zstd"})
        for _ in range(10)
    ]
    turns = [serving.ask() for _ in range(10)]
    answered = await asyncio.gather(*calls, *turns)
    assert [one.status for one in answered] == [413] * 10 + [200] * 10
    await at_rest()


@pytest.mark.gen_test
async def test_an_answer_nobody_waits_for_any_more_is_no_error(
    serving, upstream, at_rest, caplog
):
    for _ in range(20):
        upstream.answer(Answer((*TURN.events,)))
        _, writer = await serving.connect()
        writer.write(HEAD + LENGTH + BODY)
        writer.close()
    await at_rest()
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []
