"""What an operator sees of the turns that run and of clients' sockets."""

import asyncio

import pytest

from gateway.admin.keys import remove_key
from gateway.admin.live.sockets import open_sockets
from gateway.admin.live.turns import running_turns
from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.serving import next_event, payload, turn_on, until

pytestmark = pytest.mark.gen_test(timeout=30)

TURN = ScriptedTurn().text("one two three").completed()


async def test_the_longest_running_or_the_longest_silent_go_first(serving, upstream):
    gate = asyncio.Event()
    begun, more = TURN.events[:6], TURN.events[6:7]
    upstream.answer(ScriptedResponse((*begun, gate, *more, asyncio.Event())))
    upstream.answer(ScriptedResponse((*begun, asyncio.Event())))

    def shown(order, most=None):
        found = running_turns(serving.gateway, order, most)
        return [ids.index(turn["id"]) for turn in found]

    async with serving.stream() as first:
        await next_event(first)
        async with serving.stream() as second:
            await next_event(second)
            ids = [one.headers["x-request-id"] for one in (first, second)]
            assert shown("age") == shown("silence") == [0, 1]
            gate.set()
            await until(lambda: shown("silence") == [1, 0])
            assert shown("age") == [0, 1]
            assert (shown("age", 1), shown("silence", 1)) == ([0], [1])


async def test_sockets_are_told_with_their_key_and_their_turns(serving, upstream):
    upstream.answer(TURN.answer(), times=2)
    upstream.answer(ScriptedResponse((*TURN.events[:6], asyncio.Event())))
    async with serving.socket():
        (shown,) = open_sockets(serving.gateway, 50)
        assert (shown["key"], shown["network"], shown["turns"]) == (
            None,
            "127.0.0.1",
            0,
        )
        assert 0 <= shown["idle"] <= shown["age"] < 20
        token = await serving.add_key("bob")
        async with serving.socket(headers={"x-api-key": token}) as ws:
            await turn_on(ws)
            await turn_on(ws)
            shown = open_sockets(serving.gateway, 50)[1]
            assert (shown["key"], shown["network"], shown["turns"]) == ("bob", None, 2)
            await ws.send_json({"type": "response.create", **payload()})
            await until(lambda: open_sockets(serving.gateway, 50)[1]["idle"] is None)
            assert open_sockets(serving.gateway, 1)[0]["key"] is None  # the oldest
            await serving.gateway.store.write(remove_key, "bob", "test")
            await serving.gateway.reload()
            assert open_sockets(serving.gateway, 50)[1]["key"] == "#1"
