"""A response's events as the deltas of a chat answer, each text exactly once.

Upstreams differ in whether text and arguments come in deltas, in the events that
finish a part, or only with the finished item. So every part remembers how much of
it has been given out, and whatever tells it whole adds the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from gateway.protocol.chat.citations import Citations, Part, citations_in
from gateway.protocol.chat.logprobs import Logprobs
from gateway.protocol.facts import Origin
from gateway.protocol.failures import event_failure
from gateway.protocol.lenient_json import child, load_object, text

Delta = dict[str, Any]
# Each part that was seen takes a place in memory; an answer has a dozen.
_MAX_PARTS = 10_000


@dataclass(slots=True)
class _Call:
    kind: "_CallKind"
    index: int  # its place among the tool calls
    given: int = 0  # characters of the arguments


class _CallKind(NamedTuple):
    """How chat names a call that upstream made, and what it was called with."""

    type: str
    value: str


class ChatDeltas:
    """Events in, `delta` objects out; reasoning is no part of the answer.

    After the terminal event either `finish_reason` or `error` is set, `response`
    is upstream's own object, and nothing more comes.
    """

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.response: dict[str, Any] = {}
        self.finish_reason: str | None = None
        self.error: dict[str, Any] | None = None
        self._calls: dict[int | str, _Call] = {}
        self._given: dict[Part, int] = {}  # characters
        self._citations = Citations()
        self._logprobs = Logprobs()

    def feed(self, type: str, data: bytes) -> list[Delta]:
        """The deltas that one event adds."""
        read = _READERS.get(type)
        if read is None or self.finish_reason or self.error:
            return []
        event = load_object(data)
        if not event:
            return []
        if type == "error" or (not type and child(event, "error")):
            self._fail("error", data)
            return []
        response = child(event, "response")
        self.response_id = text(response.get("id")) or self.response_id
        if type == "response.failed":
            self._fail(type, data)
            return []
        return read(self, event)

    def _fail(self, type: str, data: bytes) -> None:
        failure = event_failure(type, data, now=0)
        # A stream that broke off ends with an event of the gateway's own.
        told = child(child(load_object(data), "response"), "error").get("origin")
        is_requests = failure.origin == "client"
        by_origin = "invalid_request_error" if is_requests else "server_error"
        self.error = {
            "message": failure.message,
            "type": failure.type or by_origin,
            "code": failure.code or "server_error",
            "param": failure.param,
            "origin": told if told in get_args(Origin) else failure.origin,
        }

    def nothing(self, event: dict[str, Any]) -> list[Delta]:
        return []

    def text_delta(self, event: dict[str, Any]) -> list[Delta]:
        logprobs = self._logprobs.piece(_text_part(event), event.get("logprobs"))
        return self._add(event, "content", text(event.get("delta")), logprobs)

    def refusal_delta(self, event: dict[str, Any]) -> list[Delta]:
        return self._add(event, "refusal", text(event.get("delta")), [])

    def _add(
        self,
        event: dict[str, Any],
        kind: str,
        added: str | None,
        logprobs: list[dict[str, Any]],
    ) -> list[Delta]:
        part = (_place(event), _content_index(event), kind)
        told = {"logprobs": logprobs} if logprobs else {}
        if added is None or not self._has_room_for(part):
            return [told] if told else []
        self._given[part] = self._given.get(part, 0) + len(added)
        if kind == "content":
            self._citations.add_text(part, len(added))
        return [{kind: added, **told}]

    def text_done(self, event: dict[str, Any]) -> list[Delta]:
        return self._complete(event, "content", event.get("text"), event)

    def refusal_done(self, event: dict[str, Any]) -> list[Delta]:
        return self._complete(event, "refusal", event.get("refusal"), event)

    def part_done(self, event: dict[str, Any]) -> list[Delta]:
        return self._finish_part(event, event.get("part"))

    def _finish_part(self, event: dict[str, Any], part: Any) -> list[Delta]:
        if not isinstance(part, dict):
            return []
        if part.get("type") == "output_text":
            found = self._complete(event, "content", part.get("text"), part)
            self._citations.add_all(_text_part(event), part.get("annotations"))
            return found
        if part.get("type") == "refusal":
            return self._complete(event, "refusal", part.get("refusal"), part)
        return []

    def _complete(
        self, event: dict[str, Any], kind: str, whole: Any, told: dict[str, Any]
    ) -> list[Delta]:
        part = (_place(event), _content_index(event), kind)
        if not isinstance(whole, str):
            return []
        logprobs = self._logprobs.rest(part, told.get("logprobs"))
        rest = text(whole[self._given.get(part, 0) :])
        return self._add(event, kind, rest, logprobs)

    def annotation_added(self, event: dict[str, Any]) -> list[Delta]:
        index = event.get("annotation_index")
        self._citations.add(_text_part(event), index, event.get("annotation"))
        return []

    def item_added(self, event: dict[str, Any]) -> list[Delta]:
        item = child(event, "item")
        kind = _CALLS.get(str(item.get("type")))
        if kind is None or _place(event) in self._calls:
            return []
        return self._begin_call(event, item, kind)

    def item_done(self, event: dict[str, Any]) -> list[Delta]:
        item = child(event, "item")
        kind = _CALLS.get(str(item.get("type")))
        if kind is not None:
            begun = self.item_added(event)
            return begun + self._complete_call(event, item.get(kind.value))
        found: list[Delta] = []
        content = item.get("content")
        if item.get("type") == "message" and isinstance(content, list):
            for index, part in enumerate(content):
                found += self._finish_part({**event, "content_index": index}, part)
        return found

    def _begin_call(
        self, event: dict[str, Any], item: dict[str, Any], kind: _CallKind
    ) -> list[Delta]:
        if not self._has_room_for(_place(event)):
            return []
        call = self._calls[_place(event)] = _Call(kind, len(self._calls))
        named = {"name": text(item.get("name")) or "", kind.value: ""}
        id = text(item.get("call_id")) or text(item.get("id")) or f"call_{call.index}"
        return [_tool_call(call, named, id=id, type=kind.type)]

    def call_delta(self, event: dict[str, Any]) -> list[Delta]:
        # Without its beginning a call waits for the finished item, which has a name.
        call = self._calls.get(_place(event))
        added = text(event.get("delta"))
        if call is None or added is None:
            return []
        call.given += len(added)
        return [_tool_call(call, {call.kind.value: added})]

    def call_done(self, event: dict[str, Any]) -> list[Delta]:
        return self._complete_call(event, event.get("arguments", event.get("input")))

    def _complete_call(self, event: dict[str, Any], whole: Any) -> list[Delta]:
        call = self._calls.get(_place(event))
        if call is None or not isinstance(whole, str):
            return []
        return self.call_delta({**event, "delta": whole[call.given :]})

    def completed(self, event: dict[str, Any]) -> list[Delta]:
        found = self._end(event)
        self.finish_reason = "tool_calls" if self._calls else "stop"
        return found

    def incomplete(self, event: dict[str, Any]) -> list[Delta]:
        found = self._end(event)
        reason = child(self.response, "incomplete_details").get("reason")
        is_filtered = reason == "content_filter"
        self.finish_reason = "content_filter" if is_filtered else "length"
        return found

    def _end(self, event: dict[str, Any]) -> list[Delta]:
        self.response = child(event, "response")
        output = self.response.get("output")
        found: list[Delta] = []
        # The places in this list need not be those of the events before it.
        if not self._given and not self._calls and isinstance(output, list):
            for index, item in enumerate(output):
                found += self.item_done({"output_index": index, "item": item})
        citations = self._citations.told() or citations_in(output)
        # In one delta: clients add up lists of deltas by their indexes only.
        return [*found, {"annotations": citations}] if citations else found

    def _has_room_for(self, part: Any) -> bool:
        if part in self._given or part in self._calls:
            return True
        if len(self._given) + len(self._calls) < _MAX_PARTS:
            return True
        self._fail("error", b'{"message": "The answer has too many parts"}')
        return False


def _place(event: dict[str, Any]) -> int | str:
    """Which output item an event is about."""
    index = event.get("output_index")
    if isinstance(index, int):
        return index
    return text(event.get("item_id")) or text(child(event, "item").get("id")) or 0


def _content_index(event: dict[str, Any]) -> int:
    index = event.get("content_index")
    return index if isinstance(index, int) else 0


def _text_part(event: dict[str, Any]) -> Part:
    return _place(event), _content_index(event), "content"


def _tool_call(call: _Call, told: dict[str, str], **head: str) -> Delta:
    return {"tool_calls": [{"index": call.index, **head, call.kind.type: told}]}


_CALLS = {
    "function_call": _CallKind("function", "arguments"),
    "custom_tool_call": _CallKind("custom", "input"),
}

# By the type of a call in chat: the key of what it was called with.
CALL_VALUES = {kind.type: kind.value for kind in _CALLS.values()}

_READERS: dict[str, Callable[[ChatDeltas, dict[str, Any]], list[Delta]]] = {
    "": ChatDeltas.nothing,
    "error": ChatDeltas.nothing,
    "response.created": ChatDeltas.nothing,
    "response.failed": ChatDeltas.nothing,
    "response.output_text.delta": ChatDeltas.text_delta,
    "response.output_text.done": ChatDeltas.text_done,
    "response.refusal.delta": ChatDeltas.refusal_delta,
    "response.refusal.done": ChatDeltas.refusal_done,
    "response.output_text.annotation.added": ChatDeltas.annotation_added,
    "response.content_part.done": ChatDeltas.part_done,
    "response.output_item.added": ChatDeltas.item_added,
    "response.output_item.done": ChatDeltas.item_done,
    "response.function_call_arguments.delta": ChatDeltas.call_delta,
    "response.function_call_arguments.done": ChatDeltas.call_done,
    "response.custom_tool_call_input.delta": ChatDeltas.call_delta,
    "response.custom_tool_call_input.done": ChatDeltas.call_done,
    "response.completed": ChatDeltas.completed,
    "response.incomplete": ChatDeltas.incomplete,
}
