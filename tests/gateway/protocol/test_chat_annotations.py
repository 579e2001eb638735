"""What chat tells beside the text: citations and the probabilities of tokens."""

import pytest

from tests.gateway.protocol.chat_events import (
    CREATED,
    assembled,
    deltas_of,
    ended,
    event,
    fold,
    message,
    output_text,
    stream,
    text_events,
)


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
