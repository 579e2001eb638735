"""Chat completions of any events: well formed, streamed or folded."""

import json

from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.protocol.chat.completion import ChatFold, ChatStream
from gateway.protocol.sse import events as blocks
from tests.gateway.protocol.chat_events import (
    CREATED,
    ID,
    assembled,
    call_events,
    ended,
    event,
    fold,
    message,
    output_text,
    parts,
)
from tests.gateway.protocol.rooms import unbounded

odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "response",
                    "item",
                    "part",
                    "delta",
                    "text",
                    "refusal",
                    "arguments",
                    "content",
                    "output",
                    "output_index",
                    "content_index",
                    "item_id",
                    "error",
                    "usage",
                    "annotations",
                    "annotation",
                    "annotation_index",
                    "start_index",
                    "url",
                    "id",
                    "call_id",
                    "name",
                ]
            )
            | st.just("type"),
            inner
            | st.sampled_from(
                ["message", "function_call", "custom_tool_call", "output_text"]
            )
            | st.just("url_citation"),
            max_size=6,
        )
    ),
    max_leaves=25,
)


TYPES = [
    "",
    "error",
    "response.created",
    "response.output_text.delta",
    "response.output_text.done",
    "response.refusal.delta",
    "response.refusal.done",
    "response.content_part.done",
    "response.output_text.annotation.added",
    "response.output_item.added",
    "response.output_item.done",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.custom_tool_call_input.done",
]


@given(st.lists(st.tuples(st.booleans(), parts), max_size=4), st.data())
def test_the_streamed_and_the_folded_answer_are_the_same(items, data):
    """Whatever is left out of the deltas, both say what the items say."""
    events = [CREATED]
    for index, (is_call, pieces) in enumerate(items):
        whole = "".join(pieces)
        if is_call:
            made = call_events(index, index, pieces)
        else:
            place = {"output_index": index, "content_index": 0}
            made = [
                event("output_text.delta", **place, delta=piece) for piece in pieces
            ]
            item = message(output_text(whole))
            made.append(event("output_item.done", output_index=index, item=item))
        # The first pieces came, the rest of the deltas did not.
        keep = data.draw(st.integers(0, len(made) - 1))
        events += [*made[:keep], made[-1]]
    events.append(ended())
    expected = "".join("".join(pieces) for is_call, pieces in items if not is_call)
    calls = ["".join(pieces) for is_call, pieces in items if is_call]
    folded = fold(events)["choices"][0]
    told = assembled(events)
    assert (folded["message"]["content"] or "") == expected
    assert (told.message.content or "") == expected
    made_calls = folded["message"].get("tool_calls", [])
    assert [one["function"]["arguments"] for one in made_calls] == calls
    assert [one.function.arguments for one in told.message.tool_calls or []] == calls
    assert folded["finish_reason"] == told.finish_reason


@given(st.lists(st.tuples(st.sampled_from(TYPES), odd | st.binary()), max_size=8))
def test_odd_events_never_raise_and_the_answer_stays_well_formed(events):
    chat, folded = (
        ChatStream("m", created=7, include_usage=True),
        ChatFold("m", created=7, take=unbounded),
    )
    sent = b""
    for type, value in [*events, ("response.completed", {"response": {"id": ID}})]:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        sent += chat.feed(type, data)
        folded.feed(type, data)
    result = folded.result()
    if "error" not in result:
        ChatCompletion.model_validate(result)
    for block in blocks(sent):
        if block.type != "[DONE]" and b'"error"' not in block.data:
            ChatCompletionChunk.model_validate_json(block.data)
    assert sent.endswith(b"data: [DONE]\n\n")
