"""Chat completions out of a response's events, as the openai SDK takes them."""

import json

import pytest

from gateway.errors import UpstreamUnavailable
from gateway.protocol.chat.completion import ChatFold, ChatStream
from gateway.protocol.chat.deltas import ChatDeltas
from tests.gateway.protocol.chat_events import (
    CREATED,
    ID,
    assembled,
    call_events,
    deltas,
    ended,
    event,
    fold,
    message,
    output_text,
    stream,
    text_events,
)
from tests.gateway.protocol.rooms import room_for, unbounded


def test_text_streams_as_it_comes_and_only_once():
    chunks, is_done = stream([CREATED, *text_events(), ended()])
    assert deltas(chunks) == [
        {"role": "assistant", "content": "o"},
        {"content": "k€"},
        {},
    ]
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None, None, "stop"]
    assert "usage" not in chunks[0]
    assert is_done


def test_usage_is_null_in_every_chunk_and_then_a_chunk_of_its_own():
    chunks, is_done = stream([CREATED, *text_events(), ended()], include_usage=True)
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * 3
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert is_done


def test_a_folded_answer_has_text_reason_and_usage():
    result = fold([CREATED, *text_events(), ended(service_tier="priority")])
    assert (result["id"], result["object"]) == (ID, "chat.completion")
    assert result["choices"][0]["message"] == {
        "role": "assistant",
        "content": "ok€",
        "refusal": None,
    }
    assert result["choices"][0]["finish_reason"] == "stop"
    assert result["usage"]["total_tokens"] == 15
    assert result["service_tier"] == "priority"


@pytest.mark.parametrize(
    "kept",
    [
        {"response.output_text.delta"},
        {"response.output_text.done"},
        {"response.content_part.done"},
        {"response.output_item.done"},
        {"response.output_text.done", "response.output_item.done"},
        set(),  # only the terminal event has it
    ],
)
def test_text_arrives_whichever_events_carry_it(kept):
    events = [one for one in text_events(index=3) if one["type"] in kept]
    events = [CREATED, *events, ended(output=[message(output_text("ok€"))])]
    assert fold(events)["choices"][0]["message"]["content"] == "ok€"
    assert assembled(events).message.content == "ok€"


def test_every_part_of_a_message_is_told_once():
    place = {"item_id": "msg_1", "output_index": 0}
    item = message(output_text("ab"), output_text("cd"), output_text("ef"))
    events = [
        CREATED,
        event("output_text.delta", **place, content_index=0, delta="ab"),
        event("output_text.delta", **place, content_index=1, delta="c"),
        event("output_item.done", output_index=0, item=item),
        ended(),
    ]
    assert fold(events)["choices"][0]["message"]["content"] == "abcdef"


def test_text_lost_from_the_deltas_is_made_up_for():
    events = text_events()
    del events[3]
    assert fold([CREATED, *events, ended()])["choices"][0]["message"]["content"] == (
        "ok€"
    )


def test_a_refusal_is_no_content():
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    refusal = {"type": "refusal", "refusal": "no way"}
    events = [
        CREATED,
        event("refusal.delta", **place, delta="no "),
        event("refusal.done", **place, refusal="no way"),
        event("output_item.done", output_index=0, item=message(refusal)),
        ended(),
    ]
    assert fold(events)["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": "no way",
    }
    assert assembled(events).message.refusal == "no way"


def test_reasoning_stays_out_of_the_answer():
    place = {"item_id": "rs_1", "output_index": 0}
    item = {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "content": [{"type": "output_text", "text": "hm"}],
    }
    part = {"type": "summary_text", "text": "hm"}
    events = [
        CREATED,
        event("output_item.added", output_index=0, item=item),
        event("reasoning_summary_text.delta", **place, delta="hm"),
        event("reasoning_text.delta", **place, delta="hm"),
        event("reasoning_summary_part.done", **place, part=part),
        event("content_part.done", **place, part={"type": "reasoning_text", **part}),
        event("output_item.done", output_index=0, item=item),
        *text_events(index=1),
        ended(output=[item, message(output_text("ok€"))]),
    ]
    assert fold(events)["choices"][0]["message"]["content"] == "ok€"
    assert b"hm" not in json.dumps(stream(events)[0]).encode()


@pytest.mark.parametrize(
    ("reason", "finish_reason"),
    [
        ("max_output_tokens", "length"),
        ("content_filter", "content_filter"),
        (None, "length"),
    ],
)
def test_an_incomplete_response_says_why_it_ended(reason, finish_reason):
    end = ended("incomplete", incomplete_details={"reason": reason})
    events = [CREATED, *text_events(), end]
    chunks, is_done = stream(events)
    assert chunks[-1]["choices"][0]["finish_reason"] == finish_reason
    assert fold(events)["choices"][0]["finish_reason"] == finish_reason
    assert is_done


@pytest.mark.parametrize(
    "failure",
    [
        event("failed", response={"id": ID, "error": {"code": "c", "message": "m"}}),
        {"type": "error", "code": "c", "message": "m"},
        {"type": "error", "status": 500, "error": {"code": "c", "message": "m"}},
        {"type": "", "error": {"code": "c", "message": "m"}},
    ],
)
def test_a_failure_is_an_error_chunk_and_the_end(failure):
    events = [CREATED, *text_events(), failure, *text_events(index=9), ended()]
    chunks, is_done = stream(events)
    error = {"message": "m", "type": "server_error", "code": "c", "param": None}
    error["origin"] = "upstream"
    assert chunks[-1] == {"error": error}
    assert len(chunks) == 3
    assert is_done
    assert fold(events) == {"error": error}


def test_a_fault_of_the_requests_is_an_error_of_that_type():
    told = {"code": "context_length_exceeded", "message": "m"}
    failure = event("failed", response={"id": ID, "error": told})
    error = {**told, "type": "invalid_request_error", "param": None, "origin": "client"}
    assert fold([failure]) == {"error": error}


def test_an_answer_without_output_is_empty_text():
    events = [CREATED, ended()]
    chunks, _ = stream(events)
    assert deltas(chunks) == [{"role": "assistant"}]
    assert fold(events)["choices"][0]["message"]["content"] == ""


def test_nothing_comes_after_the_end():
    chunks, _ = stream([CREATED, ended(), *text_events(), ended(), CREATED])
    assert len(chunks) == 1


def test_a_stream_that_broke_off_has_no_finish_reason():
    events = [CREATED, *text_events()]
    assert not stream(events)[1]
    chat = ChatFold("gpt-5.4", created=7, take=unbounded)
    for one in events:
        chat.feed(one["type"], json.dumps(one).encode())
    assert chat.result()["choices"][0]["finish_reason"] is None


def test_a_folded_answer_is_bounded():
    chat = ChatFold("gpt-5.4", created=7, take=room_for(1000).take)
    delta = b'{"delta":"' + b"x" * 488 + b'"}'
    chat.feed("response.output_text.delta", delta)
    chat.feed("response.output_text.delta", delta)
    with pytest.raises(UpstreamUnavailable):
        chat.feed("response.output_text.delta", delta)


def test_an_answer_of_endless_parts_fails_visibly():
    chat = ChatStream("gpt-5.4", created=7)
    sent = b""
    for index in range(20_000):
        data = json.dumps({"output_index": index, "delta": "x"})
        sent = chat.feed("response.output_text.delta", data) or sent
    assert b"too many parts" in sent
    assert sent.endswith(b"data: [DONE]\n\n")


def test_a_part_that_is_known_goes_on_when_there_is_no_room_for_more():
    chat = ChatStream("gpt-5.4", created=7)

    def given(index):
        data = json.dumps({"output_index": index, "delta": "x"})
        return chat.feed("response.output_text.delta", data)

    for index in range(10_000):
        given(index)
    assert b'"content":"x"' in given(0)
    assert b"too many parts" in given(10_000)


@pytest.mark.parametrize("end", ["completed", "incomplete", "failed", "error"])
def test_after_the_end_nothing_is_added(end):
    chat = ChatDeltas()
    last = {"type": "error", "message": "no"} if end == "error" else ended(end)
    late = [*text_events(), *call_events(5, 1, ["{}"]), ended("incomplete")]
    for one in (CREATED, *text_events(), last):
        chat.feed(one["type"], json.dumps(one).encode())
    before = (chat.finish_reason, chat.error, chat.response)
    assert chat.finish_reason or chat.error
    for one in (*late, {"type": "error", "message": "late"}):
        assert chat.feed(one["type"], json.dumps(one).encode()) == []
    assert (chat.finish_reason, chat.error, chat.response) == before
