"""Each field of chat and what it becomes, or why it is refused."""

import pytest

from tests.schemas.chat_requests import (
    ACCEPTED,
    FLAT_GRAMMAR,
    FUNCTION,
    GRAMMAR,
    TOOL,
    USER,
    complete,
    mapped,
    verdict,
)


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
            {"tools": [{"type": "x"}]},
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
        (complete(messages=[]), "messages"),
        (complete(messages=[{"content": "x"}]), "messages"),
        (complete(messages=[{"role": "critic", "content": "x"}]), "messages"),
        (
            complete(messages=[{"role": "user", "content": [{"type": "video"}]}]),
            "messages",
        ),
        (complete(messages=[{"role": "tool", "content": "x"}]), "messages"),
        (complete(messages=[{"role": "assistant", "tool_calls": [{}]}]), "messages"),
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
            "response_format",
        ),
        (complete(text=5), "text"),
        (complete(n=None, stop=None, temperature=None, tools=None), ACCEPTED),
        (complete(functions=None, function_call=None), ACCEPTED),
        (complete(functions=[], function_call="auto", tools=[TOOL]), ACCEPTED),
    ],
)
def test_a_refusal_names_the_field(payload, param):
    assert verdict(payload) == param
