"""Keepalives and held frames on a WebSocket."""

import asyncio

import aiohttp
import pytest

from gateway.turns.keepalive import StreamTiming
from tests.handlers.api.websocket_turns import TURN
from tests.serving import V1, payload, rest_of_turn

KEEPALIVE = {"type": "codex.keepalive"}


@pytest.mark.settings(pace=StreamTiming(data_keepalive=0.02))
@pytest.mark.gen_test
async def test_codex_gets_keepalives_before_and_in_an_answer(serving, upstream):
    first, second = asyncio.Event(), asyncio.Event()
    upstream.answer(first, *TURN.events[:6], second, *TURN.events[6:])
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        assert await ws.receive_json(timeout=30) == KEEPALIVE
        first.set()
        seen = []
        while not seen or seen[-1] != KEEPALIVE or len(seen) < 7:
            seen.append(await ws.receive_json(timeout=30))
        second.set()
        await rest_of_turn(ws)


@pytest.mark.settings(pace=StreamTiming(data_keepalive=0.01), keepalive_interval=0.02)
@pytest.mark.gen_test
async def test_the_public_socket_gets_pings_only(serving, upstream):
    go_on = asyncio.Event()
    upstream.answer(*TURN.events[:6], go_on, *TURN.events[6:])
    async with serving.socket(V1, autoping=False) as ws:
        await ws.send_json({"type": "response.create", **payload()})
        seen = []
        while aiohttp.WSMsgType.PING not in [message.type for message in seen]:
            seen.append(await ws.receive(timeout=30))
        go_on.set()
        texts = [m.data for m in seen if m.type is aiohttp.WSMsgType.TEXT]
        assert not any("keepalive" in text for text in texts)


@pytest.mark.settings(pace=StreamTiming(hold=0.02))
@pytest.mark.gen_test
async def test_held_frames_leave_after_a_while(serving, upstream):
    go_on = asyncio.Event()
    upstream.answer(*TURN.events[:2], go_on, *TURN.events[2:])
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        assert await ws.receive_json(timeout=30) == TURN.events[0]
        assert await ws.receive_json(timeout=30) == TURN.events[1]
        go_on.set()
        await rest_of_turn(ws)
