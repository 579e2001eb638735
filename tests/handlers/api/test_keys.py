"""Keys' limits over HTTP: what the last one and the one too many get."""

import asyncio
import time

import openai
import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn, usage
from tests.serving import CHAT, CODEX, V1, payload

USAGE = "/v1/usage"


def chat(**more):
    messages = [{"role": "user", "content": "hi"}]
    return {"model": "gpt-5.5", "messages": messages, **more}


@pytest.fixture
def limited(io_loop, serving):
    """Headers with a key of which one turn takes all tokens."""
    token = io_loop.run_sync(
        lambda: serving.add_key(limits=["tokens 100/5h", "requests 50/1d"])
    )
    return {"x-api-key": token}


@pytest.mark.gen_test
async def test_codex_sees_when_its_limit_resets_and_is_not_told_to_wait(
    serving, upstream, limited
):
    assert (await serving.ask(headers=limited)).status == 200
    answered = await serving.ask(headers=limited)
    assert answered.status == 429
    error = answered.error
    assert error["type"] == error["code"] == "usage_limit_reached"
    assert error["plan_type"] == "api_key"
    assert 0 < error["resets_at"] - time.time() <= 5 * 3600
    assert error["origin"] == "client"
    assert "retry-after" not in answered.headers
    assert not [n for n in answered.headers if n.startswith("x-ratelimit")]
    assert len(upstream.of()) == 1
    await serving.rows(1)
    (row,) = await serving.refused()
    assert (row["http_status"], row["error_code"]) == (429, "usage_limit_reached")


@pytest.mark.parametrize("path", [V1, CHAT])
@pytest.mark.gen_test
async def test_sdk_clients_get_their_own_words_and_headers(serving, limited, path):
    body = chat() if path == CHAT else payload()
    answered = await serving.ask(path, body, headers=limited)
    assert answered.status == 200
    assert answered.headers["x-ratelimit-limit-tokens"] == "100"
    assert answered.headers["x-ratelimit-remaining-tokens"] == "100"
    assert answered.headers["x-ratelimit-limit-requests"] == "50"
    answered = await serving.ask(path, body, headers=limited)
    assert answered.status == 429
    assert answered.error["type"] == "rate_limit_error"
    assert answered.error["code"] == "rate_limit_exceeded"
    assert 0 < int(answered.headers["retry-after"]) <= 5 * 3600
    assert answered.headers["x-ratelimit-remaining-tokens"] == "0"
    assert answered.headers["x-ratelimit-remaining-requests"] == "49"
    assert answered.headers["x-ratelimit-reset-tokens"]


@pytest.mark.gen_test
async def test_the_openai_sdk_raises_its_rate_limit_error(serving, limited):
    base = serving.base_url + "/v1"
    key = limited["x-api-key"]
    async with openai.AsyncOpenAI(base_url=base, api_key=key, max_retries=0) as client:
        response = await client.responses.create(model="gpt-5.5", input="hi")
        assert "You said: hi" in response.output_text
        with pytest.raises(openai.RateLimitError) as caught:
            await client.responses.create(model="gpt-5.5", input="hi")
        assert caught.value.code == "rate_limit_exceeded"
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(**chat())


@pytest.mark.gen_test
async def test_requests_a_minute_are_a_limit_too(serving):
    key = {"x-api-key": await serving.add_key(rpm=2)}
    statuses = [(await serving.ask(headers=key)).status for _ in range(3)]
    assert statuses == [200, 200, 429]


@pytest.mark.gen_test
async def test_more_at_a_time_than_a_key_may_have_wait(serving, upstream):
    key = {"x-api-key": await serving.add_key(concurrency=1)}
    go_on = asyncio.Event()
    turn = ScriptedTurn().text("one two").completed()
    upstream.answer(*turn.events[:6], go_on, *turn.events[6:])
    asking = [asyncio.create_task(serving.ask(headers=key)) for _ in range(3)]
    await upstream.arrived()
    done, _ = await asyncio.wait(asking, timeout=0.05)
    assert not done
    assert len(upstream.of()) == 1
    go_on.set()
    assert [answered.status for answered in await asyncio.gather(*asking)] == [200] * 3


@pytest.mark.gen_test
async def test_a_turn_that_failed_costs_nothing(serving, upstream, limited):
    error = {"error": {"code": "invalid_prompt", "message": "no"}}
    upstream.answer(ScriptedResponse.json(error, 400))
    assert (await serving.ask(headers=limited)).status == 400
    assert (await serving.ask(headers=limited)).status == 200


@pytest.mark.gen_test
async def test_a_limit_survives_a_restart(serving, limited):
    await serving.ask(headers=limited)
    await serving.restart()
    assert (await serving.ask(headers=limited)).status == 429


@pytest.mark.gen_test
async def test_a_model_s_limit_leaves_the_others_alone(serving):
    limits = ["tokens 100/5h model=gpt-5.5"]
    key = {"x-api-key": await serving.add_key(limits=limits)}
    assert (await serving.ask(headers=key)).status == 200
    assert (await serving.ask(headers=key)).status == 429
    other = payload(model="gpt-5.4-mini")
    assert (await serving.ask(body=other, headers=key)).status == 200


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sk-cgw-x"}])
@pytest.mark.gen_test
async def test_usage_always_asks_for_a_key(serving, headers):
    answered = await serving.get(USAGE, headers=headers)
    assert (answered.status, answered.error["code"]) == (401, "invalid_api_key")
    assert answered.error["type"] == "authentication_error"


@pytest.mark.gen_test
async def test_usage_tells_what_the_key_used(serving, upstream, limited):
    other = {"x-api-key": await serving.add_key("other")}
    turn = ScriptedTurn("gpt-5.4-mini").text("hi").completed(usage(1_000, 30, 200))
    upstream.answer(turn.answer())
    await serving.ask(body=payload(model="gpt-5.4-mini"), headers=limited)
    await serving.ask(headers=other)
    (row, _) = await serving.rows(2)
    told = (await serving.get(USAGE, headers=limited)).json
    assert told["request_count"] == 1
    assert told["total_tokens"] == 1_030
    assert told["cached_input_tokens"] == 200
    assert told["total_cost_usd"] == row["cost_microdollars"] / 1_000_000 > 0
    tokens, requests = sorted(told["limits"], key=lambda limit: -limit["max_value"])
    assert tokens["limit_type"] == "total_tokens"
    assert tokens["limit_window"] == "5h"
    assert (tokens["max_value"], tokens["current_value"]) == (100, 1_030)
    assert tokens["remaining_value"] == 0
    assert tokens["model_filter"] is None
    assert tokens["source"] == "api_key"
    assert tokens["reset_at"]
    assert requests["limit_type"] == "requests"


@pytest.mark.gen_test
async def test_usage_of_a_new_key_is_nothing(serving):
    headers = {"x-api-key": await serving.add_key()}
    assert (await serving.get(USAGE, headers=headers)).json == {
        "request_count": 0,
        "unpriced_requests": 0,
        "total_tokens": 0,
        "cached_input_tokens": 0,
        "total_cost_usd": 0,
        "limits": [],
    }
    assert (await serving.ask(CODEX, headers=headers)).status == 200
