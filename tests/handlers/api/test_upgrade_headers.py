"""The head of our own 101: what upstream told before, for it leaves first."""

import json

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.serving import CODEX, V1, payload, turn_on

INCLUDED = "x-reasoning-included"
BOUND = "x-codex-websocket-max-message-bytes"
OWN_BOUND = str(128 * 1024 * 1024)


def saying(**headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ScriptedTurn().text("hi").completed().answer(headers=named)


async def told(serving, path=CODEX, model=None, **more):
    headers = more.pop("headers", {})
    if model is not None:
        headers["x-codex-turn-metadata"] = json.dumps({"model": model})
    async with serving.socket(path, headers=headers, **more) as ws:
        head = ws._response.headers
        assert len(head.getall(BOUND)) == 1
        return head.get(INCLUDED), head[BOUND]


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_what_an_answer_over_http_told(serving, upstream, path):
    upstream.answer(saying(x_reasoning_included="true"))
    await serving.ask(path)
    assert await told(serving, path, "gpt-5.4-mini") == ("true", OWN_BOUND)
    await serving.ask(path)
    assert await told(serving, path) == (None, OWN_BOUND)


@pytest.mark.gen_test
async def test_what_a_101_told(serving, upstream):
    headers = {INCLUDED: "true", BOUND: "35000"}
    upstream.answer(ScriptedResponse(status=101, headers=headers), route="handshake")
    async with serving.socket() as ws:
        await turn_on(ws)
    assert await told(serving) == ("true", "35000")
    upstream.answer(saying(x_reasoning_included="true"))
    await serving.ask()
    assert await told(serving) == ("true", "35000")


@pytest.mark.settings(max_body_bytes=100_000)
@pytest.mark.gen_test
async def test_our_own_bound_is_told_where_it_is_the_smaller(serving, upstream):
    assert await told(serving) == (None, "100000")
    upstream.answer(saying(x_codex_websocket_max_message_bytes="16777216"))
    await serving.ask()
    assert await told(serving) == (None, "100000")


@pytest.mark.gen_test
async def test_models_may_differ(serving, upstream):
    upstream.answer(saying(x_reasoning_included="true"))
    await serving.ask(CODEX, {**payload(), "model": "gpt-5.5"})
    await serving.ask(CODEX, {**payload(), "model": "gpt-5.4-mini"})
    assert await told(serving, model="gpt-5.5") == ("true", OWN_BOUND)
    assert await told(serving, model="gpt-5.4-mini") == (None, OWN_BOUND)


@pytest.mark.gen_test
async def test_a_refusal_teaches_nothing(serving, upstream):
    upstream.answer(saying(x_reasoning_included="true"))
    await serving.ask()
    error = {"error": {"code": "context_length_exceeded", "message": "m"}}
    upstream.answer(ScriptedResponse.json(error, 400))
    assert (await serving.ask()).status == 400
    assert await told(serving) == ("true", OWN_BOUND)


@pytest.mark.gen_test
async def test_the_accounts_of_another_endpoint_are_not_meant(serving, upstream):
    """Those of best priority are, unless the key has others."""
    await serving.add_api_key_account(websockets=True)
    upstream.answer(saying(x_reasoning_included="true"), account="one", times=None)
    upstream.answer(saying(x_reasoning_included="true"), account="two", times=None)
    await serving.ask()
    assert await told(serving) == ("true", OWN_BOUND)
    await serving.pause("one", "two")
    assert (await told(serving))[0] is None
