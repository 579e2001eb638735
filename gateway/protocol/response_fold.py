"""The events of a stream folded into the one Response object they describe."""

from typing import Any

from gateway.protocol.failures import event_failure
from gateway.protocol.lenient_json import child, load_object
from gateway.protocol.sse import EventTooLarge

# What one folded answer may hold in memory.
MAX_RESPONSE_BYTES = 64 * 1024 * 1024

_SNAPSHOTS = frozenset({"response.created", "response.in_progress", "response.queued"})
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


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


class ResponseTooLarge(EventTooLarge):
    """Upstream's answer, folded, would take more memory than one may have."""


class ResponseFold:
    """Collects what a client that does not stream gets.

    Some upstreams leave `output` empty in their last event: it is rebuilt from the
    finished items, in the order of their indexes.
    """

    def __init__(self, max_bytes: int = MAX_RESPONSE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._response: dict[str, Any] = {}
        self._items: dict[int, dict[str, Any]] = {}
        self._is_over = False

    def feed(self, event_type: str, data: bytes) -> None:
        """Raises ResponseTooLarge."""
        if self._is_over:
            return  # the first of two terminal events counts
        if event_type == "response.output_item.done":
            self._keep_item(data)
        elif event_type in _SNAPSHOTS or event_type in _ENDS:
            event = load_object(data)
            self._response = child(event, "response") or self._response
            self._is_over = event_type in _ENDS and bool(event)
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
        self._bytes += len(data)
        if self._bytes > self._max_bytes:
            raise ResponseTooLarge(f"response of more than {self._max_bytes} bytes")
        index = event.get("output_index")
        if not isinstance(index, int):
            index = max(self._items, default=-1) + 1
        self._items[index] = item

    def result(self) -> dict[str, Any]:
        """The Response object; without a terminal event it says "in_progress"."""
        response = {"object": "response", "status": "in_progress", **self._response}
        output = response.get("output")
        if not isinstance(output, list) or not output:
            response["output"] = [self._items[index] for index in sorted(self._items)]
        return response
