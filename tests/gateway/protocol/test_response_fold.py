"""A stream folded into the Response object it describes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from gateway.protocol.response_fold import ResponseFold, ResponseTooLarge

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
    folded = ResponseFold()
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
    folded = ResponseFold(max_bytes=1000)
    item = b'{"item":{"a":"' + b"x" * 400 + b'"},"output_index":0}'
    folded.feed("response.output_item.done", item)
    folded.feed("response.output_item.done", item)
    with pytest.raises(ResponseTooLarge):
        folded.feed("response.output_item.done", item)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "response.created",
                    "response.output_item.done",
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
                ]
            ),
        )
    )
)
def test_odd_events_never_raise(events):
    folded = ResponseFold()
    for type, data in events:
        folded.feed(type, data)
    assert isinstance(folded.result()["output"], list)
