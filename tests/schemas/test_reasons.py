"""A refusal says which rule was broken where, and repeats no value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.reasons import first_problem
from schemas.request import load_chat_request, load_request
from schemas.surfaces import Surface

CODEX, V1 = Surface.CODEX, Surface.V1
SECRET = "sk-do-not-repeat"
TEXT = {"type": "text", "text": "t"}


def complete(**fields):
    return {"model": "m", "instructions": "", "input": [], **fields}


def refused(raw, surface):
    raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    try:
        if surface is Surface.CHAT:
            load_chat_request(raw)
        else:
            load_request(raw, surface)
    except ValidationError as error:
        return first_problem(error)
    return None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model": ""}, "model may not be empty"),
        ({"model": "m" * 257}, "model may not have more than 256 characters"),
        ({"model": 5}, "model must be a string"),
        ({"model": None}, "model may not be null"),
        ({"input": 5}, "input must be a string or a list"),
        (
            {"input": ["x", {"type": "input_file", "file_id": SECRET}]},
            "input[1].file_id is not available here: send the data or a URL",
        ),
        (
            {"input": [{"content": [{}, {"type": "input_file", "file_id": SECRET}]}]},
            "input[0].content[1].file_id is not available here: send the data or a URL",
        ),
        (
            {"input": [{"role": "tool", "content": SECRET}]},
            "input[0] needs the id of the call it answers and a result",
        ),
        ({"tools": {}}, "tools must be a list"),
        ({"tool_choice": 5}, "tool_choice must be a string or an object"),
        ({"stream": 1}, "stream must be true or false"),
        ({"reasoning": SECRET}, "reasoning must be an object"),
        ({"reasoning": {"effort": 5}}, "reasoning.effort must be a string"),
        (
            {"text": {"format": {"strict": SECRET}}},
            "text.format.strict must be true or false",
        ),
        ({"store": True}, "store must be false"),
        (
            {"include": ["reasoning.encrypted_content", SECRET]},
            "include[1] is nothing that can be included",
        ),
        (
            {"conversation": SECRET, "previous_response_id": SECRET},
            "conversation cannot stand beside previous_response_id",
        ),
    ],
)
@pytest.mark.parametrize("surface", [CODEX, V1, Surface.CODEX_SOCKET])
def test_a_field_and_its_rule(fields, reason, surface):
    problem = refused(complete(**fields), surface)
    assert problem.reason == reason
    assert problem.param is None or reason.startswith(problem.param)


@pytest.mark.parametrize(
    ("surface", "tools", "reason"),
    [
        (V1, ["image_generation"], "tools[0].type image_generation"),
        (V1, ["web_search", "x", "file_search"], "tools[2].type file_search"),
        # The place is the client's, whatever was dropped before it.
        (CODEX, ["image_generation", "code_interpreter"], "tools[1].type code_inter"),
    ],
)
def test_a_tool_is_named_by_its_place_and_type(surface, tools, reason):
    problem = refused(complete(tools=[{"type": kind} for kind in tools]), surface)
    assert problem.reason.startswith(reason)
    assert problem.reason.endswith(" is not available here")
    assert problem.param == "tools"


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([{"role": "user", "content": "x"}, 5], "messages[1]"),
        ([{"role": "user"}], "messages[0]: a user message needs content"),
        ([{"role": SECRET, "content": "x"}], "messages[0]: a message needs a known"),
        (
            [{"role": "user", "content": [{"type": SECRET}]}],
            "messages[0].content[0]: parts of an unknown type are not available here",
        ),
        (
            [{"role": "user", "content": ["x", {"type": "input_audio"}]}],
            "messages[0].content[0]: a content part needs a type",
        ),
        (
            [{"role": "user", "content": [TEXT, {"type": "input_audio"}]}],
            "messages[0].content[1]: parts of type input_audio are not available here",
        ),
        (
            [{"role": "assistant", "tool_calls": [{"function": {"name": SECRET}}]}],
            "messages[0]: a tool call needs",
        ),
    ],
)
def test_a_message_is_named_by_its_place(messages, reason):
    problem = refused({"model": "m", "messages": messages}, Surface.CHAT)
    assert problem.reason.startswith(reason)
    assert SECRET not in problem.reason
    assert problem.path[0] == "messages"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"messages": []}, "messages may not be empty"),
        ({"model": "m" * 257}, "model may not have more than 256 characters"),
        (
            {"functions": [{"name": "f"}], "tools": [{}]},
            "functions cannot stand beside tools",
        ),
        (
            {"response_format": "text", "text": {"format": {"type": "text"}}},
            "response_format cannot stand beside text.format",
        ),
    ],
)
def test_rules_across_fields_of_chat_name_one_of_them(fields, reason):
    chat = {"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}
    problem = refused(chat, Surface.CHAT)
    assert problem.reason == reason
    assert reason.startswith(problem.param)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not valid JSON: Input is a zero-length, empty document"),
        (b"{" + SECRET.encode(), "not valid JSON: "),
        (b"[]", "the payload must be an object"),
        (b"{}", "model is required"),
    ],
)
@pytest.mark.parametrize("surface", list(Surface))
def test_what_is_no_payload(raw, reason, surface):
    assert refused(raw, surface).reason.startswith(reason)


VALUES = st.recursive(
    st.one_of(st.just(SECRET), st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["type", "role", "content", "function", "name", SECRET]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
NAMES = [
    *("model", "instructions", "input", "messages", "tools", "tool_choice", "text"),
    *("reasoning", "include", "truncation", "store", "conversation", "n", "stop"),
    *("response_format", "stream_options", "functions", "modalities", "temperature"),
]


@given(st.sampled_from(Surface), st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_no_reason_repeats_a_value(surface, fields):
    base = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    valid = base if surface is Surface.CHAT else complete()
    problem = refused(valid | fields, surface)
    if problem is not None:
        assert SECRET not in problem.reason
        assert SECRET not in (problem.param or "")
        assert problem.reason
        assert len(problem.reason) < 200
