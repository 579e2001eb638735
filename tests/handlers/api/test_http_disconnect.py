"""A client that leaves: upstream is closed at once, whatever the phase."""

import asyncio
import gc
import json
import logging
import time

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.serving import CODEX, V1, payload, until

TURN = ScriptedTurn().text("one two three").completed()


async def begin(serving, path=CODEX):
    """A request sent over a bare connection, so that it can be cut."""
    reader, writer = await serving.connect()
    body = json.dumps(payload()).encode()
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
        % (path.encode(), len(body), body)
    )
    return reader, writer


async def assert_closed(serving, received):
    await asyncio.wait_for(received.closed.wait(), 30)
    (row,) = await serving.rows()
    assert row["status"] == "interrupted"
    assert row["account_id"] == serving.account("one").id
    assert serving.account("one").in_flight == 0


@pytest.mark.gen_test
async def test_before_the_headers(serving, upstream, caplog):
    upstream.answer(ScriptedResponse(before=(asyncio.Event(),)))
    _, writer = await begin(serving)
    received = await upstream.arrived()
    writer.close()
    await assert_closed(serving, received)
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.gen_test
async def test_before_the_commit_point(serving, upstream, caplog):
    upstream.answer(*TURN.events[:2], asyncio.Event())
    _, writer = await begin(serving)
    received = await upstream.arrived()
    await until(lambda: received.sent_bytes)
    writer.close()
    await assert_closed(serving, received)
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_in_the_stream(serving, upstream, caplog, path):
    upstream.answer(*TURN.events[:6], asyncio.Event())
    reader, writer = await begin(serving, path)
    await reader.readuntil(b"output_text.delta")
    received = await upstream.arrived()
    writer.close()
    await assert_closed(serving, received)
    (row,) = await serving.rows()
    assert row["output_tokens"] > 0  # what it saw is counted
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.gen_test
async def test_in_the_middle_of_busy_streams(serving, upstream, caplog):
    pad = {"type": "response.output_text.delta", "delta": "x" * 10_000}
    upstream.answer(TURN.events[0], *[pad] * 20_000, times=None)
    for _ in range(12):  # whether a read or a write notices first is a matter of luck
        reader, writer = await begin(serving)
        await reader.readuntil(b"output_text.delta")
        writer.transport.abort()
    for received in upstream.of():
        await asyncio.wait_for(received.closed.wait(), 30)
    rows = await serving.rows(12)
    assert {row["status"] for row in rows} == {"interrupted"}
    assert serving.account("one").in_flight == 0
    gc.collect()
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.gen_test
async def test_while_it_does_not_read(serving, upstream):
    pad = {"type": "response.output_text.delta", "delta": "x" * 65_000}
    upstream.answer(TURN.events[0], *[pad] * 400, TURN.events[-1], times=2)
    reader, writer = await begin(serving)
    await reader.readuntil(b"response.created")
    received = await upstream.arrived()
    # Another client gets as much and reads it: this one's has stopped meanwhile.
    assert (await serving.ask()).status == 200
    assert not received.done.is_set()
    writer.transport.abort()
    await asyncio.wait_for(received.closed.wait(), 30)
    rows = await serving.rows(2)
    assert [row["status"] for row in rows] == ["success", "interrupted"]
    assert serving.account("one").in_flight == 0


@pytest.mark.gen_test
async def test_while_it_waits_for_an_account(serving, upstream):
    await serving.pause("two")
    serving.account("one").concurrency = 1
    go_on = asyncio.Event()
    upstream.answer(*TURN.events[:6], go_on, *TURN.events[6:])
    first = asyncio.create_task(serving.ask())
    await upstream.arrived()
    _, writer = await begin(serving)
    await until(lambda: serving.gateway.pool.waiting)
    writer.close()
    await until(lambda: not serving.gateway.pool.waiting)
    go_on.set()
    assert (await first).status == 200
    rows = await serving.rows(2)
    assert {row["status"] for row in rows} == {"interrupted", "success"}
    assert len(upstream.of()) == 1


@pytest.mark.gen_test
async def test_while_it_sends_its_body(serving, upstream):
    _, writer = await serving.connect()
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n{"
        % CODEX.encode()
    )
    await until(lambda: serving.gateway.body_budget.used)
    writer.close()
    await until(lambda: not serving.gateway.body_budget.used)
    await serving.rows(0)
    assert upstream.of() == []


@pytest.mark.gen_test
async def test_of_a_folded_answer(serving, upstream):
    upstream.answer(*TURN.events[:6], asyncio.Event())
    _, writer = await serving.connect()
    body = json.dumps({"model": "gpt-5.5", "input": "hi"}).encode()
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
        % (V1.encode(), len(body), body)
    )
    received = await upstream.arrived()
    await until(lambda: received.sent_bytes > 1_000)
    writer.close()
    await assert_closed(serving, received)


@pytest.mark.gen_test
async def test_a_stopping_gateway_leaves_rows_for_what_it_cut(serving, upstream):
    upstream.answer(*TURN.events[:6], asyncio.Event())
    reader, writer = await begin(serving)
    await reader.readuntil(b"output_text.delta")
    await serving.restart()
    (row,) = await serving.rows()
    assert row["status"] != "success"
    assert row["account_id"]
    writer.close()


@pytest.mark.gen_test
async def test_after_the_last_event_the_turn_is_whole(serving, upstream):
    """Codex leaves once it has seen the end, before the body has ended."""
    upstream.answer(*TURN.events, asyncio.Event())
    reader, writer = await begin(serving)
    await reader.readuntil(b"response.completed")
    writer.close()
    (row,) = await serving.rows()
    assert (row["status"], row["http_status"]) == ("success", 200)
    assert row["response_id"] == TURN.events[-1]["response"]["id"]
    bindings = serving.gateway.pool.bindings
    assert bindings.owner(None, "response", row["response_id"], time.time())


@pytest.mark.parametrize("rounds", range(30), ids="{} rounds of the loop".format)
@pytest.mark.gen_test
async def test_who_leaves_while_the_end_arrives_is_no_error(
    serving, upstream, caplog, rounds
):
    """Before the handler hears of it, it finds the connection closed."""
    gate = asyncio.Event()
    upstream.answer(*TURN.events[:6], gate, *TURN.events[6:])
    reader, writer = await begin(serving)
    await reader.readuntil(b"output_text.delta")
    gate.set()
    for _ in range(rounds):
        await asyncio.sleep(0)
    writer.transport.abort()
    await serving.rows()
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []
