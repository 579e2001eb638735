"""The events of a stream folded into the one Response object they describe."""

import time
from collections.abc import Callable
from typing import Any

import orjson

from gateway.protocol.event_kinds import kind_of_event
from gateway.protocol.facts import Failure
from gateway.protocol.failures import event_failure
from gateway.protocol.lenient_json import child, dump, load_object, text


class NotOneCompaction(ValueError):
    """A response that was to compact a history holds no such item, or several."""


def compaction_of(response: dict[str, Any], history: list[Any]) -> dict[str, Any]:
    """The `response.compaction` that a compacting turn's response stands for.

    Its output is what the user said in `history`, unchanged, then the one compaction
    item. Raises NotOneCompaction.
    """
    made = [item for item in response["output"] if _type_of(item) == "compaction"]
    if len(made) != 1:
        found = f"{len(made)} compaction items" if made else "no compaction item"
        raise NotOneCompaction(f"The upstream answered a compaction with {found}")
    told = {name: response.get(name) for name in ("id", "created_at", "usage")}
    return {
        "object": "response.compaction",
        **{name: value for name, value in told.items() if value is not None},
        "output": [*filter(_is_of_user, history), *made],
    }


def _is_of_user(item: Any) -> bool:
    is_message = _type_of(item) in (None, "message")
    return is_message and isinstance(item, dict) and item.get("role") == "user"


def _type_of(item: Any) -> Any:
    return item.get("type") if isinstance(item, dict) else None


class ResponseFold:
    """Collects what a client that does not stream gets.

    Some upstreams leave `output` empty in their last event: it is rebuilt from the
    finished items, in the order of their indexes, and where those are not told,
    either, from the deltas of texts and calls.
    """

    def __init__(self, take: Callable[[int], None]) -> None:
        """`take` is asked for the memory of what is kept; what it raises ends it."""
        self._take = take
        self._told_bytes = 0  # of the response, when it was largest
        self._response: dict[str, Any] = {}
        self._items: dict[int, dict[str, Any]] = {}
        self._drafts: dict[int | str, _Draft] = {}
        self._is_over = False

    def feed(self, event_type: str, data: bytes) -> None:
        """Raises what `take` does."""
        if self._is_over:
            return  # the first of two terminal events counts
        kind = kind_of_event(event_type)
        if event_type == "response.output_item.done":
            self._keep_item(data)
        elif event_type in _TOLD:
            self._draft(event_type, data)
        elif kind.has_response:
            event = load_object(data)
            self._take(max(0, len(data) - self._told_bytes))
            self._told_bytes = max(len(data), self._told_bytes)
            self._response = child(event, "response") or self._response
            self._is_over = bool(kind.ends_as) and bool(event)
        elif event_type == "error" and load_object(data):
            failure = event_failure(event_type, data, now=0)
            error = {"code": failure.code, "message": failure.message}
            self._response = {**self._response, "status": "failed", "error": error}
            self._is_over = True

    def _keep_item(self, data: bytes) -> None:
        event = load_object(data)
        item = child(event, "item")
        if not item:
            return
        self._take(len(data))
        index = event.get("output_index")
        if not isinstance(index, int):
            index = max(self._items, default=-1) + 1
        self._items[index] = item
        for place in (index, text(item.get("id")) or index):
            self._drafts.pop(place, None)

    def _draft(self, event_type: str, data: bytes) -> None:
        event = load_object(data)
        index = event.get("output_index")
        place = index if isinstance(index, int) else text(event.get("item_id")) or 0
        if place in self._items:
            return
        draft = self._drafts.get(place)
        if draft is None:
            draft = self._drafts[place] = _Draft()
            self._take(_DRAFT_BYTES)
        self._take(draft.add(event_type, event) or len(data))

    def result(self) -> dict[str, Any]:
        """The Response object; without a terminal event it says "in_progress"."""
        response = {"object": "response", "status": "in_progress", **self._response}
        output = response.get("output")
        if not isinstance(output, list) or not output:
            items: dict[int | str, dict[str, Any] | None] = dict(self._items.items())
            is_whole = response["status"] == "completed"
            status = "completed" if is_whole else "incomplete"
            items.update((at, draft.item(status)) for at, draft in self._drafts.items())
            order = sorted(items, key=lambda place: (isinstance(place, str), place))
            response["output"] = [items[place] for place in order if items[place]]
        return response


# Of memory, beside the texts themselves.
_DRAFT_BYTES = 1024
_PIECE_BYTES = 64

# What tells of an item before it is finished: what the event brings (a new item, a
# piece of text, all of it), the part it belongs to, and where in the event it stands.
_TOLD = {
    "response.output_item.added": ("item", "", "item"),
    "response.content_part.done": ("part", "", "part"),
    "response.output_text.delta": ("piece", "text", "delta"),
    "response.output_text.done": ("whole", "text", "text"),
    "response.refusal.delta": ("piece", "refusal", "delta"),
    "response.refusal.done": ("whole", "refusal", "refusal"),
    "response.function_call_arguments.delta": ("piece", "arguments", "delta"),
    "response.function_call_arguments.done": ("whole", "arguments", "arguments"),
    "response.custom_tool_call_input.delta": ("piece", "input", "delta"),
    "response.custom_tool_call_input.done": ("whole", "input", "input"),
}
_EMPTY_PARTS: dict[str, dict[str, Any]] = {
    "text": {"type": "output_text", "annotations": []},
    "refusal": {"type": "refusal"},
}
_CALL_VALUES = {"function_call": "arguments", "custom_tool_call": "input"}


class _Draft:
    """An item as far as its deltas tell it: a message, or a call that has begun."""

    def __init__(self) -> None:
        self._begun: dict[str, Any] = {}
        self._id: str | None = None
        self._texts: dict[tuple[int, str], list[str]] = {}
        self._parts: dict[int, dict[str, Any]] = {}

    def add(self, event_type: str, event: dict[str, Any]) -> int:
        """Take in one event; the memory that its text takes, 0 where it has none."""
        what, kind, key = _TOLD[event_type]
        self._id = text(event.get("item_id")) or self._id
        index = event.get("content_index")
        at = index if isinstance(index, int) else 0
        value = event.get(key)
        if what == "item" and isinstance(value, dict):
            self._begun = value
        elif what == "part" and isinstance(value, dict):
            self._parts[at] = value
        elif isinstance(value, str) and kind:
            pieces = self._texts.setdefault((at, kind), [])
            if what == "whole":
                pieces.clear()
            pieces.append(value)
            return len(value) + _PIECE_BYTES
        return 0

    def item(self, status: str) -> dict[str, Any] | None:
        """The item, None when nothing was told that could be one."""
        begun = {**self._begun, "status": status}
        value = _CALL_VALUES.get(str(begun.get("type")))
        if value is not None:
            told = "".join(self._texts.get((0, value), ()))
            return {**begun, value: told or begun.get(value)}
        parts = {
            at: {**_EMPTY_PARTS[kind], kind: "".join(pieces)}
            for (at, kind), pieces in self._texts.items()
            if kind in _EMPTY_PARTS
        } | self._parts
        if not parts:
            return None
        content = [parts[at] for at in sorted(parts)]
        message = {"id": self._id, "type": "message", "role": "assistant"}
        return {**message, **begun, "content": content}


def events_of(response: dict[str, Any]) -> list[tuple[str, bytes]]:
    """The events that a finished response, or an error, stands for; else none."""
    status = response.get("status", "completed")
    output = response.get("output")
    if output is None and child(response, "error"):
        return [("error", dump(response) or b"{}")]
    is_end = kind_of_event(f"response.{status}").ends_as
    if not is_end or not isinstance(output, list):
        return []
    begun = {**response, "status": "in_progress", "output": []}
    told = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(output):
        place = {"output_index": index, "item": item}
        told.append({"type": "response.output_item.added", **place})
        told.append({"type": "response.output_item.done", **place})
    told.append({"type": f"response.{status}", "response": response})
    return [(str(event["type"]), dump(event) or b"{}") for event in told]


def event_of_model(event_type: str, data: bytes, model: str) -> bytes:
    """The event with another name of the model in its response, where it has one."""
    if not kind_of_event(event_type).has_response:
        return data
    event = load_object(data)
    response = child(event, "response")
    if "model" not in response:
        return data
    return dump({**event, "response": {**response, "model": model}}) or data


def failed_response(
    failure: Failure, response_id: str | None, model: str | None
) -> bytes:
    """The data of a `response.failed` of our own, for a stream that broke off."""
    response = {
        "id": response_id or "resp_unknown",
        "object": "response",
        "created_at": int(time.time()),
        "status": "failed",
        "model": model,
        "output": [],
        "error": {
            "code": failure.code or "stream_incomplete",
            "message": failure.message,
            "type": failure.type or "server_error",
            "origin": failure.origin,
        },
        "incomplete_details": None,
    }
    return orjson.dumps({"type": "response.failed", "response": response})
