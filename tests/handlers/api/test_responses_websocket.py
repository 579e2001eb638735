"""GET …/responses as a socket: turns, frames, prewarm, rows, keepalives."""

import asyncio
import json

import aiohttp
import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.handlers.api.websocket_turns import TURN
from tests.serving import CODEX, V1, output_text, payload, rest_of_turn, turn_on

ALIAS = "/backend-api/codex/v1/responses"


def types(frames):
    return [frame["type"] for frame in frames]


@pytest.mark.parametrize("path", [CODEX, ALIAS, V1])
@pytest.mark.gen_test
async def test_many_turns_on_one_socket(serving, upstream, path):
    async with serving.socket(path) as ws:
        for number in range(3):
            frames = await turn_on(ws, payload(f"number {number}"))
            assert f"number {number}" in output_text(frames[-1])
    assert len(upstream.of("handshake")) == 1
    assert upstream.of("handshake")[0].path == "/backend-api/codex/responses"
    assert len({received.connection for received in upstream.of()}) == 1
    rows = await serving.rows(3)
    for row in rows:
        assert (row["transport"], row["status"]) == ("websocket", "success")
        assert row["surface"] == ("v1" if path == V1 else "codex")
        assert row["http_status"] == 200
        assert row["response_id"]
        assert row["output_tokens"] == 20
        assert row["response_bytes"] > 100
        assert None not in [row[f"{p}_ms"] for p in ("queue", "first_event")]
    assert len({row["request_id"] for row in rows}) == 3


@pytest.mark.gen_test
async def test_the_client_s_text_goes_up_and_frames_come_down_as_they_are(
    serving, upstream
):
    odd = [
        b'{"type" : "response.created","response":{"id":"resp_odd"}}',
        '{"delta":"grüße \U0001f600","type":"response.output_text.delta"}'.encode(),
        b'{"type":"response.unheard_of", "x":[1,  2.50]}',
        b'{"type":"response.compl\\u0065ted","response":{"id":"resp_odd"}}',
    ]
    upstream.answer(ScriptedResponse(tuple(odd)))
    frame = json.dumps({"type": "response.create", **payload("grüße")}, indent=2)
    async with serving.socket() as ws:
        await ws.send_str(frame)
        for expected in odd:
            message = await ws.receive(timeout=30)
            assert message.type is aiohttp.WSMsgType.TEXT
            assert message.data.encode() == expected
    assert upstream.of()[0].body == frame.encode()


@pytest.mark.gen_test
async def test_backend_responses_websocket_strips_image_generation_tool_advertisement(
    serving, upstream
):
    shell = {"type": "function", "name": "shell", "parameters": {"type": "object"}}
    sent = payload("draw", tools=[{"type": "image_generation"}, shell])
    async with serving.socket() as ws:
        await turn_on(ws, sent)
    expected = {"type": "response.create", **sent, "tools": [shell]}
    assert upstream.of()[0].payload == expected


@pytest.mark.gen_test
async def test_the_public_socket_refuses_it_and_stays(serving, upstream):
    async with serving.socket(V1) as ws:
        tools = [{"type": "image_generation"}]
        (frame,) = await turn_on(ws, payload("draw", tools=tools))
        assert frame["status"] == 400
        assert frame["error"]["param"] == "tools"
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    assert len(upstream.of()) == 1


@pytest.mark.gen_test
async def test_a_prewarm_and_the_turn_that_builds_on_it(serving, upstream):
    async with serving.socket() as ws:
        warm = await turn_on(ws, payload(input=[]), generate=False)
        assert types(warm)[-1] == "response.completed"
        anchor = warm[-1]["response"]["id"]
        body = payload("after the warm-up", previous_response_id=anchor)
        frames = await turn_on(ws, body)
        assert "after the warm-up" in output_text(frames[-1])
        anchor = frames[-1]["response"]["id"]
        body = payload(previous_response_id=anchor)
        assert types(await turn_on(ws, body))[-1] == "response.completed"
    assert len(upstream.of("handshake")) == 1
    first, second, third = await serving.rows(3)
    assert first["is_prewarm"]
    assert not second["is_prewarm"]
    assert third["receipt"]["reason"] == "previous_response_id"


@pytest.mark.gen_test
async def test_windows_and_the_model_s_name_are_filtered(serving, upstream):
    metadata = {"type": "response.metadata", "headers": {"openai-model": "another"}}
    limits = {"type": "codex.rate_limits", "rate_limits": {}}
    answer = ScriptedResponse.of([TURN.events[0], metadata, limits, *TURN.events[1:]])
    upstream.answer(answer, times=None)
    async with serving.socket() as ws:
        frames = await turn_on(ws)
        assert {"type": "response.metadata", "headers": {}} in frames
        assert limits in frames
    token = await serving.add_key()
    async with serving.socket(headers={"x-api-key": token}) as ws:
        assert limits not in await turn_on(ws)


@pytest.mark.gen_test
async def test_turn_states_of_metadata_are_remembered(serving, upstream):
    metadata = {"type": "response.metadata", "headers": {"x-codex-turn-state": "ts-9"}}
    upstream.answer(TURN.events[0], metadata, *TURN.events[1:], account="one")
    async with serving.socket() as ws:
        await turn_on(ws)
    await serving.rows(1)
    await serving.ask(
        body=payload(prompt_cache_key="other"), headers={"x-codex-turn-state": "ts-9"}
    )
    assert upstream.of()[1].headers["x-codex-turn-state"] == "ts-9"
    assert (await serving.rows(2))[1]["receipt"]["reason"] == "turn_state"


@pytest.mark.gen_test
async def test_the_upstream_handshake_has_the_account_s_and_the_client_s_headers(
    serving, upstream
):
    given = {
        "originator": "codex_exec",
        "user-agent": "codex_exec/0.169.0",
        "session-id": "s",
        "openai-beta": "responses_websockets=2026-02-06",
        "accept": "x/y",
        "cookie": "a=b",
        "authorization": "Bearer own",
    }
    async with serving.socket(headers=given) as ws:
        await turn_on(ws)
    (handshake,) = upstream.of("handshake")
    assert {name.lower() for name, _ in handshake.raw_headers} == {
        "host",
        "upgrade",
        "connection",
        "sec-websocket-version",
        "sec-websocket-key",
        "authorization",
        "chatgpt-account-id",
        "accept",
        "accept-encoding",
        "originator",
        "user-agent",
        "session-id",
        "openai-beta",
    }
    account = upstream.accounts["one"]
    assert handshake.headers["authorization"] == f"Bearer {account.access_token}"
    assert handshake.headers["user-agent"] == "codex_exec/0.169.0"
    assert handshake.headers["openai-beta"] == "responses_websockets=2026-02-06"


@pytest.mark.gen_test
async def test_a_large_frame_passes_both_ways(serving, upstream):
    text = "x" * (11 << 20)  # more than the server library takes by itself
    upstream.answer(ScriptedTurn().text(text).completed().answer())
    async with serving.socket(max_msg_size=0) as ws:
        frames = await turn_on(ws, payload(text))
        assert output_text(frames[-1]) == text
    assert len(upstream.of()[0].body) > 11 << 20


@pytest.mark.gen_test
async def test_a_client_that_stops_reading_stops_the_upstream(serving, upstream):
    pad = {"type": "response.output_text.delta", "delta": "x" * 65_000}
    upstream.answer(TURN.events[0], *[pad] * 800, TURN.events[-1])
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        received = await upstream.arrived()
        before = -1
        while received.sent_bytes != before:
            before = received.sent_bytes
            await asyncio.sleep(0.1)  # until nothing moves any more
        assert before < 800 * 65_000 / 2
        assert (await rest_of_turn(ws))[-1]["type"] == "response.completed"
