"""A socket to upstream that is opened with the client's upgrade, for what it tells."""

import asyncio
import time

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.turns import websocket
from gateway.upstream import websocket_handshake
from tests.handlers.api.test_upgrade_headers import BOUND, INCLUDED, OWN_BOUND, told
from tests.serving import CODEX, V1, turn_on, until

TELLING = ScriptedResponse(status=101, headers={INCLUDED: "true", BOUND: "35000"})


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_the_101_tells_what_upstream_s_says_when_nothing_is_known(
    serving, upstream, path
):
    upstream.answer(TELLING, route="handshake")
    assert await told(serving, path) == ("true", "35000")
    (handshake,) = upstream.of("handshake")
    assert handshake.account == "one"
    await until(lambda: not upstream.open_sockets)  # it left with its client
    assert await told(serving, path) == ("true", "35000")
    assert len(upstream.of("handshake")) == 1  # known by now


@pytest.mark.gen_test
async def test_the_first_turn_runs_on_it(serving, upstream):
    headers = {"session-id": "s1", "x-codex-turn-state": "another's"}
    async with serving.socket(headers=headers) as ws:
        await until(lambda: upstream.open_sockets)
        for _ in range(2):
            assert (await turn_on(ws))[-1]["type"] == "response.completed"
    (handshake,) = upstream.of("handshake")
    assert {turn.connection for turn in upstream.of()} == {handshake.connection}
    assert handshake.headers["openai-beta"] == websocket_handshake.SOCKET_PROTOCOL
    assert handshake.headers["session-id"] == "s1"
    assert "x-codex-turn-state" not in handshake.headers


@pytest.mark.gen_test
async def test_a_conversation_s_own_account_is_asked(serving, upstream):
    await serving.add_account("two")
    headers = {"session-id": "s1"}
    await serving.pause("one")
    assert (await serving.ask(headers=headers)).status == 200
    await serving.resume("one")
    serving.gateway._learned.__init__(1_000)  # as after a restart
    async with serving.socket(headers=headers) as ws:
        await turn_on(ws)
    (handshake,) = upstream.of("handshake")
    assert handshake.account == "two"


@pytest.mark.parametrize("status", [401, 426, 500])
@pytest.mark.gen_test
async def test_a_handshake_that_fails_fails_no_upgrade(serving, upstream, status):
    upstream.answer(ScriptedResponse(status=status), route="handshake")
    async with serving.socket() as ws:
        assert INCLUDED not in ws._response.headers
        assert ws._response.headers[BOUND] == OWN_BOUND
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    assert len(upstream.of("handshake")) == 2


@pytest.mark.gen_test
async def test_a_handshake_without_an_answer_holds_nobody_up(serving, upstream):
    silent = ScriptedResponse(before=(asyncio.Event(),), status=101)
    upstream.answer(silent, route="handshake")
    started = time.monotonic()
    async with serving.socket() as ws:
        assert 1.4 < time.monotonic() - started < 20
        assert INCLUDED not in ws._response.headers
        assert (await turn_on(ws))[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_it_is_closed_when_no_turn_comes(serving, upstream, monkeypatch):
    monkeypatch.setattr(websocket_handshake, "LONGEST_UNUSED", 0.05)
    async with serving.socket() as ws:
        await until(lambda: upstream.of("handshake") and not upstream.open_sockets)
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    assert len(upstream.of("handshake")) == 2


@pytest.mark.settings(sockets_per_key=1)
@pytest.mark.gen_test
async def test_while_it_is_opened_the_client_s_socket_counts(serving, upstream):
    opened = asyncio.Event()
    slow = ScriptedResponse(before=(opened,), status=101)
    upstream.answer(slow, route="handshake", times=None)
    first = asyncio.create_task(serving.session.ws_connect(CODEX))
    await upstream.arrived(route="handshake")
    assert len(serving.gateway.channels) == 1
    second = asyncio.create_task(serving.session.ws_connect(CODEX))
    await upstream.arrived(2, route="handshake")
    opened.set()
    sockets = [await first, await second]
    # The first was idle, and leaves for the second.
    assert (await sockets[0].receive(timeout=30)).data == websocket.SERVICE_RESTART
    for socket in sockets:
        await socket.close()
    await until(lambda: not upstream.open_sockets and not len(serving.gateway.channels))


@pytest.mark.gen_test
async def test_a_client_that_leaves_meanwhile_leaves_nothing(serving, upstream):
    opened = asyncio.Event()
    slow = ScriptedResponse(before=(opened,), status=101)
    upstream.answer(slow, route="handshake")
    joining = asyncio.create_task(serving.session.ws_connect(CODEX))
    await upstream.arrived(route="handshake")
    joining.cancel()
    await until(lambda: not len(serving.gateway.channels))
    opened.set()
    await until(lambda: not upstream.open_sockets)
    await serving.rows(0)
