"""The openai SDK, sync and async, on the public surface of a gateway process."""

import asyncio
import json
import time

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from gateway.demo import faults

pytestmark = pytest.mark.slow

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "name": "weather", "parameters": WEATHER, "strict": True}
QUESTION = [{"role": "user", "content": "demo:say(forty two)"}]


class Recipe(BaseModel):
    title: str
    minutes: int
    steps: list[str]


async def in_thread(gateway, ask):
    """Run a function with the sync client beside the loop the upstream is in."""

    def work():
        with OpenAI(
            base_url=gateway.url + "/v1", api_key="none", max_retries=0
        ) as sync:
            return ask(sync)

    return await asyncio.to_thread(work)


@pytest.mark.gen_test(timeout=30)
async def test_sync_client(gateway):
    def ask(sync):
        response = sync.responses.create(model="gpt-5.5", input="demo:say(forty two)")
        with sync.responses.stream(model="gpt-5.5", input="demo:say(so be it)") as seen:
            deltas = [e.delta for e in seen if e.type == "response.output_text.delta"]
        chat = sync.chat.completions.create(model="gpt-5.5", messages=QUESTION)
        stream = sync.chat.completions.create(
            model="gpt-5.5", messages=QUESTION, stream=True
        )
        chunks = [c.choices[0].delta.content or "" for c in stream if c.choices]
        names = [model.id for model in sync.models.list()]
        return response.output_text, deltas, chat, chunks, names

    text, deltas, chat, chunks, names = await in_thread(gateway, ask)
    assert text == "forty two"
    assert deltas == ["so", " be", " it"]
    assert chat.choices[0].message.content == "forty two"
    assert "".join(chunks) == "forty two"
    assert "gpt-5.5" in names


@pytest.mark.gen_test(timeout=30)
async def test_responses(client, upstream):
    async with client:
        response = await client.responses.create(
            model="gpt-5.5", input="demo:say(forty two)", instructions="Be brief."
        )
        assert response.output_text == "forty two"
        assert response.status == "completed"
        assert response.usage.input_tokens == 100
        assert response.usage.input_tokens_details.cached_tokens == 40
        stream = await client.responses.create(
            model="gpt-5.5", input="demo:say(forty two)", stream=True
        )
        kinds = [event.type async for event in stream]
        assert kinds[0] == "response.created"
        assert kinds[-1] == "response.completed"
        async with client.responses.stream(
            model="gpt-5.5", input="demo:reasoning(done)"
        ) as events:
            final = await events.get_final_response()
        assert [item.type for item in final.output] == ["reasoning", "message"]
        assert final.output_text == "done"
    assert upstream.of()[0].payload["instructions"] == "Be brief."
    assert all(received.payload["stream"] is True for received in upstream.of())


@pytest.mark.gen_test(timeout=30)
async def test_responses_tools(client):
    async with client:
        question = [{"role": "user", "content": "Will it rain?"}]
        asked = await client.responses.create(
            model="gpt-5.5", input=question, tools=[TOOL], tool_choice="required"
        )
        (call,) = asked.output
        assert call.name == "weather"
        assert set(json.loads(call.arguments)) == {"city", "days"}
        output = {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": "rain",
        }
        told = await client.responses.create(
            model="gpt-5.5",
            input=[*question, call.model_dump(exclude_none=True), output],
            tools=[TOOL],
        )
        assert "all done" in told.output_text


@pytest.mark.gen_test(timeout=30)
async def test_structured_output(client):
    async with client:
        parsed = await client.responses.parse(
            model="gpt-5.5", input="Soup, please.", text_format=Recipe
        )
        assert isinstance(parsed.output_parsed, Recipe)
        chat = await client.chat.completions.parse(
            model="gpt-5.5",
            messages=[{"role": "user", "content": "Soup, please."}],
            response_format=Recipe,
        )
        assert isinstance(chat.choices[0].message.parsed, Recipe)


@pytest.mark.gen_test(timeout=30)
async def test_errors_are_the_sdks_own(client, upstream):
    async def failing(kind, **more):
        with pytest.raises(kind) as raised:
            await client.responses.create(**{"model": "gpt-5.5", "input": "hi", **more})
        return raised.value

    async with client:
        bad = await failing(openai.BadRequestError, tools=[{"type": "file_search"}])
        assert bad.param == "tools"
        assert bad.code == "invalid_request_error"
        upstream.answer(
            faults.error_response(400, "invalid_prompt", "no", param="input")
        )
        refused = await failing(openai.BadRequestError)
        assert (refused.code, refused.param) == ("invalid_prompt", "input")
        upstream.answer(faults.usage_limit(), times=None)
        limited = await failing(openai.RateLimitError)
        assert limited.type == "usage_limit_reached"
        assert limited.body["resets_at"] > time.time() + 3000
        assert "retry-after" not in limited.response.headers  # upstream told none


@pytest.mark.gen_test(timeout=30)
async def test_a_stream_that_breaks_is_an_error_and_not_an_end(client, upstream):
    async with client:
        stream = await client.responses.create(
            model="gpt-5.5", input="demo:cut", stream=True
        )
        events = [event async for event in stream]
        assert events[-1].type == "response.failed"
        assert events[-1].response.error.code == "stream_incomplete"
        with pytest.raises(openai.APIError):
            await client.responses.create(model="gpt-5.5", input="demo:cut")


@pytest.mark.gen_test(timeout=30)
async def test_an_api_key_account_serves_an_openai_compatible_endpoint(
    upstream, start_gateway
):
    async def add(gateway):
        gateway.env["OTHER_KEY"] = "sk-fake-other"
        await gateway.run("accounts", "remove", "one@demo.example")
        await gateway.run(
            *("accounts", "add", "--name", "other", "--api-key-env", "OTHER_KEY"),
            *("--base-url", upstream.url + "/v1"),
        )

    gateway = await start_gateway(before_start=add)
    async with AsyncOpenAI(base_url=gateway.url + "/v1", api_key="x") as client:
        response = await client.responses.create(
            model="gpt-5.5", input="demo:say(served)", temperature=0.5
        )
    assert response.output_text == "served"
    (received,) = upstream.of()
    assert received.path == "/v1/responses"
    assert received.headers["authorization"] == "Bearer sk-fake-other"
    assert received.payload["temperature"] == 0.5
