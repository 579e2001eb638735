"""What upstream may do wrong on a socket: a close the client understands, no leak."""

import asyncio

import aiohttp
import pytest

from gateway.demo import faults
from gateway.demo.answers import Close, Cut, ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests import upstream_faults
from tests.serving import payload, turn_on, until

pytestmark = [
    pytest.mark.accounts("one"),
    pytest.mark.settings(
        connect_timeout=0.2, first_event_timeout=0.2, idle_timeout=0.3
    ),
]

WHOLE = ScriptedTurn().text("one two three").completed()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
FOR_EVER = asyncio.Event


def bare(*steps):
    return ScriptedResponse(steps, bare=True)


ON_SOCKETS = {
    "a close": ((Close(1011),), 1011),
    "a reset": ((Cut.RESET,), 1011),
    "an end": ((Cut.EOF,), 1011),
    "silence": ((FOR_EVER,), 1011),
}


@pytest.mark.parametrize("name", ON_SOCKETS)
@pytest.mark.gen_test(timeout=20)
async def test_inside_a_turn_on_a_socket(serving, upstream, at_rest, name):
    steps, code = ON_SOCKETS[name]
    steps = [step() if step is FOR_EVER else step for step in steps]
    upstream.answer(*WHOLE.events[:6], *steps)
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        kinds = [(await ws.receive_json(timeout=30))["type"] for _ in range(6)]
        assert kinds == [event["type"] for event in WHOLE.events[:6]]
        assert (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == code
    (row,) = await serving.rows()
    assert (row["status"], row["error_phase"]) == ("error", "stream")
    await at_rest()


TOO_BIG = {
    "before any event": (Close(1009),),
    "before any the client has seen": (*WHOLE.events[:2], Close(1009)),
}


@pytest.mark.parametrize("name", TOO_BIG)
@pytest.mark.accounts("one", "two")
@pytest.mark.gen_test
async def test_a_request_too_large_for_upstream_s_socket(
    serving, upstream, at_rest, name
):
    """The client sends it over HTTP; repeating it would end no better."""
    async with serving.socket() as ws:
        await turn_on(ws)
        upstream.answer(*TOO_BIG[name])
        await ws.send_json({"type": "response.create", **payload()})
        assert (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == 1009
    assert len(upstream.of()) == 2
    _, row = await serving.rows(2)
    assert (row["status"], row["http_status"]) == ("error", 413)
    assert (row["error_code"], row["error_origin"]) == ("payload_too_large", "client")
    assert all(a.health.failures == 0 for a in serving.gateway.pool.accounts.values())
    assert (await serving.ask()).status == 200
    await at_rest()


@pytest.mark.gen_test
async def test_a_1009_inside_an_answer_is_a_loss_like_any_other(serving, upstream):
    upstream.answer(*WHOLE.events[:6], Close(1009))
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        for _ in range(6):
            await ws.receive_json(timeout=30)
        assert (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == 1011


HANDSHAKES = {
    "no answer": (lambda: ScriptedResponse(before=(FOR_EVER(),)), "handshake"),
    "a reset": (upstream_faults.reset_before_headers, None),
    "a page": (upstream_faults.wrong_content_type, None),
    "an error": (faults.server_error, None),
    "100 kB of headers": (
        lambda: bare(HEAD + b"x-large: " + b"h" * 100_000 + b"\r\n\r\n"),
        None,
    ),
}


@pytest.mark.parametrize("name", HANDSHAKES)
@pytest.mark.gen_test(timeout=20)
async def test_in_the_handshake(serving, upstream, at_rest, name):
    make, phase = HANDSHAKES[name]
    upstream.answer(lambda received: make(), route="handshake", times=None)
    async with serving.socket() as ws:
        (event,) = await turn_on(ws)
    assert event["type"] == "error"
    assert event["status"] in (500, 502)
    if phase is not None:
        assert event["error"]["phase"] == phase
    (row,) = await serving.rows()
    assert row["status"] == "error"
    assert row["error_origin"] in ("network", "upstream")
    await at_rest()


FRAMES = {
    "a masked frame": b"\x81\x85\0\0\0\0hello",
    "a reserved bit": b"\xf1\x05hello",
    "a reserved opcode": b"\x83\x05hello",
    "a fragment out of order": b"\x80\x05hello",
    "a long ping": b"\x89\x7e\x00\x80" + b"p" * 128,
    "a compressed frame": b"\xc1\x05hello",
    "a frame of a terabyte": b"\x81\x7f\0\0\x01\0\0\0\0\0",
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.gen_test(timeout=20)
async def test_frames_that_break_the_protocol(serving, upstream, at_rest, name):
    upstream.answer(*WHOLE.events[:6], FOR_EVER())
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        for _ in range(6):
            await ws.receive_json(timeout=30)
        (conversation,) = upstream.open_sockets
        conversation._request.transport.write(FRAMES[name])
        assert (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == 1011
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_a_text_that_is_no_utf_8_passes_as_it_is(serving, upstream, at_rest):
    """Its client then hangs up, and has that noted."""
    upstream.answer(*WHOLE.events[:6], FOR_EVER())
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        for _ in range(6):
            await ws.receive_json(timeout=30)
        (conversation,) = upstream.open_sockets
        conversation._request.transport.write(b"\x81\x04\xff\xfe{}")
        assert (await ws.receive(timeout=30)).data.code == 1007
    (row,) = await serving.rows()
    assert row["status"] == "interrupted"
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_only_the_first_terminal_frame_counts(serving, upstream, at_rest):
    """What comes after it is not taken for the beginning of the next turn."""
    upstream.answer(upstream_faults.two_terminals())
    async with serving.socket() as ws:
        for _ in range(2):
            kinds = [event["type"] for event in await turn_on(ws)]
            assert kinds.count("response.created") == 1
            assert kinds[-1] == "response.completed"
    rows = await serving.rows(2)
    assert {(row["status"], row["error_code"]) for row in rows} == {("success", None)}
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_a_socket_that_dies_between_turns_is_not_noticed(
    serving, upstream, at_rest
):
    async with serving.socket() as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
        (conversation,) = upstream.open_sockets
        conversation._request.transport.abort()
        await until(lambda: not upstream.open_sockets)
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    await at_rest()
