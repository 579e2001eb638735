"""Chat messages as input items and instructions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.content_parts import MessageError
from schemas.messages import convert_messages
from tests.schemas.chat_messages import USER, call, items
from tests.schemas.nearly_good import nearly


def user_parts(*parts, **options):
    return items({"role": "user", "content": list(parts)}, **options)[0]["content"]


def system(text, role="system"):
    return {"role": role, "content": text}


def developer_item(text):
    content = [{"type": "input_text", "text": text}]
    return {"role": "developer", "content": content}


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [("base", "base\ns\ndev"), ("", "s\ndev"), (None, "s\ndev")],
)
def test_leading_system_texts_follow_the_instructions(instructions, expected):
    developer = [{"type": "text", "text": "de"}, {"type": "text", "text": "v"}]
    messages = [system("s"), system(developer, "developer"), USER]
    converted, text = convert_messages(messages, instructions)
    assert text == expected
    assert converted == [
        {"role": "user", "content": [{"type": "input_text", "text": "u"}]}
    ]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_later_system_message_keeps_its_place(role):
    messages = [system("s"), USER, system("in French", role), USER]
    converted, text = convert_messages(messages, None)
    assert text == "s"
    assert [item["role"] for item in converted] == ["user", "developer", "user"]
    assert converted[1] == developer_item("in French")


JSON = {"format": {"type": "json_object"}}


def test_the_word_json_stays_in_the_input_where_upstream_looks_for_it():
    messages = [system("s"), system("Answer in JSON."), system("Be brief."), USER]
    converted, text = convert_messages(messages, None, text=JSON)
    assert text == "s"
    assert converted[:2] == [
        developer_item("Answer in JSON."),
        developer_item("Be brief."),
    ]
    for told in (None, {}, "x", {"format": "x"}, {"format": {"type": "json_schema"}}):
        _, text = convert_messages(messages, None, text=told)
        assert text == "s\nAnswer in JSON.\nBe brief."


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
            {"type": "input_file", "file_data": "data:a/b;base64,QQ"},
        ),
        (
            {"type": "file", "file": {"data": "QQ", "content_type": "a/b"}},
            {"type": "input_file", "file_data": "data:a/b;base64,QQ"},
        ),
        (
            {"type": "file", "file": {"file_url": "data:a/b;base64,QQ"}},
            {"type": "input_file", "file_data": "data:a/b;base64,QQ"},
        ),
        (
            {"type": "file", "file": {"file_data": "data:a/b;base64,QQ"}},
            {"type": "input_file", "file_data": "data:a/b;base64,QQ"},
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
        {"role": "assistant", "function_call": "f"},
        {"role": "assistant", "function_call": {"arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"},
        {"role": "function", "content": "r"},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "image_url"}]},
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
    assert str(caught.value).startswith("messages[0]")


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": [{"type": "image_url", "image_url": {}}]},
        {"role": "system", "content": None},
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]},
        {"role": "tool", "tool_call_id": "c", "content": None},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "video"}]},
        {"role": "assistant", "function_call": {"name": "f", "arguments": {}}},
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
    assert str(caught.value).startswith("messages[0]")


def test_a_stored_file_is_refused_in_a_native_part_too():
    with pytest.raises(MessageError):
        user_parts({"type": "input_file", "file_id": "f"}, native_parts=True)


PICTURE = {"type": "image_url", "image_url": {"url": "u"}}
FILE = {"type": "file", "file": {"file_url": "u"}}
KEYS = st.sampled_from(
    ["role", "content", "type", "text", "file", "image_url", "url", "tool_calls", "id"]
) | st.sampled_from(["function_call", "name", "arguments", "custom", "input"])
VALUES = st.recursive(
    st.none()
    | st.integers()
    | st.sampled_from(["user", "assistant", "tool", "text", "function", "system"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


GOOD = [
    [USER, {"role": "assistant", "content": "a"}, USER],
    [{"role": "system", "content": "s"}, USER, {"role": "developer", "content": "d"}],
    [{"role": "user", "content": [{"type": "text", "text": "t"}, PICTURE, FILE]}],
    [
        {"role": "assistant", "tool_calls": [call(), call(id="d")]},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
        {
            "role": "tool",
            "tool_call_id": "d",
            "content": [{"type": "text", "text": "r"}],
        },
    ],
    [
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"},
    ],
]


@given(nearly(GOOD) | st.lists(VALUES, max_size=4), st.booleans())
def test_any_messages_are_converted_or_refused(messages, native_parts):
    if not isinstance(messages, list):
        return
    try:
        made, _ = convert_messages(messages, None, native_parts=native_parts)
    except MessageError:
        return
    assert all(isinstance(item, dict) for item in made)
