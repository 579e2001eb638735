"""Chat completions requests as the Responses requests that serve them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.policy.key_policy import KeyPolicy
from schemas.request import first_bad_field, load_chat_request

ACCEPTED = object()
USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}

LARK = {"syntax": "lark", "definition": "start: /.+/"}
GRAMMAR = {"type": "grammar", "grammar": LARK}
FLAT_GRAMMAR = {"type": "grammar", **LARK}


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


FUNCTION = {"name": "f", "description": "d", "parameters": {}}


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
            {
                "tools": [
                    {"type": "function", "name": "flat", "strict": False},
                    {"type": "web_search"},
                ]
            },
        ),
        (
            {
                "tools": [
                    {"type": "function", "function": {"name": "f", "strict": None}}
                ]
            },
            {"tools": [{"type": "function", "name": "f", "strict": False}]},
        ),
        (
            {
                "tools": [
                    {"type": "custom", "custom": {"name": "e", "format": GRAMMAR}},
                    {"type": "custom", "name": "t", "format": {"type": "text"}},
                ]
            },
            {
                "tools": [
                    {"type": "custom", "name": "e", "format": FLAT_GRAMMAR},
                    {"type": "custom", "name": "t", "format": {"type": "text"}},
                ]
            },
        ),
        (
            {"tool_choice": {"type": "custom", "custom": {"name": "e"}}},
            {"tool_choice": {"type": "custom", "name": "e"}},
        ),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "auto",
                        "tools": [TOOL, {"type": "web_search_preview"}, "x"],
                    },
                }
            },
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [
                        {"type": "function", "name": "f"},
                        {"type": "web_search"},
                        "x",
                    ],
                }
            },
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
        (complete(stop=["x"]), "stop"),
        (complete(stop="x"), "stop"),
        (complete(modalities=["text", "audio"]), "modalities"),
        (complete(audio={"voice": "a"}), "audio"),
        (complete(functions={}), "functions"),
        (complete(functions=[FUNCTION, {}]), "functions.1"),
        (complete(functions=[FUNCTION], function_call=5), "function_call"),
        (complete(functions=[FUNCTION], tools=[TOOL]), "functions"),
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
        (complete(functions=None, function_call=None), ACCEPTED),
        (complete(functions=[], function_call="auto", tools=[TOOL]), ACCEPTED),
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
