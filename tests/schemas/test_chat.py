"""Chat completions requests as the Responses requests that serve them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.request import KeyPolicy, first_bad_field, load_chat_request

ACCEPTED = object()
USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}


def complete(**fields):
    return {"model": "m", "messages": [USER], **fields}


def load(payload, **options):
    return load_chat_request(json.dumps(payload).encode(), **options)


def mapped(payload, *, chatgpt_account=True, **options):
    request, _ = load(payload, **options)
    return json.loads(request.body_for(chatgpt_account=chatgpt_account)[0])


def verdict(payload):
    try:
        load(payload)
    except ValidationError as error:
        return first_bad_field(error)
    return ACCEPTED


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
    assert mapped(complete(**consumed)) == mapped(complete())
    kept = {"top_p": 0.5, "seed": 1, "stop": ["x"], "user": "u", "metadata": {"a": 1}}
    assert mapped(complete(**kept)) == mapped(complete()) | kept


def test_accounts_with_a_key_get_the_limits():
    payload = complete(max_tokens=5, max_completion_tokens=6, temperature=0.5)
    body = mapped(payload, chatgpt_account=False)
    assert body["max_output_tokens"] == 6
    assert body["temperature"] == 0.5
    assert "max_tokens" not in body


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        (
            {"reasoning_effort": "low", "reasoning": {"effort": "high"}},
            {"reasoning": {"effort": "high"}},
        ),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"service_tier": "fast"}, {"service_tier": "priority"}),
        (
            {"response_format": "json_object"},
            {"text": {"format": {"type": "json_object"}}},
        ),
        ({"response_format": {"type": "text"}}, {"text": {"format": {"type": "text"}}}),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {"a": 1}, "strict": False},
                },
                "text": {"verbosity": "low"},
            },
            {
                "text": {
                    "verbosity": "low",
                    "format": {
                        "type": "json_schema",
                        "name": "n",
                        "schema": {"a": 1},
                        "strict": False,
                    },
                }
            },
        ),
        (
            {"stream_options": {"include_obfuscation": False, "include_usage": True}},
            {"stream_options": {"include_obfuscation": False}},
        ),
        ({"stream_options": {"include_usage": True}}, {}),
        (
            {"tools": [TOOL]},
            {
                "tools": [
                    {"type": "function", "name": "f", "parameters": {}, "strict": True}
                ]
            },
        ),
        (
            {"tools": [{"type": "function", "name": "flat"}, {"type": "web_search"}]},
            {"tools": [{"type": "function", "name": "flat"}, {"type": "web_search"}]},
        ),
        (
            {"tools": [{"type": "web_search_preview"}]},
            {"tools": [{"type": "web_search"}]},
        ),
        (
            {"tools": [{"type": "function", "function": {}}, {"type": "x"}, 5]},
            {"tools": []},
        ),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tool_choice": {"type": "function", "name": "f"}},
        ),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
    ],
)
def test_fields_are_mapped(fields, expected):
    assert mapped(complete(**fields)) == mapped(complete()) | expected


def test_options_are_for_the_answer():
    _, options = load(complete())
    assert (options.stream, options.include_usage) == (False, False)
    request, options = load(
        complete(stream=True, stream_options={"include_usage": True})
    )
    assert (options.stream, options.include_usage) == (True, True)
    assert request.stream is True


@pytest.mark.parametrize(
    ("payload", "param"),
    [
        ({"messages": [USER]}, "model"),
        (complete(model=""), "model"),
        ({"model": "m"}, "messages"),
        (complete(messages="x"), "messages"),
        (complete(messages=None), "messages"),
        (complete(messages=["x"]), "messages.0"),
        (complete(messages=[USER, 5]), "messages.1"),
        (complete(messages=[]), None),
        (complete(messages=[{"content": "x"}]), None),
        (complete(messages=[{"role": "critic", "content": "x"}]), None),
        (complete(messages=[{"role": "user", "content": [{"type": "video"}]}]), None),
        (complete(messages=[{"role": "tool", "content": "x"}]), None),
        (complete(messages=[{"role": "assistant", "tool_calls": [{}]}]), None),
        (
            complete(messages=[{"role": "tool", "tool_call_id": "c", "content": None}]),
            "messages",
        ),
        (complete(n=2), "n"),
        (complete(n=0), "n"),
        (complete(n=True), "n"),
        (complete(tools={}), "tools"),
        (complete(tools=[{"type": "file_search"}]), "tools"),
        (complete(tools=[{"type": "image_generation"}]), "tools"),
        (complete(tool_choice=5), "tool_choice"),
        (complete(stream="x"), "stream"),
        (
            complete(stream_options={"include_usage": "x"}),
            "stream_options.include_usage",
        ),
        (complete(reasoning_effort=5), "reasoning_effort"),
        (complete(temperature="hot"), "temperature"),
        (complete(top_p=True), "top_p"),
        (complete(seed=0.5), "seed"),
        (complete(max_tokens="5"), "max_tokens"),
        (complete(stop=[5]), "stop"),
        (complete(logprobs="x"), "logprobs"),
        (complete(response_format="xml"), "response_format"),
        (complete(response_format="json_schema"), "response_format"),
        (
            complete(response_format={"type": "json_schema"}),
            "response_format.json_schema",
        ),
        (
            complete(
                response_format={"type": "json_schema", "json_schema": {"name": "a b"}}
            ),
            "response_format.json_schema.name",
        ),
        (
            complete(response_format="text", text={"format": {"type": "text"}}),
            None,
        ),
        (complete(text=5), "text"),
        (complete(n=None, stop=None, temperature=None, tools=None), ACCEPTED),
        (complete(stop="x", seed=1, top_logprobs=2), ACCEPTED),
    ],
)
def test_a_refusal_names_the_field(payload, param):
    assert verdict(payload) == param


def test_keys_enforce_and_long_integers_survive():
    schema = {"maximum": 2**70 + 1}
    payload = complete(tools=[{"type": "function", "name": "f", "parameters": schema}])
    body = mapped(payload, policy=KeyPolicy(model="cheap", effort="low"))
    assert body["model"] == "cheap"
    assert body["reasoning"] == {"effort": "low"}
    assert body["tools"][0]["parameters"] == schema


@given(st.binary())
def test_any_bytes_are_loaded_or_refused(raw):
    try:
        load_chat_request(raw)
    except ValidationError:
        return
