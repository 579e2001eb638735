"""What a turn took is free when it ends: it leaves no cycles of references.

The collector of cycles runs seldom, so those of a few hundred sockets would be
megabytes that nobody uses.
"""

import asyncio
import gc
import json
import weakref

import pytest

from gateway.demo import faults
from gateway.demo.answers import Cut
from gateway.demo.events import ScriptedTurn
from gateway.turns.relay import Relay
from gateway.turns.websocket import WebSocketSession
from gateway.upstream.body import Body, BodyDelivery
from gateway.upstream.websocket import UpstreamSocket
from handlers.api.responses import ResponsesHandler
from handlers.api.responses_websocket import ResponsesSocket
from handlers.wire.websocket import CountingProtocol
from tests import upstream_faults
from tests.serving import CODEX, TERMINAL, payload, rest_of_turn, until

TURN = ScriptedTurn().text("one two three").completed()
FAILURES = {
    "limit": faults.usage_limit(),
    "500": faults.server_error(),
    "reset": upstream_faults.reset_before_headers(),
    "failed": upstream_faults.failed_first("invalid_prompt"),
    "overloaded": faults.overloaded(),
    "held": faults.cut_after(TURN.answer(), 2),
    "stream": faults.cut_after(TURN.answer(), 6),
}


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def watch(*types):
    """Names of the objects of these types that live, kept up to date."""
    living = [one for one in gc.get_objects() if isinstance(one, types)]
    assert {type(one) for one in living} == set(types)
    left = {}
    for one in living:
        weakref.finalize(one, left.pop, id(one))
        left[id(one)] = type(one).__name__
    return left


@pytest.mark.parametrize("rest", [TURN.events[6:], [Cut.RESET]], ids=["whole", "cut"])
@pytest.mark.gen_test
async def test_an_answer_over_http_is_free_at_its_end(
    serving, upstream, without_collector, rest
):
    go_on = asyncio.Event()
    upstream.answer(*TURN.events[:6], go_on, *rest)
    async with serving.stream() as response:
        await response.content.readany()
        await until(
            lambda: any(isinstance(one, BodyDelivery) for one in gc.get_objects())
        )
        left = watch(ResponsesHandler, Relay, Body, BodyDelivery)
        go_on.set()
        await response.read()
    await until(lambda: not left)


@pytest.mark.parametrize("abrupt", [False, True])
@pytest.mark.gen_test
async def test_a_socket_is_free_at_its_end(serving, without_collector, abrupt):
    ws = await serving.socket()
    for _ in range(2):
        await ws.send_json({"type": "response.create", **payload()})
        await rest_of_turn(ws)
    left = watch(ResponsesSocket, CountingProtocol, WebSocketSession, UpstreamSocket)
    if abrupt:
        ws._response.connection.transport.abort()
    else:
        await ws.close()
    await until(lambda: not left)


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.gen_test
async def test_a_failed_request_is_free_at_its_end(
    serving, upstream, without_collector, kind
):
    go_on = asyncio.Event()
    upstream.answer(FAILURES[kind].after(go_on), times=None)
    asked = asyncio.create_task(serving.ask())
    await upstream.arrived()
    left = watch(ResponsesHandler)
    go_on.set()
    assert b"error" in (await asked).body
    await until(lambda: not left)


@pytest.mark.gen_test
async def test_a_request_that_no_account_takes_is_free_at_its_end(
    serving, upstream, without_collector
):
    upstream.answer(faults.usage_limit(), times=None)
    assert (await serving.ask()).status == 429
    body = json.dumps(payload()).encode()
    reader, writer = await serving.connect()
    head = "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    writer.write((head % (CODEX, len(body))).encode() + body[:9])
    await until(lambda: serving.gateway.body_budget.used)
    left = watch(ResponsesHandler)
    writer.write(body[9:])
    assert b"429" in await reader.readline()
    await until(lambda: not left)
    writer.close()


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.gen_test
async def test_a_socket_of_failed_turns_is_free_at_its_end(
    serving, upstream, without_collector, kind
):
    go_on = asyncio.Event()
    upstream.answer(FAILURES[kind].after(go_on), times=None)
    ws = await serving.socket()
    await ws.send_json({"type": "response.create", **payload()})
    await upstream.arrived()
    left = watch(ResponsesSocket, WebSocketSession)
    go_on.set()
    async for message in ws:
        if message.json()["type"] in TERMINAL:
            break
    await ws.close()
    await until(lambda: not left)
