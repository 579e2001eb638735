"""Chat messages as input items and instructions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages import MessageError, convert_messages


def call(**fields):
    function = {"name": "f", "arguments": "{}"}
    return {"id": "c", "type": "function", "function": function, **fields}


def items(*messages, **options):
    return convert_messages(list(messages), None, **options)[0]


def user_parts(*parts, **options):
    return items({"role": "user", "content": list(parts)}, **options)[0]["content"]


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [("base", "base\ns\ndev"), ("", "s\ndev"), (None, "s\ndev")],
)
def test_system_texts_follow_the_instructions(instructions, expected):
    developer = [{"type": "text", "text": "de"}, {"type": "text", "text": "v"}]
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {"role": "developer", "content": developer},
    ]
    converted, text = convert_messages(messages, instructions)
    assert text == expected
    assert converted == [
        {"role": "user", "content": [{"type": "input_text", "text": "u"}]}
    ]


@pytest.mark.parametrize("instructions", ["base", "", None])
def test_instructions_stay_without_system_messages(instructions):
    assert convert_messages([], instructions) == ([], instructions)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "t"}, {"type": "input_text", "text": "t"}),
        (
            {"type": "image_url", "image_url": {"url": "u"}},
            {"type": "input_image", "image_url": "u"},
        ),
        (
            {"type": "image_url", "image_url": {"url": "u", "detail": "low"}},
            {"type": "input_image", "image_url": "u", "detail": "low"},
        ),
        (
            {"type": "file", "file": {"file_url": "u", "filename": "n"}},
            {"type": "input_file", "file_url": "u", "filename": "n"},
        ),
        (
            {"type": "file", "file": {"file_data": "QQ", "mime_type": "a/b"}},
            {"type": "input_file", "file_url": "data:a/b;base64,QQ"},
        ),
        (
            {"type": "file", "file": {"data": "QQ", "content_type": "a/b"}},
            {"type": "input_file", "file_url": "data:a/b;base64,QQ"},
        ),
        (
            {"type": "file", "file": {"file_data": "data:a/b;base64,QQ"}},
            {"type": "input_file", "file_url": "data:a/b;base64,QQ"},
        ),
    ],
)
def test_user_parts(part, expected):
    assert user_parts(part) == [expected]


def test_responses_parts_pass_where_they_are_allowed():
    part = {"type": "input_text", "text": "t"}
    assert user_parts(part, native_parts=True) == [part]
    with pytest.raises(MessageError):
        user_parts(part)


def test_assistant_calls_follow_what_was_said():
    converted = items(
        {"role": "assistant", "content": "a", "refusal": "no", "tool_calls": [call()]},
        {
            "role": "tool",
            "tool_call_id": "c",
            "content": [{"type": "text", "text": "r"}],
        },
    )
    assert converted == [
        {
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "a"},
                {"type": "output_text", "text": "no"},
            ],
        },
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "r"},
    ]


def test_an_assistant_that_only_calls_says_nothing():
    converted = items({"role": "assistant", "content": None, "tool_calls": [call()]})
    assert [item["type"] for item in converted] == ["function_call"]


@pytest.mark.parametrize(
    "message",
    [
        "x",
        {"content": "x"},
        {"role": "critic", "content": "x"},
        {"role": ["user"], "content": "x"},
        {"role": "user"},
        {"role": "user", "content": None},
        {"role": "user", "content": ["x"]},
        {"role": "user", "content": [{"type": "text"}]},
        {"role": "user", "content": [{"type": "video"}]},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": "u"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": 5}}]},
        {"role": "user", "content": [{"type": "file"}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_data": "QQ"}}]},
        {"role": "tool", "content": "x"},
        {"role": "assistant", "content": [{"type": "image_url"}]},
        {"role": "assistant", "tool_calls": {}},
        {"role": "assistant", "tool_calls": ["x"]},
        {"role": "assistant", "tool_calls": [call(id=None)]},
        {"role": "assistant", "tool_calls": [call(function="f")]},
        {"role": "assistant", "tool_calls": [call(function={"arguments": "{}"})]},
    ],
)
def test_a_wrong_outline(message):
    with pytest.raises(MessageError) as caught:
        items(message)
    assert caught.value.field == "_schema"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": [{"type": "image_url", "image_url": {}}]},
        {"role": "system", "content": None},
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]},
        {"role": "tool", "tool_call_id": "c", "content": None},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "image_url"}]},
        {"role": "assistant", "tool_calls": [call(function={"name": "f"})]},
        {
            "role": "assistant",
            "tool_calls": [call(function={"name": "f", "arguments": {}})],
        },
    ],
)
def test_a_wrong_value(message):
    with pytest.raises(MessageError) as caught:
        items(message)
    assert caught.value.field == "messages"


def test_a_stored_file_is_refused_in_a_native_part_too():
    with pytest.raises(MessageError):
        user_parts({"type": "input_file", "file_id": "f"}, native_parts=True)


KEYS = st.sampled_from(
    ["role", "content", "type", "text", "file", "image_url", "url", "tool_calls", "id"]
)
VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["user", "assistant", "tool", "text"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=4), st.booleans())
def test_any_messages_are_converted_or_refused(messages, native_parts):
    try:
        convert_messages(messages, None, native_parts=native_parts)
    except MessageError:
        return
