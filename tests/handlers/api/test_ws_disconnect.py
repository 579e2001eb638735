"""Sockets that end: the client's, the upstream's, the gateway's own."""

import asyncio
import gc
import logging

import aiohttp
import pytest

from gateway.demo import faults
from gateway.demo.answers import Close, ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.serving import CODEX, payload, rest_of_turn, turn_on, until

TURN = ScriptedTurn().text("one two three").completed()
CREATE = {"type": "response.create", **payload()}


async def assert_closed(serving, received):
    await asyncio.wait_for(received.closed.wait(), 30)
    (row,) = await serving.rows()
    assert row["status"] == "interrupted"
    assert serving.account("one").in_flight == 0
    await until(lambda: not serving.gateway.channels)


@pytest.mark.gen_test
async def test_a_client_that_leaves_before_the_handshake_is_answered(serving, upstream):
    await serving.ask()  # upstream is known: no socket is opened in advance
    upstream.answer(ScriptedResponse(before=(asyncio.Event(),)), route="handshake")
    async with serving.socket() as ws:
        await ws.send_json(CREATE)
        received = await upstream.arrived(route="handshake")
    await until(lambda: not serving.gateway.turns.running)
    _, row = await serving.rows(2)
    assert row["status"] == "interrupted"
    del received


@pytest.mark.parametrize("events", [0, 2, 6], ids=["first", "held", "stream"])
@pytest.mark.parametrize("abrupt", [False, True])
@pytest.mark.gen_test
async def test_a_client_that_leaves_closes_the_upstream(
    serving, upstream, events, abrupt
):
    upstream.answer(*TURN.events[:events], asyncio.Event())
    ws = await serving.socket()
    await ws.send_json(CREATE)
    received = await upstream.arrived()
    if events:
        await until(lambda: received.sent_bytes)
    if abrupt:
        ws._response.connection.transport.abort()
    else:
        await ws.close()
    await assert_closed(serving, received)


@pytest.mark.gen_test
async def test_clients_that_leave_in_the_middle_of_busy_streams(
    serving, upstream, caplog
):
    pad = {"type": "response.output_text.delta", "delta": "x" * 10_000}
    upstream.answer(TURN.events[0], *[pad] * 20_000, times=None)
    for _ in range(12):  # whether a read or a write notices first is a matter of luck
        ws = await serving.socket()
        await ws.send_json(CREATE)
        await ws.receive(timeout=30)
        await ws.receive(timeout=30)
        ws._response.connection.transport.abort()
    for received in upstream.of():
        await asyncio.wait_for(received.closed.wait(), 30)
    rows = await serving.rows(12)
    assert {row["status"] for row in rows} == {"interrupted"}
    await until(lambda: not serving.gateway.channels)
    gc.collect()
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.gen_test
async def test_a_client_that_leaves_while_its_frames_wait_leaves_nothing(
    serving, upstream
):
    upstream.answer(*TURN.events[:6], asyncio.Event())
    before = asyncio.all_tasks()
    ws = await serving.socket()
    for _ in range(20):
        await ws.send_json(CREATE)
    received = await upstream.arrived()
    ws._response.connection.transport.abort()
    await asyncio.wait_for(received.closed.wait(), 30)
    await serving.rows(1)
    await until(lambda: not serving.gateway.channels)
    ours = [t for t in asyncio.all_tasks() - before if "on_message" in repr(t)]
    ours += [t for t in asyncio.all_tasks() - before if "frame" in repr(t.get_coro())]
    await until(lambda: all(task.done() for task in ours))


@pytest.mark.gen_test
async def test_an_idle_client_that_leaves_closes_the_upstream(serving, upstream):
    async with serving.socket() as ws:
        await turn_on(ws)
        assert upstream.open_sockets
    await until(lambda: not upstream.open_sockets)
    await until(lambda: not serving.gateway.channels)


@pytest.mark.parametrize("code", [1000, 1001, 1012])
@pytest.mark.gen_test
async def test_losing_the_upstream_between_turns_is_invisible(serving, upstream, code):
    upstream.answer(*TURN.events, Close(code))
    async with serving.socket() as ws:
        await turn_on(ws)
        await until(lambda: not upstream.open_sockets)
        frames = await turn_on(ws, payload("again"))
        assert frames[-1]["type"] == "response.completed"
    assert len(upstream.of("handshake")) == 2
    first, second = await serving.rows(2)
    assert first["status"] == second["status"] == "success"


@pytest.mark.gen_test
async def test_an_anchor_that_died_with_its_socket_is_told_as_lost(serving, upstream):
    upstream.answer(*TURN.events, Close(1001))
    async with serving.socket() as ws:
        await turn_on(ws)
        await until(lambda: not upstream.open_sockets)
        (frame,) = await turn_on(ws, payload(previous_response_id=TURN.id))
        assert frame["type"] == "error"
        assert frame["status"] == 400
        assert frame["error"]["code"] == "previous_response_not_found"
        assert frame["error"]["param"] == "previous_response_id"
        # The client resends everything, on the same socket or a new one.
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    assert len(upstream.of()) == 2


@pytest.mark.gen_test
async def test_an_anchor_of_nobody_is_told_as_lost(serving, upstream):
    async with serving.socket() as ws:
        (frame,) = await turn_on(ws, payload(previous_response_id="resp_never"))
        assert frame["error"]["code"] == "previous_response_not_found"
    assert upstream.of() == []


@pytest.mark.parametrize("notice", [True, False])
@pytest.mark.gen_test
async def test_what_upstream_says_between_turns(serving, upstream, notice):
    """Its limits pass; that its socket will end is nothing to the client."""
    limits = {"type": "codex.rate_limits", "rate_limits": {}}
    error = {
        "type": "error",
        "status": 400,
        "error": {"code": "websocket_connection_limit_reached", "message": "60 min"},
    }
    said = limits if notice else error
    upstream.answer(*TURN.events, said, Close(1000))
    async with serving.socket() as ws:
        await turn_on(ws)
        await until(lambda: not upstream.open_sockets)
        if notice:
            assert await ws.receive_json(timeout=30) == limits
        frames = await turn_on(ws)
        assert error not in frames
        assert frames[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_a_second_end_of_a_turn_does_not_end_the_next(serving, upstream):
    failed = ScriptedTurn().failed("server_error", "after the end").events[-1]
    upstream.answer(*TURN.events, failed)
    async with serving.socket() as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
        frames = await turn_on(ws, payload("again"))
        assert failed not in frames
        assert "again" in str(frames[-1])
    assert len(upstream.of()) == 2


@pytest.mark.gen_test
async def test_draining_closes_idle_sockets_and_lets_turns_end(serving, upstream):
    go_on = asyncio.Event()
    upstream.answer(*TURN.events[:6], go_on, *TURN.events[6:])
    async with serving.socket() as idle, serving.socket() as busy:
        await busy.send_json(CREATE)
        await upstream.arrived()
        draining = asyncio.create_task(serving.gateway.drain(5))
        message = await idle.receive(timeout=30)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert idle.close_code == 1012
        assert not draining.done()
        go_on.set()
        assert (await rest_of_turn(busy))[-1]["type"] == "response.completed"
        await busy.receive(timeout=30)
        assert busy.close_code == 1012
        await draining


@pytest.mark.gen_test
async def test_a_stopping_gateway_leaves_rows_for_what_it_cut(serving, upstream):
    upstream.answer(*TURN.events[:6], asyncio.Event())
    ws = await serving.socket(CODEX)
    await ws.send_json(CREATE)
    while (await ws.receive_json(timeout=30))["type"] != "response.output_text.delta":
        pass
    await serving.restart()
    (row,) = await serving.rows()
    assert row["status"] in ("interrupted", "error")


@pytest.mark.gen_test
async def test_a_client_that_leaves_as_its_turn_fails_leaves_no_loose_end(
    serving, upstream, caplog
):
    """Both in one step of the loop: nobody is there to be told of the failure."""
    upstream.answer(faults.error_response(400, "invalid_request_error", "no"))
    serving.gateway.pool.observer.failure_met.subscribe(
        lambda _: serving.gateway.channels.cut()
    )
    async with serving.socket() as ws:
        await ws.send_json(CREATE)
        await ws.receive(timeout=30)
    await until(lambda: not serving.gateway.channels)
    gc.collect()
    assert "never retrieved" not in caplog.text
