"""Every parameter that the openai SDK knows, at an upstream that refuses a good deal.

What an account of ChatGPT does not take is left out; what cannot be left out without a
change of meaning is refused by name. Upstream's own "Unsupported parameter" is neither.
"""

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from tests.serving import CHAT, V1

# A value that means something; what is not here is tried as 1.
VALUES = {
    "access_programs": [],
    "audio": {"voice": "alloy", "format": "mp3"},
    "background": False,
    "context_management": [],
    "function_call": "auto",
    "functions": [{"name": "f", "parameters": {}}],
    "include": ["reasoning.encrypted_content"],
    "input": "hi",
    "instructions": "Be brief.",
    "logit_bias": {"50256": -100},
    "logprobs": False,
    "max_completion_tokens": 100,
    "max_output_tokens": 100,
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hi"}],
    "metadata": {"a": "b"},
    "modalities": ["text"],
    "model": "gpt-5.5",
    "moderation": {"model": "omni-moderation-latest"},
    "parallel_tool_calls": True,
    "prediction": {"type": "content", "content": "hi"},
    "prompt_cache_key": "key",
    "prompt_cache_options": {},
    "prompt_cache_retention": "24h",
    "reasoning": {"effort": "low"},
    "reasoning_effort": "low",
    "response_format": {"type": "text"},
    "safety_identifier": "somebody",
    "service_tier": "auto",
    "stop": [],
    "store": False,
    "stream_options": {},
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "truncation": "auto",
    "user": "somebody",
    "verbosity": "low",
    "web_search_options": {},
}
# What the gateway, or upstream in the gateway's place, has to refuse.
REFUSED = {
    *["audio", "background_options", "conversation", "image", "moderation"],
    *["previous_response_id", "prompt"],
}
ENVELOPES = {
    V1: {"model": "gpt-5.5", "input": "hi"},
    CHAT: {"model": "gpt-5.5", "messages": VALUES["messages"]},
}


each_api = pytest.mark.parametrize(
    ("path", "parameters"),
    [(V1, ResponseCreateParamsBase), (CHAT, CompletionCreateParamsBase)],
    ids=["responses", "chat"],
)


async def refusals(serving, path, values):
    """The errors of requests that hold one of these parameters each."""
    refused = {}
    for name, value in values.items():
        answered = await serving.ask(path, {**ENVELOPES[path], name: value})
        if answered.status != 200:
            refused[name] = answered.error
    return refused


@each_api
@pytest.mark.gen_test
async def test_no_parameter_of_the_sdk_meets_upstreams_refusal(
    serving, path, parameters
):
    values = {name: VALUES.get(name, 1) for name in parameters.__annotations__}
    refused = await refusals(serving, path, values)
    assert refused.keys() <= REFUSED, refused


@each_api
@pytest.mark.gen_test
async def test_null_is_what_was_not_told(serving, path, parameters):
    """llama-index sends `previous_response_id: null`, for example."""
    names = parameters.__annotations__.keys() - ENVELOPES[path].keys()
    assert await refusals(serving, path, dict.fromkeys(names)) == {}


@pytest.mark.gen_test
async def test_histories_of_the_sdks_are_what_chatgpt_accounts_take(serving, upstream):
    """System messages are langchain's, unsealed reasoning comes of no `include`."""
    history = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "x"},
        {"role": "user", "content": "go on"},
    ]
    answered = await serving.ask(V1, {"model": "gpt-5.5", "input": history})
    assert answered.status == 200
    (row,) = await serving.rows()
    assert {
        "system messages made developer",
        "reasoning without content dropped",
    } <= set(row["changes"])
    sent = upstream.of()[0].payload
    assert sent["instructions"] == ""
    assert sent["input"] == [
        {"role": "developer", "content": "Be brief."},
        *history[1:2],
        *history[3:],
    ]
    await serving.pause("one", "two")
    await serving.add_api_key_account()
    await serving.ask(V1, {"model": "gpt-5.5", "input": history})
    assert upstream.of()[1].payload["input"] == history


@pytest.mark.gen_test
async def test_an_item_that_is_only_named_needs_somebody_who_has_kept_it(
    serving, upstream
):
    """The AI SDK's, unless it is told `store: false`."""
    named = [{"type": "item_reference", "id": "msg_1"}, *VALUES["messages"]]
    body = {"model": "gpt-5.5", "input": named}
    refused = await serving.ask(V1, body)
    assert (refused.status, refused.error["param"]) == (400, "input")
    assert "input[0].type item_reference" in refused.error["message"]
    assert upstream.of() == []
    await serving.add_api_key_account()
    assert (await serving.ask(V1, body)).status == 200
    assert upstream.of()[0].account == "fake-api-key"
