"""Calls of tools and functions in chat completions, streamed and folded."""

import pytest

from tests.gateway.protocol.chat_events import (
    CREATED,
    assembled,
    call,
    call_events,
    deltas,
    deltas_of,
    ended,
    event,
    fold,
    stream,
    text_events,
)


def test_several_interleaved_calls_keep_their_own_indexes():
    first = call_events(1, 1, ['{"a"', ":1}"])
    second = call_events(2, 2, ['{"b":', "2}"])
    mixed = [one for pair in zip(first, second, strict=True) for one in pair]
    events = [CREATED, *text_events(), *mixed, ended()]
    chunks, _ = stream(events)
    calls = [d["tool_calls"][0] for d in deltas(chunks) if "tool_calls" in d]
    assert [one["index"] for one in calls] == [0, 1, 0, 1, 0, 1]
    assert [one.get("id") for one in calls[:3]] == ["call_1", "call_2", None]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    expected = [
        ("call_1", "tool_1", '{"a":1}'),
        ("call_2", "tool_2", '{"b":2}'),
    ]
    assert [
        (one["id"], one["function"]["name"], one["function"]["arguments"])
        for one in fold(events)["choices"][0]["message"]["tool_calls"]
    ] == expected
    assert [
        (one.id, one.function.name, one.function.arguments)
        for one in assembled(events).message.tool_calls
    ] == expected


@pytest.mark.parametrize(
    "kept",
    [
        {"response.output_item.added", "response.function_call_arguments.delta"},
        {"response.output_item.added", "response.function_call_arguments.done"},
        {"response.output_item.added", "response.output_item.done"},
        {"response.function_call_arguments.delta", "response.output_item.done"},
        {"response.output_item.done"},
        set(),
    ],
)
def test_arguments_arrive_whichever_events_carry_them(kept):
    events = [one for one in call_events(4, 1, ['{"a"', ":1}"]) if one["type"] in kept]
    events = [CREATED, *events, ended(output=[call(1, '{"a":1}')])]
    for found in (
        fold(events)["choices"][0]["message"]["tool_calls"],
        [one.model_dump() for one in assembled(events).message.tool_calls],
    ):
        assert [one["function"]["arguments"] for one in found] == ['{"a":1}']
        assert [one["id"] for one in found] == ["call_1"]


def test_a_call_without_arguments_is_a_call():
    events = [CREATED, event("output_item.done", output_index=0, item=call(1)), ended()]
    assert fold(events)["choices"][0]["message"]["tool_calls"][0]["function"] == {
        "name": "tool_1",
        "arguments": "",
    }


CUSTOM = {
    "id": "ctc_1",
    "type": "custom_tool_call",
    "call_id": "call_9",
    "name": "edit_file",
    "input": "*** Begin",
}


def custom_events(*deltas):
    place = {"item_id": "ctc_1", "output_index": 0}
    return [
        CREATED,
        event("output_item.added", output_index=0, item=CUSTOM | {"input": ""}),
        *(event("custom_tool_call_input.delta", **place, delta=one) for one in deltas),
        event("output_item.done", output_index=0, item=CUSTOM),
        *call_events(1, 1, ["{}"]),
        ended(),
    ]


@pytest.mark.parametrize("deltas", [["*** ", "Begin"], ["***"], []])
def test_a_custom_tool_s_call_is_of_its_own_type(deltas):
    events = custom_events(*deltas)
    choice = fold(events)["choices"][0]
    custom, function = choice["message"]["tool_calls"]
    assert custom == {
        "id": "call_9",
        "type": "custom",
        "custom": {"name": "edit_file", "input": "*** Begin"},
    }
    assert (function["type"], function["function"]["arguments"]) == ("function", "{}")
    assert choice["finish_reason"] == "tool_calls"
    told = [
        call
        for delta in deltas_of(events)
        for call in delta.get("tool_calls", ())
        if call["index"] == 0
    ]
    assert told[0] == {
        "index": 0,
        "id": "call_9",
        "type": "custom",
        "custom": {"name": "edit_file", "input": ""},
    }
    assert "".join(one["custom"]["input"] for one in told) == "*** Begin"


def test_who_asked_with_functions_is_answered_with_a_function_call():
    first, second = call_events(0, 1, ['{"a"', ":1}"]), call_events(1, 2, ["{}"])
    events = [CREATED, *first, *second, ended()]
    choice = fold(events, uses_functions=True)["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "function_call": {"name": "tool_1", "arguments": '{"a":1}'},
    }
    chunks, is_done = stream(events, uses_functions=True)
    assert deltas(chunks) == [
        {"role": "assistant", "function_call": {"name": "tool_1", "arguments": ""}},
        {"function_call": {"arguments": '{"a"'}},
        {"function_call": {"arguments": ":1}"}},
        {},
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "function_call"
    assert is_done
    plain = fold([CREATED, *text_events(), ended()], uses_functions=True)
    assert plain["choices"][0]["finish_reason"] == "stop"
    assert "function_call" not in plain["choices"][0]["message"]
