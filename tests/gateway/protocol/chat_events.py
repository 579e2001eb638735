"""A response's events, and the chat completions made of them."""

import json

from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.protocol.chat.completion import ChatFold, ChatStream
from gateway.protocol.sse import events as blocks
from tests.gateway.protocol.rooms import unbounded

ID = "resp_1"

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 15,
}

CREATED = {"type": "response.created", "response": {"id": ID, "status": "in_progress"}}


def event(type, **fields):
    return {"type": f"response.{type}", **fields}


def ended(status="completed", output=(), **fields):
    response = {"id": ID, "status": status, "output": list(output), "usage": USAGE}
    return event(status, response={**response, **fields})


def message(*parts):
    return {"id": "msg_1", "type": "message", "role": "assistant", "content": parts}


def output_text(value, *annotations):
    return {"type": "output_text", "text": value, "annotations": list(annotations)}


def call(number, arguments=""):
    return {
        "id": f"fc_{number}",
        "type": "function_call",
        "call_id": f"call_{number}",
        "name": f"tool_{number}",
        "arguments": arguments,
    }


def call_events(index, number, pieces):
    place = {"item_id": f"fc_{number}", "output_index": index}
    whole = "".join(pieces)
    deltas = [
        event("function_call_arguments.delta", **place, delta=piece) for piece in pieces
    ]
    return [
        event("output_item.added", output_index=index, item=call(number)),
        *deltas,
        event("function_call_arguments.done", **place, arguments=whole),
        event("output_item.done", output_index=index, item=call(number, whole)),
    ]


def stream(events, **options):
    """The chunks, each checked by the SDK, and whether [DONE] ended them."""
    chat = ChatStream("gpt-5.4", created=7, **options)
    sent = b"".join(chat.feed(e["type"], json.dumps(e).encode()) for e in events)
    data = [block.data for block in blocks(sent)]
    is_done = bool(data) and data[-1] == b"[DONE]"
    chunks = [json.loads(one) for one in data if one != b"[DONE]"]
    for chunk in chunks:
        if "error" not in chunk:
            if b'"custom"' not in sent:  # the SDK's types lack them in chunks
                ChatCompletionChunk.model_validate(chunk, strict=True)
            assert (chunk["id"], chunk["model"], chunk["created"]) == (ID, "gpt-5.4", 7)
    return chunks, is_done


def fold(events, **options):
    chat = ChatFold("gpt-5.4", created=7, take=unbounded, **options)
    for one in events:
        chat.feed(one["type"], json.dumps(one).encode())
    result = chat.result()
    if "error" not in result:
        ChatCompletion.model_validate(result)
    return result


def assembled(events):
    """What the SDK's own assembler makes of the chunks."""
    state = ChatCompletionStreamState()
    for chunk in stream(events)[0]:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    return state.current_completion_snapshot.choices[0]


def deltas(chunks):
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


texts = st.text(max_size=6)

parts = st.lists(texts, min_size=1, max_size=4)


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


def deltas_of(events, **options):
    return deltas(stream(events, **options)[0])
