"""Everything a client may do wrong on a socket: bounds, and nothing left behind."""

import asyncio
import json
import struct
from contextlib import suppress

import aiohttp
import pytest

from gateway.demo.events import ScriptedTurn
from tests.faults.raw import frame, raw_socket, still_serves
from tests.serving import CODEX, PATIENCE, payload, rest_of_turn, turn_on, until

MEBIBYTE = 1024 * 1024
TURN = ScriptedTurn().text("one two three").completed()
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
        assert (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
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
            event = await ws.receive_json(timeout=30)
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


@pytest.mark.gen_test
async def test_a_message_counts_until_its_turn_begins(serving, upstream, at_rest):
    """So do those that wait for a turn: whole ones take as much memory."""
    budget = serving.gateway.body_budget
    accepted, done = asyncio.Event(), asyncio.Event()
    upstream.answer(accepted, *TURN.events[:6], done, *TURN.events[6:])
    async with serving.socket(max_msg_size=0) as ws:
        await ws.send_json({"type": "response.create", **payload("x" * MEBIBYTE)})
        await upstream.arrived()
        assert MEBIBYTE < budget.used < 2 * MEBIBYTE
        await ws.send_json({"type": "response.create", **payload("x" * 2 * MEBIBYTE)})
        await ws.send_json({"type": "response.create", **payload("x" * 3 * MEBIBYTE)})
        await until(lambda: budget.used > 6 * MEBIBYTE)
        accepted.set()
        while "output_text.delta" not in (await ws.receive(timeout=PATIENCE)).data:
            pass
        assert 5 * MEBIBYTE < budget.used < 6 * MEBIBYTE  # the first has begun
        done.set()
        for _ in range(2):
            await rest_of_turn(ws)
        await ws.send_str("no turn")
        assert (await rest_of_turn(ws))[-1]["type"] == "response.completed"
        assert (await ws.receive_json(timeout=PATIENCE))["status"] == 400
        await until(lambda: budget.used == 0)
    await at_rest()


@pytest.mark.gen_test
async def test_who_leaves_gives_everything_back(serving, upstream, at_rest):
    """One message in its turn, two that wait for theirs, and a part of a fourth."""
    upstream.answer(asyncio.Event())
    _, writer = await raw_socket(serving)
    writer.write(frame(CREATE) * 3 + frame(CREATE, fin=False))
    await upstream.arrived()
    await until(lambda: serving.gateway.body_budget.used > 4 * len(CREATE))
    writer.transport.abort()
    await at_rest()
