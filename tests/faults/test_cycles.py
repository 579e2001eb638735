"""What a turn took is free when it ends: it leaves no cycles of references.

The collector of cycles runs seldom, so those of a few hundred sockets would be
megabytes that nobody uses.
"""

import asyncio
import gc
import weakref

import pytest
from tornado.websocket import WebSocketProtocol13

from gateway.channel import Channel
from gateway.demo.events import Turn
from gateway.relay import Relay
from gateway.upstream.body import Body, Pour
from gateway.upstream.ws import UpstreamSocket
from handlers.responses import ResponsesHandler
from handlers.responses_socket import ResponsesSocket
from tests.serving import payload, rest_of_turn, until

TURN = Turn().text("one two three").completed()


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


@pytest.mark.gen_test
async def test_an_answer_over_http_is_free_at_its_end(
    serving, upstream, without_collector
):
    go_on = asyncio.Event()
    upstream.answer(*TURN.events[:6], go_on, *TURN.events[6:])
    async with serving.stream() as response:
        await response.content.readany()
        await until(lambda: any(isinstance(one, Pour) for one in gc.get_objects()))
        left = watch(ResponsesHandler, Relay, Body, Pour)
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
    left = watch(ResponsesSocket, WebSocketProtocol13, Channel, UpstreamSocket)
    if abrupt:
        ws._response.connection.transport.abort()
    else:
        await ws.close()
    await until(lambda: not left)
