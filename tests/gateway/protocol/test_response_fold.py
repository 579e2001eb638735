"""A stream folded into the Response object it describes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from gateway.errors import UpstreamUnavailable
from gateway.protocol.response_fold import (
    ResponseFold,
    events_of,
)
from tests.gateway.protocol.rooms import room_for, unbounded

BASE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-5.4",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "ok", "annotations": []}],
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "name": "lookup",
    "call_id": "call_1",
    "arguments": '{"q":"x"}',
}
USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


def fold(*events):
    folded = ResponseFold(unbounded)
    for event in events:
        folded.feed(event["type"], json.dumps(event).encode())
    return folded.result()


def created():
    response = {**BASE, "status": "in_progress", "output": []}
    return {"type": "response.created", "response": response}


def done(index, item):
    return {
        "type": "response.output_item.done",
        "output_index": index,
        "item": item,
    }


def ended(status, **fields):
    return {
        "type": f"response.{status}",
        "response": {**BASE, "status": status, **fields},
    }


def test_the_response_of_the_last_event_is_the_answer():
    answer = ended("completed", output=[MESSAGE], usage=USAGE)
    assert fold(created(), done(0, CALL), answer) == answer["response"]


@pytest.mark.parametrize("fields", [{"output": []}, {}, {"output": None}])
def test_a_missing_output_is_rebuilt_in_the_order_of_the_indexes(fields):
    result = fold(
        created(), done(1, CALL), done(0, MESSAGE), ended("completed", **fields)
    )
    assert result["output"] == [MESSAGE, CALL]
    assert result["status"] == "completed"
    Response.model_validate(result)


def told(kind, **fields):
    return {"type": f"response.{kind}", "output_index": 0, "content_index": 0, **fields}


def text_deltas(*pieces, **place):
    return [told("output_text.delta", delta=piece, **place) for piece in pieces]


def test_texts_that_come_in_deltas_only_are_a_message():
    events = text_deltas("Hel", "lo", item_id="m")
    result = fold(created(), *events, ended("completed", output=[]))
    part = {"type": "output_text", "annotations": [], "text": "Hello"}
    assert result["output"] == [
        {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
    ]
    Response.model_validate(result)


def test_an_item_s_id_is_the_last_that_was_told():
    for ids in ((None, "m", None), ("m", None, None), ("x", "m", None)):
        events = [
            piece
            for id in ids
            for piece in text_deltas("a", **({} if id is None else {"item_id": id}))
        ]
        [item] = fold(created(), *events, ended("completed"))["output"]
        assert item["id"] == "m"


def test_what_tells_a_text_whole_goes_before_its_deltas():
    part = {"type": "output_text", "text": "whole", "annotations": [{"a": 1}]}
    refusal = told("refusal.done", refusal="No.", content_index=1)
    for whole in (
        [told("output_text.done", text="whole")],
        [told("content_part.done", part=part)],
        [told("output_text.done", text="other"), told("content_part.done", part=part)],
    ):
        events = [*text_deltas("who", "?"), *whole, refusal, ended("completed")]
        (message,) = fold(*events)["output"]
        assert [part.get("text") for part in message["content"]] == ["whole", None]
        assert message["content"][1] == {"type": "refusal", "refusal": "No."}


def test_a_call_that_was_begun_is_finished_by_its_deltas():
    begun = {**CALL, "arguments": ""}
    events = [
        told("output_item.added", item=begun),
        told("function_call_arguments.delta", delta='{"q":'),
        told("function_call_arguments.delta", delta='"x"}'),
    ]
    (call,) = fold(*events, ended("completed"))["output"]
    assert call == {**CALL, "status": "completed"}
    (half,) = fold(*events[:2], ended("incomplete"))["output"]
    assert half == {**CALL, "arguments": '{"q":', "status": "incomplete"}


def test_deltas_are_forgotten_once_their_item_is_finished():
    late = text_deltas("late")
    events = [*text_deltas("o"), done(0, MESSAGE), *late, *text_deltas("k", item_id=1)]
    assert fold(*events, ended("completed"))["output"] == [MESSAGE]
    unplaced = [
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "o"}
    ]
    finished = {"type": "response.output_item.done", "item": MESSAGE}
    assert fold(*unplaced, finished, ended("completed"))["output"] == [MESSAGE]


def test_items_that_were_only_begun_are_none():
    reasoning = told("output_item.added", item={"type": "reasoning", "id": "r"})
    result = fold(reasoning, *text_deltas("a", output_index=1), ended("completed"))
    assert [item["type"] for item in result["output"]] == ["message"]


def test_deltas_without_end_are_refused():
    folded = ResponseFold(room_for(10_000).take)
    event = text_deltas("x" * 50)[0]
    data = json.dumps(event).encode()
    for _ in range(70):
        folded.feed(event["type"], data)
    with pytest.raises(UpstreamUnavailable):
        folded.feed(event["type"], b'{"delta":"%b"}' % (b"x" * 2000))


def test_a_finished_response_is_its_own_events():
    whole = {**BASE, "status": "completed", "output": [MESSAGE, CALL], "usage": USAGE}
    events = [(kind, json.loads(data)) for kind, data in events_of(whole)]
    assert [kind for kind, data in events] == [data["type"] for _, data in events]
    assert fold(*(data for _, data in events)) == whole
    assert fold(*(data for _, data in events[:-1]))["output"] == [MESSAGE, CALL]
    failed = {"status": "failed", "output": [], "error": {"code": "c"}}
    assert [kind for kind, _ in events_of(failed)] == [
        "response.created",
        "response.failed",
    ]
    assert [kind for kind, _ in events_of({"error": {"message": "m"}})] == ["error"]
    for other in ({}, {"status": "queued", "output": []}, {"output": {}}):
        assert events_of(other) == []


def test_items_without_an_index_keep_their_order():
    events = [done(None, MESSAGE), done("x", CALL)]
    assert fold(*events, ended("completed"))["output"] == [MESSAGE, CALL]


def test_the_first_of_two_terminal_events_counts():
    result = fold(ended("completed", output=[MESSAGE]), ended("failed", output=[CALL]))
    assert (result["status"], result["output"]) == ("completed", [MESSAGE])


def test_an_incomplete_response_keeps_its_reason_and_items():
    details = {"reason": "max_output_tokens"}
    result = fold(done(0, MESSAGE), ended("incomplete", incomplete_details=details))
    assert result["incomplete_details"] == details
    assert result["output"] == [MESSAGE]


def test_an_error_event_never_leaves_a_response_that_looks_whole():
    error = {"type": "error", "error": {"code": "c", "message": "m"}}
    result = fold(created(), done(0, MESSAGE), error)
    assert result["status"] == "failed"
    assert result["error"] == {"code": "c", "message": "m"}


def test_a_stream_that_broke_off_is_still_in_progress():
    assert fold(created(), done(0, MESSAGE))["status"] == "in_progress"
    assert fold()["status"] == "in_progress"


def test_an_answer_that_never_ends_is_refused():
    folded = ResponseFold(room_for(1000).take)
    item = b'{"item":{"a":"' + b"x" * 400 + b'"},"output_index":0}'
    folded.feed("response.output_item.done", item)
    folded.feed("response.output_item.done", item)
    with pytest.raises(UpstreamUnavailable):
        folded.feed("response.output_item.done", item)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "response.created",
                    "response.output_item.added",
                    "response.output_item.done",
                    "response.output_text.delta",
                    "response.content_part.done",
                    "response.function_call_arguments.delta",
                    "response.completed",
                    "error",
                    "",
                ]
            ),
            st.binary()
            | st.sampled_from(
                [
                    b'{"response":[]}',
                    b'{"item":{"a":1},"output_index":true}',
                    b'{"item":{"a":1},"output_index":-5}',
                    b'{"item":{"a":1},"output_index":1e99}',
                    b'{"response":{"output":{}}}',
                    b'{"item":{"type":"function_call","id":7},"output_index":2}',
                    b'{"delta":"a","item_id":"x","content_index":"y"}',
                    b'{"delta":7,"part":[],"output_index":1}',
                ]
            ),
        )
    )
)
def test_odd_events_never_raise(events):
    folded = ResponseFold(unbounded)
    for type, data in events:
        folded.feed(type, data)
    assert isinstance(folded.result()["output"], list)


ERROR = {"type": "error", "code": "server_error", "message": "first"}


def test_of_two_ends_the_first_counts():
    good, bad = ended("completed", output=[MESSAGE]), ended("failed", error={"code": 1})
    assert fold(created(), good, bad) == good["response"]
    assert fold(created(), bad, good)["status"] == "failed"
    assert fold(created(), good, ERROR) == good["response"]
    for late in (good, {**ERROR, "message": "second"}):
        told = fold(created(), ERROR, late)
        assert told["status"] == "failed"
        assert told["error"] == {"code": "server_error", "message": "first"}


def test_an_end_without_an_object_is_none():
    folded = ResponseFold(unbounded)
    for kind in ("response.completed", "error"):
        folded.feed(kind, b"[]")
    folded.feed("response.completed", json.dumps(ended("completed")).encode())
    assert folded.result()["status"] == "completed"
