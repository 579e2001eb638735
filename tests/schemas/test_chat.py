"""Chat completions requests as the Responses requests that serve them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.policy.key_policy import KeyPolicy
from schemas.request import load_chat_request
from tests.schemas.chat_messages import call
from tests.schemas.chat_requests import (
    FUNCTION,
    TOOL,
    USER,
    complete,
    load,
    mapped,
    verdict,
)
from tests.schemas.nearly_good import nearly_good


def test_a_plain_request():
    body = mapped(complete())
    key = body.pop("prompt_cache_key")
    assert key.startswith("std-")
    assert body == {
        "model": "m",
        "instructions": "",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "store": False,
        "stream": True,
    }


def test_chat_parameters_are_consumed_and_others_go_along():
    consumed = {"store": True, "n": 1, "max_tokens": 5, "temperature": 1}
    neutral = {"stop": [], "modalities": ["text"], "audio": None}
    assert mapped(complete(**consumed, **neutral)) == mapped(complete())
    kept = {"tomorrow": 0.5}
    assert mapped(complete(**kept)) == mapped(complete()) | kept


def test_what_has_no_counterpart_is_left_out_and_noted():
    fields = {
        "seed": 7,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.1,
        "logit_bias": {"1": 2},
        "prediction": {"type": "content", "content": "x"},
        "store": True,
    }
    request, _ = load(complete(**fields))
    body, changes = request.body_for(chatgpt_account=False)
    assert json.loads(body) == mapped(complete())
    assert {f"{name} dropped" for name in fields} <= set(changes)
    unset = dict.fromkeys(fields)
    assert load(complete(**unset))[0].changes == load(complete())[0].changes


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"name": "f"}, {"tool_choice": {"type": "function", "name": "f"}}),
        ("none", {"tool_choice": "none"}),
        (None, {}),
    ],
)
def test_legacy_functions_are_tools(choice, expected):
    payload = complete(functions=[FUNCTION], function_call=choice)
    tool = {"type": "function", **FUNCTION, "strict": False}
    assert mapped(payload) == mapped(complete()) | expected | {
        "tools": [tool],
        "parallel_tool_calls": False,
    }
    _, options = load(payload)
    assert options.uses_functions
    assert not load(complete(tools=[TOOL], function_call=choice))[1].uses_functions


def test_json_object_keeps_the_word_json_in_the_input():
    messages = [{"role": "system", "content": "Answer in JSON."}, USER]
    for asked in (
        {"response_format": {"type": "json_object"}},
        {"text": {"format": {"type": "json_object"}}},
    ):
        body = mapped(complete(**asked) | {"messages": messages})
        assert body["input"][0]["role"] == "developer"
        assert "instructions" not in body


def test_accounts_with_a_key_get_the_limits():
    options = {"include_obfuscation": False, "include_usage": True}
    payload = complete(
        max_tokens=5, max_completion_tokens=60, temperature=0.5, stream_options=options
    )
    body = mapped(payload, chatgpt_account=False)
    assert body["stream_options"] == {"include_obfuscation": False}
    assert body["max_output_tokens"] == 60
    assert body["temperature"] == 0.5
    assert "max_tokens" not in body


def test_options_of_a_search_become_the_tool():
    place = {"country": "IT", "city": "Rome"}
    location = {"type": "approximate", "approximate": place}
    options = {"search_context_size": "low", "user_location": location}
    flat = {
        "type": "web_search",
        "search_context_size": "low",
        "user_location": {"type": "approximate", **place},
    }
    body = mapped(complete(webSearchOptions=options))
    assert body["tools"] == [flat]
    assert "web_search_options" not in body
    kept = [{"type": "web_search_preview"}]
    body = mapped(complete(web_search_options={}, tools=kept))
    assert body["tools"] == [{"type": "web_search"}]
    assert mapped(complete(web_search_options=None)) == mapped(complete())
    assert verdict(complete(web_search_options=True)) == "web_search_options"


@pytest.mark.parametrize(
    ("limit", "sent"), [(1, 16), (15, 16), (16, 16), (17, 17), (0, 0), (-1, -1)]
)
def test_a_limit_below_the_least_of_the_api_is_raised_and_noted(limit, sent):
    for field in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        loaded, _ = load(complete(**{field: limit}))
        body, changes = loaded.body_for(chatgpt_account=False)
        assert json.loads(body)["max_output_tokens"] == sent
        assert ("max_output_tokens made 16" in changes) is (sent != limit)
        body, changes = loaded.body_for(chatgpt_account=True)
        assert "max_output_tokens" not in json.loads(body)
        assert "max_output_tokens made 16" not in changes


def asked_of_both(**fields):
    """The payload for an account with a key, and what keeps it from a ChatGPT one."""
    loaded, _ = load(complete(**fields))
    assert loaded.refusal_by(chatgpt_account=False) is None
    body, _ = loaded.body_for(chatgpt_account=False)
    return json.loads(body), loaded.refusal_by(chatgpt_account=True)


def test_logprobs_are_included_where_there_is_a_key_and_refused_elsewhere():
    plain, no_refusal = asked_of_both()
    assert no_refusal is None
    included = plain | {"include": ["message.output_text.logprobs"]}
    body, refusal = asked_of_both(logprobs=True)
    assert body == included
    assert refusal.param == "logprobs"
    assert refusal.reason == "logprobs needs an account with an API key"
    body, refusal = asked_of_both(logprobs=True, topLogprobs=3)
    assert body == included | {"top_logprobs": 3}
    assert refusal.param == "logprobs"
    assert "top_logprobs" in refusal.reason
    body, refusal = asked_of_both(top_logprobs=2, include=["web_search_call.results"])
    assert body["include"] == ["web_search_call.results", *included["include"]]
    assert refusal.param == "top_logprobs"


@pytest.mark.parametrize(
    "fields",
    [
        {"logprobs": False},
        {"logprobs": None, "top_logprobs": 0},
        {"top_logprobs": None},
    ],
)
def test_who_asks_for_no_logprobs_is_served_by_anybody(fields):
    assert asked_of_both(**fields) == (mapped(complete()), None)


def test_options_are_for_the_answer():
    _, options = load(complete())
    assert (options.stream, options.include_usage) == (False, False)
    request, options = load(
        complete(stream=True, stream_options={"include_usage": True})
    )
    assert (options.stream, options.include_usage) == (True, True)
    assert request.stream is True


def test_keys_enforce_and_long_integers_survive():
    schema = {"maximum": 2**70 + 1}
    payload = complete(tools=[{"type": "function", "name": "f", "parameters": schema}])
    body = mapped(payload, policy=KeyPolicy(model="cheap", effort="low"))
    assert body["model"] == "cheap"
    assert body["reasoning"] == {"effort": "low"}
    assert body["tools"][0]["parameters"] == schema


GOOD = [
    complete(),
    complete(tools=[TOOL], tool_choice="auto", parallel_tool_calls=False, user="u"),
    complete(response_format={"type": "json_object"}, max_tokens=99, temperature=0.5),
    complete(
        messages=[
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "t"}]},
            {"role": "assistant", "content": None, "tool_calls": [call()]},
            {"role": "tool", "tool_call_id": "c", "content": "r"},
        ],
        reasoning_effort="low",
        service_tier="auto",
    ),
]


@given(nearly_good(GOOD) | st.binary())
def test_any_bytes_are_loaded_or_refused(raw):
    try:
        request, _ = load_chat_request(raw)
    except ValidationError:
        return
    assert request.model
    for chatgpt_account in (True, False):
        sent = json.loads(request.body_for(chatgpt_account=chatgpt_account)[0])
        assert isinstance(sent["input"], list)
        assert "messages" not in sent
