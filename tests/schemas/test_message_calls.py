"""Calls and their results in chat messages, of today and of old."""

import pytest

from tests.schemas.chat_messages import USER, call, items


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


@pytest.mark.parametrize(
    "content", [None, "", [], [{"type": "text", "text": ""}], "+refusal"]
)
def test_an_assistant_that_only_calls_says_nothing(content):
    message = {"role": "assistant", "content": content, "tool_calls": [call()]}
    if content == "+refusal":
        message |= {"content": None, "refusal": ""}
    assert [item["type"] for item in items(message)] == ["function_call"]


def test_an_empty_answer_without_calls_stays():
    (item,) = items({"role": "assistant", "content": ""})
    assert item["content"] == [{"type": "output_text", "text": ""}]


def test_custom_calls_and_their_results_keep_their_kind():
    custom = {"id": "d", "type": "custom", "custom": {"name": "e", "input": "*** x"}}
    converted = items(
        {"role": "assistant", "tool_calls": [custom, call()]},
        {"role": "tool", "tool_call_id": "d", "content": "done"},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
    )
    assert converted == [
        {"type": "custom_tool_call", "call_id": "d", "name": "e", "input": "*** x"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "done"},
        {"type": "function_call_output", "call_id": "c", "output": "r"},
    ]


LEGACY = [
    USER,
    {"role": "assistant", "content": None, "function_call": call()["function"]},
    {"role": "function", "name": "f", "content": "r"},
    {"role": "assistant", "content": "", "function_call": call()["function"]},
    {"role": "function", "name": "f", "content": None},
]


def test_legacy_calls_get_ids_of_name_and_place():
    converted = items(*LEGACY)
    assert [item.get("type") for item in converted[1:]] == [
        *("function_call", "function_call_output") * 2
    ]
    ids = [item["call_id"] for item in converted[1:]]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert converted[4]["output"] == ""
    assert items(*LEGACY[:3]) == converted[:3]  # the same in every turn
    long = {"name": "f" * 64, "arguments": "{}"}
    (item,) = items({"role": "assistant", "function_call": long})
    assert len(item["call_id"]) == 64


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ"}}


@pytest.mark.parametrize(
    ("content", "output"),
    [
        ("r", "r"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        (
            [{"type": "text", "text": "see"}, PICTURE],
            [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "data:image/png;base64,QQ"},
            ],
        ),
        (
            [{"type": "file", "file": {"file_data": "data:a/b;base64,QQ"}}],
            [{"type": "input_file", "file_data": "data:a/b;base64,QQ"}],
        ),
        (
            [{"type": "input_image", "image_url": "u"}],
            [{"type": "input_image", "image_url": "u"}],
        ),
    ],
)
def test_a_result_is_a_list_only_with_a_picture_or_file(content, output):
    (item,) = items({"role": "tool", "tool_call_id": "c", "content": content})
    assert item["output"] == output
