"""The scripted upstream answers on a WebSocket as a real one would."""

import asyncio
import json

import aiohttp
import pytest

from gateway.demo import faults
from gateway.demo.answers import Close, Cut
from tests.gateway.demo.client import (
    body,
    client,
    output_text,
    user,
)

SHELL = {"type": "function", "name": "exec_command", "parameters": {"type": "object"}}


async def turn_on(ws, payload):
    """Send a frame, read until the turn has ended."""
    await ws.send_json({"type": "response.create", **payload})
    seen = []
    while not seen or seen[-1]["type"] not in {
        "response.completed",
        "response.failed",
        "error",
    }:
        seen.append(await ws.receive_json(timeout=30))
    return seen


@pytest.mark.gen_test
async def test_many_turns_share_a_socket_and_its_response_ids(upstream):
    async with client(upstream) as one, one.socket() as ws:
        warm = await turn_on(ws, body([], generate=False))
        assert [event["type"] for event in warm][-1] == "response.completed"
        anchor = warm[-1]["response"]["id"]
        call = await turn_on(
            ws,
            body([user("demo:tool(ls)")], previous_response_id=anchor, tools=[SHELL]),
        )
        assert call[0]["type"] == "codex.rate_limits"
        (item,) = call[-1]["response"]["output"]
        assert json.loads(item["arguments"]) == {"cmd": "ls"}
        output = {"type": "function_call_output", "call_id": item["call_id"]}
        end = await turn_on(
            ws, body([output], previous_response_id=call[-1]["response"]["id"])
        )
        assert "all done" in output_text(end[-1])
    frames = [r for r in upstream.requests if r.transport == "websocket"]
    assert [frame.route for frame in frames] == ["prewarm", "responses", "responses"]
    assert len({frame.connection for frame in frames}) == 1
    await asyncio.wait_for(frames[-1].closed.wait(), 30)


@pytest.mark.gen_test
async def test_response_ids_are_unknown_on_another_socket(upstream):
    async with client(upstream) as one:
        async with one.socket() as ws:
            first = await turn_on(ws, body())
        anchor = first[-1]["response"]["id"]
        async with one.socket() as ws:
            seen = await turn_on(ws, body(previous_response_id=anchor))
            assert seen[-1]["status"] == 400
            assert seen[-1]["error"]["code"] == "previous_response_not_found"
            assert (await turn_on(ws, body()))[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_a_refusal_is_an_error_frame_and_a_cut_ends_the_socket(upstream):
    upstream.answer(faults.unavailable(retry_after=3))
    upstream.answer({"type": "response.created", "response": {}}, Close(1012))
    upstream.answer(Cut.RESET)
    async with client(upstream) as one:
        async with one.socket() as ws:
            (frame,) = await turn_on(ws, body())
            assert frame["status"] == 503
            assert frame["headers"] == {"retry-after": "3"}
            await ws.send_json(body())
            assert (await ws.receive_json())["type"] == "response.created"
            assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 1012
        async with one.socket() as ws:
            await ws.send_json(body())
            message = await ws.receive()
            assert message.type is not aiohttp.WSMsgType.TEXT


@pytest.mark.gen_test
async def test_a_client_that_leaves_its_socket_ends_the_turn(upstream):
    upstream.answer({"type": "response.created"}, asyncio.Event())
    async with client(upstream) as one, one.socket() as ws:
        await ws.send_json(body())
        await ws.receive_json()
        received = await upstream.arrived()
        await ws.close()
        await asyncio.wait_for(received.closed.wait(), 30)


@pytest.mark.gen_test
async def test_a_handshake_can_be_refused(upstream):
    upstream.answer(
        faults.error_response(426, "upgrade_required", "no"), route="handshake"
    )
    async with client(upstream) as one:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await one.socket()
        assert refused.value.status == 426
        async with one.socket() as ws:
            assert (await turn_on(ws, body()))[-1]["type"] == "response.completed"
