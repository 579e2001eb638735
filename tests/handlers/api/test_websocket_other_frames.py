"""Frames beside `response.create` go to the upstream socket that is open, if one is."""

import asyncio

import pytest

from gateway.demo.answers import Close, ScriptedResponse
from tests.handlers.api.websocket_turns import TURN
from tests.serving import payload, rest_of_turn, turn_on, until

NO_SESSION = "WebSocket connection has no active upstream session"
OTHER = {"type": "response.processed", "response_id": "resp_1"}


async def refused(ws):
    answer = await ws.receive_json(timeout=30)
    assert answer["type"] == "error"
    return answer["error"]["message"]


@pytest.mark.gen_test
async def test_before_the_first_turn_it_is_refused(serving):
    async with serving.socket() as ws:
        await ws.send_json(OTHER)
        assert await refused(ws) == NO_SESSION
        assert (await turn_on(ws))[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_after_a_turn_it_passes(serving, upstream):
    async with serving.socket() as ws:
        await turn_on(ws)
        await ws.send_json(OTHER)
        await until(lambda: upstream.requests[-1].payload == OTHER)


@pytest.mark.gen_test
async def test_once_upstream_has_closed_it_is_refused(serving, upstream):
    upstream.answer(*TURN.events, Close(1001))
    async with serving.socket() as ws:
        await turn_on(ws)
        # Frames that are sent before the close has come vanish without a word.
        for _ in range(50):
            await ws.send_json(OTHER)
            await asyncio.sleep(0.01)
        assert await refused(ws) == NO_SESSION


@pytest.mark.gen_test
async def test_sent_while_upstream_is_opened_it_passes_behind_the_turn_s_beginning(
    serving, upstream
):
    answered = asyncio.Event()
    upstream.answer(answered, *TURN.events)
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        await ws.send_json(OTHER)
        assert (await upstream.arrived(2)).payload == OTHER
        answered.set()
        assert (await rest_of_turn(ws))[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_one_behind_the_next_turn_waits_for_it(serving, upstream):
    async with serving.socket() as ws:
        for frame in (payload("one"), payload("two")):
            await ws.send_json({"type": "response.create", **frame})
        await ws.send_json(OTHER)
        for _ in range(2):
            await rest_of_turn(ws)
        await until(lambda: upstream.requests[-1].payload == OTHER)
        kinds = [one.payload.get("type") for one in upstream.of()]
        assert kinds[:2] == ["response.create"] * 2


@pytest.mark.gen_test
async def test_a_second_attempt_brings_it_along(serving, upstream):
    upstream.answer(ScriptedResponse.json({"error": {"message": "no"}}, 500), times=2)
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        await ws.send_json(OTHER)
        assert (await rest_of_turn(ws))[-1]["type"] == "response.completed"
        await until(lambda: upstream.requests[-1].payload == OTHER)
