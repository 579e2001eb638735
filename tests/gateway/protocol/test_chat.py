"""Chat completions out of a response's events, as the openai SDK takes them."""

import json

import pytest

from gateway.protocol.chat.completion import ChatFold, ChatStream
from gateway.protocol.chat.deltas import ChatDeltas
from gateway.protocol.response_fold import ResponseTooLarge
from tests.gateway.protocol.chat_events import (
    CREATED,
    ID,
    assembled,
    call,
    call_events,
    deltas,
    ended,
    event,
    fold,
    message,
    output_text,
    stream,
)


def text_events(index=0):
    place = {"item_id": "msg_1", "output_index": index, "content_index": 0}
    return [
        event("output_item.added", output_index=index, item=message()),
        event("content_part.added", **place, part=output_text("")),
        event("output_text.delta", **place, delta="o"),
        event("output_text.delta", **place, delta="k€"),
        event("output_text.done", **place, text="ok€"),
        event("content_part.done", **place, part=output_text("ok€")),
        event("output_item.done", output_index=index, item=message(output_text("ok€"))),
    ]


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


def deltas_of(events, **options):
    return deltas(stream(events, **options)[0])


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


def cited(start, end):
    return {
        "type": "url_citation",
        "start_index": start,
        "end_index": end,
        "url": "https://example.com/x",
        "title": "X",
    }


@pytest.mark.parametrize(
    "kept",
    [
        {"output_text.delta", "output_text.annotation.added"},
        {"output_text.delta", "content_part.done"},
        {"output_text.delta", "output_item.done"},
        {"output_text.delta", "output_text.annotation.added", "output_item.done"},
        {"output_text.delta"},  # only the terminal event has them
        set(),
    ],
)
def test_citations_are_annotations_in_the_whole_text(kept):
    place = {"item_id": "msg_1", "output_index": 1}
    other = {"type": "file_citation", "file_id": "f", "index": 0}
    second = output_text("cde", other, cited(1, 2))
    item = message(output_text("ab"), second)
    noted = {"annotation_index": 1, "annotation": cited(1, 2)}
    events = [
        event("output_text.delta", **place, content_index=0, delta="ab"),
        event("output_text.delta", **place, content_index=1, delta="cde"),
        event("output_text.annotation.added", **place, content_index=1, **noted),
        event("content_part.done", **place, content_index=1, part=second),
        event("output_item.done", output_index=1, item=item),
    ]
    events = [e for e in events if e["type"].removeprefix("response.") in kept]
    events = [CREATED, *events, ended(output=[{"type": "web_search_call"}, item])]
    citation = {"start_index": 3, "end_index": 4, "url": "https://example.com/x"}
    annotation = {"type": "url_citation", "url_citation": {**citation, "title": "X"}}
    told = fold(events)["choices"][0]["message"]
    assert told["content"] == "abcde"
    assert told["annotations"] == [annotation]
    found = [d["annotations"] for d in deltas_of(events) if "annotations" in d]
    assert found == [[annotation]]
    assert assembled(events).message.annotations


def probable(token, **more):
    top = {"token": token, "logprob": -0.5}
    return {**top, "top_logprobs": [{**top, **more}], **more}


def told(token, **more):
    top = {"token": token, "logprob": -0.5, "bytes": None, **more}
    return {**top, "top_logprobs": [top]}


@pytest.mark.parametrize(
    "events",
    [
        [
            event("output_text.delta", delta=piece, logprobs=[probable(piece)])
            for piece in ("Hel", "lo")
        ],
        [
            event("output_text.delta", delta="Hel", logprobs=[]),
            event("output_text.delta", delta="lo", logprobs=[probable("Hel")]),
            event(
                "output_text.done",
                text="Hello",
                logprobs=[probable("Hel"), probable("lo")],
            ),
        ],
        [
            event(
                "output_item.done",
                output_index=0,
                item=message(
                    output_text("Hello") | {"logprobs": [*map(probable, ("Hel", "lo"))]}
                ),
            )
        ],
    ],
)
def test_logprobs_are_told_once_and_in_the_shape_of_chat(events):
    events = [CREATED, *events, ended()]
    expected = [told("Hel"), told("lo")]
    (choice,) = fold(events)["choices"]
    assert choice["message"]["content"] == "Hello"
    assert choice["logprobs"] == {"content": expected, "refusal": None}
    choices = [one for chunk in stream(events)[0] for one in chunk["choices"]]
    streamed = [one["logprobs"] for one in choices if one["logprobs"]]
    assert [token for one in streamed for token in one["content"]] == expected
    assert all("logprobs" not in one["delta"] for one in choices)
    assert fold([*text_events(), ended()])["choices"][0]["logprobs"] is None


def test_bytes_of_a_token_are_kept_and_what_is_no_token_is_left_out():
    tokens = ["x", None, probable("a", bytes=[97])]
    events = [event("output_text.delta", delta="a", logprobs=tokens), ended()]
    (choice,) = fold(events)["choices"]
    assert choice["logprobs"]["content"] == [told("a", bytes=[97])]


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
    assert chunks[-1] == {"error": error}
    assert len(chunks) == 3
    assert is_done
    assert fold(events) == {"error": error}


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
    chat = ChatFold("gpt-5.4", created=7)
    for one in events:
        chat.feed(one["type"], json.dumps(one).encode())
    assert chat.result()["choices"][0]["finish_reason"] is None


def test_a_folded_answer_is_bounded():
    chat = ChatFold("gpt-5.4", created=7, max_bytes=1000)
    delta = b'{"delta":"' + b"x" * 488 + b'"}'
    chat.feed("response.output_text.delta", delta)
    chat.feed("response.output_text.delta", delta)
    with pytest.raises(ResponseTooLarge):
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
