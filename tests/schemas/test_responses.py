"""Which requests are refused, and the field that the refusal names."""

import json
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError
from openai.types.responses import ResponseIncludable

from schemas.request import first_bad_field, load_request
from schemas.surfaces import Surface
from tests.schemas.nearly_good import nearly_good

ACCEPTED = object()
ALL = list(Surface)
RESPONSES = [surface for surface in Surface if surface is not Surface.CHAT]
USER = {"role": "user", "content": "hi"}


def verdict(payload, surface=Surface.CODEX, **options):
    """ACCEPTED, or the field that the refusal names."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    try:
        load_request(raw, surface, **options)
    except ValidationError as error:
        return first_bad_field(error)
    return ACCEPTED


def complete(**fields):
    return {"model": "m", "instructions": "", "input": [USER], **fields}


@pytest.mark.parametrize("surface", ALL)
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"model": None}, "model"),
        ({"instructions": 5}, "instructions"),
        ({"input": 5}, "input"),
        ({"input": {}}, "input"),
        ({"input": None}, "input"),
        ({"input": [{"type": "input_file", "file_id": "f"}]}, "input"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input"),
        ({"tools": {}}, "tools"),
        ({"tools": "x"}, "tools"),
        ({"tools": [{"type": "file_search"}]}, "tools"),
        ({"tools": [{"type": "code_interpreter"}]}, "tools"),
        ({"tools": [{"type": "computer_use"}]}, "tools"),
        ({"tools": [{"type": "computer_use_preview"}]}, "tools"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"parallel_tool_calls": "perhaps"}, "parallel_tool_calls"),
        ({"stream": "perhaps"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"reasoning": "high"}, "reasoning"),
        ({"reasoning": {"effort": 5}}, "reasoning.effort"),
        ({"reasoning": {"summary": []}}, "reasoning.summary"),
        ({"reasoningEffort": 5}, "reasoning.effort"),
        ({"text": []}, "text"),
        ({"text": {"verbosity": 5}}, "text.verbosity"),
        ({"verbosity": 5}, "text.verbosity"),
        ({"text": {"format": "json"}}, "text.format"),
        ({"text": {"format": {"type": 5}}}, "text.format.type"),
        ({"text": {"format": {"strict": "x"}}}, "text.format.strict"),
        ({"store": True}, "store"),
        ({"store": "no"}, "store"),
        ({"include": "reasoning.encrypted_content"}, "include"),
        ({"include": ["everything"]}, "include"),
        ({"include": [5]}, "include"),
        ({"service_tier": 5}, "service_tier"),
        ({"conversation": 5}, "conversation"),
        ({"previous_response_id": 5}, "previous_response_id"),
        ({"prompt_cache_key": 5}, "prompt_cache_key"),
        ({"promptCacheKey": 5}, "prompt_cache_key"),
        ({"conversation": "c", "previous_response_id": "r"}, "conversation"),
        ({"conversation": {}, "previous_response_id": "r"}, ACCEPTED),
        ({"conversation": {"id": "c"}, "previous_response_id": "r"}, "conversation"),
    ],
)
def test_a_refusal_names_the_field(surface, fields, param):
    assert verdict(complete(**fields), surface) == param


@pytest.mark.parametrize("surface", ALL)
@pytest.mark.parametrize(
    "fields",
    [
        {"input": []},
        {"input": ""},
        {"input": [5, "x", None, {"role": "critic"}]},
        {"tools": None},
        {"tools": [5, {"type": "new_kind"}, {"type": 5}]},
        {"tool_choice": None},
        {"parallel_tool_calls": None, "stream": None},
        {"reasoning": None, "text": None},
        {"reasoning": {"effort": None, "context": [1]}},
        {"text": {"format": {"type": "json_schema", "schema": {}, "more": 1}}},
        {"include": None},
        {"include": list(typing.get_args(ResponseIncludable))},
        {"truncation": "disabled"},
        {"conversation": "c"},
        {"conversation": "c", "previous_response_id": " "},
        {"conversation": " ", "previous_response_id": "r"},
        {"metadata": {"a.b": 1}, "a.b": 2, "model.x": 3, "_schema": 4},
    ],
)
def test_other_requests_are_accepted(surface, fields):
    assert verdict(complete(**fields), surface) is ACCEPTED


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize(
    ("payload", "param"),
    [
        ({}, "model"),
        ({"instructions": "", "input": []}, "model"),
        ({"model": "m"}, "instructions"),
        ({"model": "m", "input": []}, "instructions"),
        ({"model": "m", "input": "x"}, "instructions"),
        ({"model": "m", "input": [USER], "instructions": None}, "instructions"),
        ({"model": "m", "messages": [USER]}, "instructions"),
        ({"model": "m", "instructions": ""}, "input"),
        ({"store": True, "tools": 5, "input": 5, "instructions": 5}, "model"),
        ({"model": "m", "tools": 5, "input": 5, "instructions": 5}, "instructions"),
        ({"model": "m", "tools": 5, "input": 5, "instructions": ""}, "input"),
        ({"store": True, "tools": 5, **complete()}, "tools"),
        ({"include": 5, "store": True, **complete()}, "include"),
        ({"store": True, "include": 5, **complete()}, "store"),
        ({"store": None, **complete()}, "store"),
    ],
)
def test_codex_over_http_names_the_first_bad_field(payload, param, compact):
    assert verdict(payload, Surface.CODEX, compact=compact) == param


@pytest.mark.parametrize(
    "item",
    [
        {"role": "developer", "content": "x"},
        {"type": "message", "role": "system", "content": "x"},
        {"type": "additional_tools", "tools": []},
    ],
)
def test_codex_needs_no_instructions_beside_an_item_that_carries_them(item):
    assert verdict({"model": "m", "input": [item]}) is ACCEPTED
    stored = {"type": "input_file", "file_id": "f"}
    assert verdict({"model": "m", "input": [item, stored]}) == "input"


@pytest.mark.parametrize("surface", [s for s in RESPONSES if s is not Surface.CODEX])
@pytest.mark.parametrize(
    ("payload", "param"),
    [
        ({"model": "m", "input": "x"}, ACCEPTED),
        ({"model": "m", "input": "x", "store": None}, ACCEPTED),
        ({"model": "m", "input": [], "instructions": None}, ACCEPTED),
        ({"model": "m", "messages": [USER]}, ACCEPTED),
        ({"model": "m", "messages": [USER], "input": []}, ACCEPTED),
        ({"model": "m", "messages": [USER], "input": ""}, ACCEPTED),
        ({"model": "m", "messages": None, "input": "x"}, ACCEPTED),
        ({"model": "m"}, "input"),
        ({"model": "m", "messages": None}, "input"),
        ({"model": "m", "messages": [USER], "input": "x"}, "input"),
        ({"model": "m", "messages": ["x"], "input": "x"}, "input"),
        ({"messages": [USER], "input": "x"}, "model"),
        ({"model": "m", "messages": "x"}, "messages"),
        ({"model": "m", "messages": ["x"]}, "messages"),
        ({"model": "m", "messages": [{"content": "x"}]}, "messages"),
        ({"model": "m", "messages": [{"role": "tool", "content": "x"}]}, "messages"),
        ({"model": "m", "messages": [USER], "instructions": 5}, "instructions"),
    ],
)
def test_messages_may_stand_in_for_input(payload, param, surface):
    assert verdict(payload, surface) == param


@pytest.mark.parametrize("surface", ALL)
@pytest.mark.parametrize(
    "raw",
    [
        *[b"", b"{", b"[1,2]", b'"text"', b"null", b"\xff", b"\xef\xbb\xbf{}"],
        *[b'{"model":NaN}', b'{"model":1e999}', b'{"model":"\\ud800"}'],
        *[b"[" * 100_000, b'{"a":' * 100_000],
    ],
)
def test_what_is_no_json_object_is_refused_without_a_field(raw, surface):
    assert verdict(raw, surface) is None


def test_a_frame_with_a_lone_surrogate_is_refused():
    with pytest.raises(ValidationError):
        load_request('{"model":"\ud800"}', Surface.CODEX_SOCKET)


GOOD = [
    complete(),
    complete(tools=[{"type": "web_search"}], tool_choice="auto", store=False),
    complete(
        input=[
            USER,
            {"type": "reasoning", "summary": [], "encrypted_content": "e"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "r"},
        ],
        reasoning={"effort": "low"},
        text={"verbosity": "low"},
        include=["reasoning.encrypted_content"],
    ),
]


@given(nearly_good(GOOD) | st.binary() | st.text(), st.sampled_from(RESPONSES))
def test_any_bytes_are_loaded_or_refused(raw, surface):
    try:
        loaded = load_request(raw, surface)
    except ValidationError:
        return
    assert loaded.model
    for chatgpt_account in (True, False):
        sent = json.loads(loaded.body_for(chatgpt_account=chatgpt_account)[0])
        assert isinstance(sent["input"], list)
