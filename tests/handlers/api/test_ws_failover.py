"""The failover table on sockets, and who may open one."""

import asyncio
import socket
import time

import aiohttp
import pytest

from gateway.demo import faults
from gateway.demo.answers import Close, Cut, ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests import upstream_faults
from tests.serving import CODEX, V1, accounts, payload, turn_on

TURN = ScriptedTurn().text("one two three").completed()
CREATE = {"type": "response.create", **payload()}


ON_FIRST = {
    "reset": ScriptedResponse((Cut.RESET,)),
    "closed": ScriptedResponse((Close(1011),)),
    "cut before the commit": faults.cut_after(TURN.answer(), 2),
    "closed before the commit": ScriptedResponse((*TURN.events[:2], Close(1012))),
    "500": faults.server_error(),
    "503 with a wait": faults.unavailable(120),
    "error event first": faults.overloaded(),
    "failed first": upstream_faults.failed_first(),
    "usage limit": faults.usage_limit(),
    "usage limit in a stream": upstream_faults.failed_first(
        "usage_limit_reached", "limit"
    ),
    "too fast": upstream_faults.rate_limited(1.5),
    "quota": faults.error_response(429, "insufficient_quota", "no money"),
    "model": faults.error_response(404, "model_not_found", "no such model"),
    "its age": faults.error_response(
        400, "websocket_connection_limit_reached", "60 min"
    ),
}


@pytest.mark.parametrize("answer", ON_FIRST.values(), ids=ON_FIRST)
@pytest.mark.gen_test
async def test_a_failure_of_one_account_is_not_seen(serving, upstream, answer):
    upstream.answer(answer, account="one", times=None)
    upstream.answer(TURN.answer(), account="two", times=None)
    async with serving.socket() as ws:
        assert await turn_on(ws) == TURN.events
        (row,) = await serving.rows()
        assert row["status"] == "success"
        assert row["account_id"] == serving.account("two").id
        assert row["attempts"] == len(upstream.of())
    assert set(accounts(upstream)) == {"one", "two"}


HANDSHAKES = {
    "401": faults.unauthorized(),
    "403": ScriptedResponse((b"<title>Just a moment...</title>",), 403),
    "404": ScriptedResponse(status=404),
    "426": ScriptedResponse(status=426),
    "429": faults.usage_limit(),
    "500": faults.server_error(),
    "503": faults.unavailable(),
    "reset": upstream_faults.reset_before_headers(),
}


@pytest.mark.parametrize("answer", HANDSHAKES.values(), ids=HANDSHAKES)
@pytest.mark.gen_test
async def test_a_handshake_that_fails_is_not_seen(serving, upstream, answer):
    upstream.answer(answer, route="handshake", account="one", times=None)
    async with serving.socket() as ws:
        frames = await turn_on(ws)
        assert frames[-1]["type"] == "response.completed"
    assert accounts(upstream) == ["two"]


@pytest.mark.gen_test
async def test_an_expired_token_is_refreshed_in_the_handshake(serving, upstream):
    upstream.auth.expire("one")
    async with serving.socket() as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    assert upstream.auth.refreshed == ["one"]
    assert accounts(upstream) == ["one"]


OVERLOADED = {
    "type": "service_unavailable_error",
    "code": "server_is_overloaded",
    "message": "Our servers are currently overloaded.",
}
EVERYWHERE = {
    "500": (faults.server_error(), 500, faults.server_error().error()),
    "503": (faults.unavailable(), 503, faults.unavailable().error()),
    "error event first": (faults.overloaded(), 503, OVERLOADED),
    "reset": (
        ScriptedResponse((Cut.RESET,)),
        502,
        {"origin": "upstream", "phase": "first_event"},
    ),
}


@pytest.mark.parametrize("how", EVERYWHERE)
@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_a_failure_everywhere_is_a_frame_with_its_status(
    serving, upstream, path, how
):
    answer, status, error = EVERYWHERE[how]
    upstream.answer(answer, times=None)
    async with serving.socket(path) as ws:
        (frame,) = await turn_on(ws)
        assert (frame["type"], frame["status"]) == ("error", status)
        assert error.items() <= frame["error"].items()
        assert frame["error"]["request_id"]
        assert "headers" not in frame
        assert not ws.closed
    (row,) = await serving.rows()
    assert (row["status"], row["http_status"]) == ("error", status)


TOLD_HEADERS = {"retry-after": "7", "x-codex-active-limit": "codex_x"}


@pytest.mark.parametrize("route", ["handshake", "responses"])
@pytest.mark.gen_test
async def test_a_frame_has_the_headers_that_upstream_told(serving, upstream, route):
    await serving.pause("two")
    answer = faults.error_response(
        422, "odd", "of org-AbC123", {**TOLD_HEADERS, "x-odd": "1"}
    )
    upstream.answer(answer, route=route, times=None)
    async with serving.socket() as ws:
        (frame,) = await turn_on(ws)
        assert frame["status"] == 422
        assert answer.error().items() <= frame["error"].items()
        assert TOLD_HEADERS.items() <= frame["headers"].items()
        assert "x-odd" not in frame["headers"]
    headers = {"x-api-key": await serving.add_key()}
    async with serving.socket(headers=headers) as ws:
        (frame,) = await turn_on(ws)
        assert frame["error"]["message"] == "of [redacted]"
        assert frame["headers"] == {"retry-after": "7"}


@pytest.mark.gen_test
async def test_a_401_is_none_for_the_client(serving, upstream):
    upstream.answer(faults.unauthorized(), route="handshake", times=None)
    async with serving.socket() as ws:
        (frame,) = await turn_on(ws)
        assert (frame["status"], frame["error"]["origin"]) == (502, "upstream")
        assert frame["error"]["message"] == faults.unauthorized().error()["message"]


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_paused_accounts_are_told_in_a_frame_after_the_upgrade(
    serving, upstream, path
):
    await serving.pause("one", "two")
    async with serving.socket(path) as ws:
        for _ in range(2):
            (frame,) = await turn_on(ws)
            assert (frame["status"], frame["error"]["code"]) == (400, "accounts_paused")
            assert "headers" not in frame
    await serving.resume("two")
    async with serving.socket(path) as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_a_refused_connection_is_told_as_the_network_s(serving, upstream):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    await serving.restart(upstream_base_url=f"http://127.0.0.1:{port}/backend-api")
    async with serving.socket() as ws:
        (frame,) = await turn_on(ws)
        assert (frame["status"], frame["error"]["origin"]) == (502, "network")


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_all_limited_tells_when_the_first_returns(serving, upstream, path):
    upstream.answer(faults.usage_limit(7_200, "pro"), account="one", times=None)
    upstream.answer(faults.usage_limit(3_600, "plus"), account="two", times=None)
    async with serving.socket(path) as ws:
        for _ in range(2):
            (frame,) = await turn_on(ws)
            assert frame["status"] == 429
            error = frame["error"]
            assert error["type"] == error["code"] == "usage_limit_reached"
            assert error["plan_type"] == "plus"
            assert abs(error["resets_at"] - time.time() - 3_600) < 5
            assert len(upstream.of()) == 2


@pytest.mark.gen_test
async def test_a_verdict_on_the_request_passes_at_once(serving, upstream):
    answer = faults.error_response(
        400, "context_length_exceeded", "long", param="input"
    )
    upstream.answer(answer, times=None)
    async with serving.socket() as ws:
        (frame,) = await turn_on(ws)
        assert frame["status"] == 400
        assert answer.error().items() <= frame["error"].items()
    assert accounts(upstream) == ["one"]


@pytest.mark.gen_test
async def test_a_failed_response_that_is_a_verdict_passes_as_it_came(serving, upstream):
    turn = ScriptedTurn().failed("invalid_prompt", "Not this one.")
    upstream.answer(turn.answer())
    async with serving.socket() as ws:
        assert await turn_on(ws) == turn.events
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    first, _ = await serving.rows(2)
    assert (first["status"], first["error_code"]) == ("error", "invalid_prompt")


@pytest.mark.parametrize("how", [Cut.RESET, Cut.EOF, Close(1000), Close(1011)])
@pytest.mark.gen_test
async def test_a_cut_after_the_commit_closes_without_an_end(serving, upstream, how):
    upstream.answer(ScriptedResponse((*TURN.events[:6], how)))
    async with serving.socket() as ws:
        await ws.send_json(CREATE)
        seen = []
        while (message := await ws.receive(timeout=30)).type is aiohttp.WSMsgType.TEXT:
            seen.append(message.json())
        assert seen == TURN.events[:6]
        assert ws.close_code == 1011
    assert accounts(upstream) == ["one"]
    (row,) = await serving.rows()
    assert (row["status"], row["error_code"]) == ("error", "stream_incomplete")
    assert serving.account("one").health.failures == 0


@pytest.mark.settings(first_event_timeout=0.15)  # in which the other one answers
@pytest.mark.gen_test
async def test_a_stall_before_the_first_event_moves_on(serving, upstream):
    upstream.answer(asyncio.Event(), account="one", times=None)
    async with serving.socket() as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
        await asyncio.wait_for(upstream.of()[0].closed.wait(), 30)
    assert accounts(upstream)[0] == "one"
    assert accounts(upstream)[-1] == "two"


@pytest.mark.settings(connect_timeout=0.15)
@pytest.mark.gen_test
async def test_a_stall_of_the_handshake_moves_on(serving, upstream):
    silent = ScriptedResponse(before=(asyncio.Event(),))
    upstream.answer(silent, route="handshake", account="one", times=None)
    async with serving.socket() as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    assert accounts(upstream) == ["two"]


@pytest.mark.settings(idle_timeout=0.03)
@pytest.mark.gen_test
async def test_a_stall_in_the_answer_closes(serving, upstream):
    upstream.answer(*TURN.events[:6], asyncio.Event())
    async with serving.socket() as ws:
        await ws.send_json(CREATE)
        while (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert ws.close_code == 1011
    (row,) = await serving.rows()
    assert row["error_code"] == "stream_idle_timeout"


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.gen_test
async def test_a_frame_of_upstream_beyond_all_bounds_closes(serving, upstream):
    big = {"type": "response.output_text.delta", "delta": "x" * 200_000}
    upstream.answer(*TURN.events[:6], big, *TURN.events[6:])
    async with serving.socket() as ws:
        await ws.send_json(CREATE)
        while (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert ws.close_code == 1011


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.gen_test
async def test_a_frame_of_the_client_beyond_all_bounds_ends_its_socket(serving):
    async with serving.socket() as ws:
        await ws.send_str("x" * 200_000)
        message = await ws.receive(timeout=30)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
