"""Bodies made to be slow: refused, and nobody else waits for it."""

import asyncio
import json
import time

import aiohttp
import pytest
import zstandard

from tests.serving import CHAT, CODEX, V1, payload

pytestmark = [pytest.mark.slow, pytest.mark.alone]

JSON = "application/json"
START = b'{"model":"m","instructions":"","input":'
SIZE = 10_000_000
# Answers of an idle gateway take about a millisecond; a parse that holds the loop
# for as long as a real request of 8 MiB does, 20.
LONGEST = 0.05


def filled(unit, first=b"[", last=b"0]"):
    return START + first + unit * (SIZE // len(unit)) + last + b"}"


HOSTILE = {
    "lists": filled(b"[],"),
    "objects": filled(b"{},"),
    "numbers": filled(b"1,"),
    "strings": filled(b'"",'),
    "items": filled(b'{"role":"user","content":"a"},'),
    "depth 100,000": START + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "depth 5,000,000": START + b"[" * 5_000_000 + b"]" * 5_000_000 + b"}",
    "a million keys": START
    + b"{"
    + b",".join(b'"%d":1' % number for number in range(1_000_000))
    + b"}}",
    "a million fields": b"{"
    + b",".join(b'"%d":1' % number for number in range(1_000_000))
    + b"}",
    "not closed": START + b"[{" * 5_000_000,
    "towers": START + b"[" + (b"[" * 990 + b"]" * 990 + b",") * 500 + b"0]}",
    "just below the bounds": START + b"[" + b'{"a":1},' * 119_000 + b"0]}",
    "deep, just below": START
    + b"["
    + (b'{"a":' * 250 + b"0" + b"}" * 250 + b",") * 470
    + b"0]}",
}


async def longest_wait(session, url, busy):
    """The slowest of the small answers while something else is being served."""
    slowest = 0.0
    while not busy.done():
        begun = time.monotonic()
        async with session.get(url + "/health") as response:
            await response.read()
        slowest = max(slowest, time.monotonic() - begun)
        await asyncio.sleep(0.001)
    return slowest


@pytest.mark.gen_test(timeout=240)
async def test_hostile_bodies_hold_up_nobody(start_process):
    process = await start_process()
    packed = {name: zstandard.compress(body) for name, body in HOSTILE.items()}
    figures = {}
    async with aiohttp.ClientSession() as session:

        async def post(name, path, encoding="identity"):
            body = packed[name] if encoding == "zstd" else HOSTILE[name]
            headers = {"content-type": JSON, "content-encoding": encoding}
            async with session.post(
                process.url + path, data=as_pieces(body), headers=headers
            ) as response:
                return response.status, await response.json()

        async def over_a_socket(name):
            url = process.url + CODEX
            async with session.ws_connect(url, max_msg_size=0) as ws:
                text = HOSTILE[name].decode()
                await ws.send_str('{"type":"response.create",' + text[1:])
                told = await ws.receive_json(timeout=20)
                return told["status"], told

        for name in HOSTILE:
            for send in (
                lambda name=name: post(name, CODEX),
                lambda name=name: post(name, V1),
                lambda name=name: post(name, CHAT),
                lambda name=name: post(name, CODEX, "zstd"),
                lambda name=name: over_a_socket(name),
            ):
                best = 1.0
                for _ in range(5):  # other programs hold things up, too
                    busy = asyncio.create_task(send())
                    waited = await longest_wait(session, process.url, busy)
                    status, told = await busy
                    assert status == 400, told
                    assert told["error"]["type"] == "invalid_request_error"
                    best = min(best, waited)
                    if best < LONGEST:
                        break
                figures[name] = max(figures.get(name, 0), best)
        assert await process.turn(session) == "response.completed"
    for name, waited in figures.items():
        print(f"{name}: {waited * 1000:.0f} ms")
    assert max(figures.values()) < LONGEST, figures


async def as_pieces(body):
    """In pieces, so that this process does not hold its own loop for long."""
    for start in range(0, len(body), 65536):
        yield body[start : start + 65536]


@pytest.mark.gen_test(timeout=60)
async def test_frames_of_other_types_are_looked_at_first(start_process):
    """A frame that is no turn is never parsed unseen."""
    process = await start_process()
    async with aiohttp.ClientSession() as session:
        url = process.url + CODEX
        for text in (
            '{"a":' + "[" * 5_000_000,
            '{"type":"x","a":[' + "[]," * 3_000_000 + "0]}",
            json.dumps({"a": payload("x" * 5_000_000), "type": "other"}),
        ):
            async with session.ws_connect(url) as ws:
                await ws.send_str(text)
                told = await ws.receive_json(timeout=20)
                assert told["status"] == 400
