"""A client's frames: refused, passed or waiting for their turn."""

import asyncio
import json

import pytest

from tests.handlers.api.websocket_turns import TURN
from tests.serving import payload, rest_of_turn, turn_on, user


@pytest.mark.parametrize(
    ("frame", "param", "reason"),
    [
        ('{"type":"response.create","input":"x"}', "model", "model is required"),
        ('{"type":"response.create","model":"m"}', None, "input is required"),
        ('{"type":"response.create","model":"m","input":3}', "input", "input must be"),
        ('{"type":"response.create",', None, "not valid JSON: "),
        ("not json", None, "a frame is an object with a type"),
        ("[]", None, "a frame is an object with a type"),
        ("", None, "a frame is an object with a type"),
    ],
)
@pytest.mark.gen_test
async def test_a_bad_frame_is_refused_and_the_socket_stays(
    serving, upstream, frame, param, reason
):
    async with serving.socket() as ws:
        await ws.send_str(frame)
        refusal = await ws.receive_json(timeout=30)
        assert refusal["type"] == "error"
        assert refusal["status"] == 400
        assert refusal["error"]["code"] == "invalid_request_error"
        told = refusal["error"]["message"]
        assert told.startswith(f"Invalid request payload: {reason}")
        if param:
            assert refusal["error"]["param"] == param
        if "response.create" in frame:
            assert refusal["error"]["request_id"]
        assert (await turn_on(ws))[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_a_binary_frame_is_refused(serving, upstream):
    async with serving.socket() as ws:
        for frame in ({}, payload()):  # a whole turn, too
            create = {"type": "response.create", **frame}
            await ws.send_bytes(json.dumps(create).encode())
            refusal = await ws.receive_json(timeout=30)
            assert refusal["status"] == 400
            assert "a frame is an object with a type" in refusal["error"]["message"]
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    assert len(upstream.of("responses")) == 1


@pytest.mark.gen_test
async def test_other_frames_pass_to_an_open_upstream_only(serving, upstream):
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.cancel"})
        refusal = await ws.receive_json(timeout=30)
        assert refusal["status"] == 400
        await turn_on(ws)
        upstream.answer(*TURN.events)
        await ws.send_str('{"type": "response.odd",  "x": 1}')
        received = await upstream.arrived(2)
        assert received.body == b'{"type": "response.odd",  "x": 1}'


@pytest.mark.gen_test
async def test_a_frame_of_two_types_is_one_turn_at_most(serving, upstream):
    """What is counted as no turn must not become one upstream."""
    tail = json.dumps(payload())[1:]
    async with serving.socket() as ws:
        await turn_on(ws)
        await ws.send_str('{"type":"response.cancel","type":"response.create",' + tail)
        await rest_of_turn(ws)
    await serving.rows(2)


@pytest.mark.gen_test
async def test_frames_wait_for_their_turn(serving, upstream):
    go_on = asyncio.Event()
    upstream.answer(*TURN.events[:6], go_on, *TURN.events[6:])
    async with serving.socket() as ws:
        for number in range(3):
            await ws.send_json({"type": "response.create", **payload(f"n{number}")})
        await upstream.arrived()
        await ws.receive(timeout=30)
        assert len(upstream.of()) == 1
        go_on.set()
        for _ in range(3):
            assert (await rest_of_turn(ws))[-1]["type"] == "response.completed"
    assert [r.payload["input"] for r in upstream.of()] == [
        [user(f"n{number}")] for number in range(3)
    ]
