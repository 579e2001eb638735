"""What holds for whatever upstream says: its events, its frames, its errors."""

import orjson

from gateway.failover.final_error import final_error
from gateway.protocol.chat.completion import ChatFold, ChatStream
from gateway.protocol.failures import event_failure, read_failure
from gateway.protocol.outcome import OutcomeReader
from gateway.protocol.response_fold import ResponseFold
from gateway.protocol.sse import events
from gateway.turns.encrypted_items import EncryptedItems
from gateway.turns.turn import ClientView
from gateway.turns.websocket import error_frame
from tests.gateway.protocol.rooms import unbounded
from tests.tools.fuzz.source import Source

NOW = 1_700_000_000.0
TYPES = (
    *("response.output_text.delta", "response.output_text.done", "error", ""),
    *("response.created", "response.completed", "response.failed"),
    *("response.incomplete", "response.in_progress", "response.metadata"),
    *("response.output_item.added", "response.output_item.done"),
    *("response.function_call_arguments.delta", "codex.rate_limits"),
    *("response.function_call_arguments.done", "response.refusal.delta"),
    *("response.custom_tool_call_input.delta", "response.refusal.done"),
    *("response.custom_tool_call_input.done", "response.content_part.done"),
)
LAST = b'{"type":"response.completed","response":{"id":"resp_1"}}'


def answers(data: bytes) -> None:
    """Any events are read without a fault, and clients get well-formed answers."""
    source = Source(data)
    told = []
    while source.has_more():
        kind = source.pick(TYPES)
        told.append((kind, _data(source)))
    told.append(("response.completed", LAST))
    reader, sealed = OutcomeReader(lambda: NOW), EncryptedItems()
    view = ClientView(is_codex=True, requested_model="gpt-5.5", keys_in_use=True)
    chat, chat_fold = (
        ChatStream("m", 7, include_usage=True),
        ChatFold("m", 7, take=unbounded),
    )
    fold = ResponseFold(unbounded)
    sent = b""
    for kind, one in told:
        reader.feed(kind, one)
        sealed.note(None, kind, one, 1)
        view.visible(kind, one)
        fold.feed(kind, one)
        sent += chat.feed(kind, one)
        chat_fold.feed(kind, one)
    assert reader.is_terminal
    assert sent.endswith(b"data: [DONE]\n\n")
    for event in events(sent)[:-1]:
        assert isinstance(orjson.loads(event.data), dict)
    assert orjson.loads(orjson.dumps(fold.result()))
    assert orjson.loads(orjson.dumps(chat_fold.result()))


def _data(source: Source) -> bytes:
    match source.byte() % 8:
        case 7:
            return source.rest()
        case 6:
            return source.json().encode("utf-8", "surrogatepass")
        case _:
            return source.object(4).encode("utf-8", "surrogatepass")


def failures(data: bytes) -> None:
    """Any error answer becomes one that the client can be given."""
    source = Source(data)
    status = 400 + source.byte() % 200
    headers = {"retry-after": source.text(), "Retry-After-Ms": source.text()}
    body = (
        source.rest()
        if source.byte() % 4 == 0
        else source.object().encode("utf-8", "surrogatepass")
    )
    found = [
        read_failure(status, headers, body, NOW),
        event_failure("error", body, NOW),
        event_failure("response.failed", body.decode("utf-8", "replace"), NOW),
    ]
    for failure in found:
        assert 0 < len(failure.message) <= 300
        assert failure.message.isprintable()
        for codex in (True, False):
            error = final_error(failure, codex=codex, keys_in_use=status % 2 > 0)
            assert 400 <= error.status < 600
            assert error.status != 401
            assert orjson.dumps(error.envelope(codex=codex))
            assert error_frame(error, "id", codex=codex)
            assert set(error.headers(codex=codex)) <= {"retry-after"}
