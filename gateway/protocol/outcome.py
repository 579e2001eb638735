"""What a response came to, read from its events: status, usage, ids, failure."""

import re
import time
from collections.abc import Callable
from typing import Any

from gateway.protocol.event_kinds import ResponseStatus, kind_of_event
from gateway.protocol.facts import WINDOW_NAMES, Failure, Usage, Window
from gateway.protocol.failures import event_failure
from gateway.protocol.lenient_json import child, load_object, text
from gateway.protocol.limit_windows import of_limit, window_of
from gateway.protocol.numbers import count

# The created event repeats instructions and tools: no need to parse it for its id.
_CREATED_ID = re.compile(
    rb'"response"\s{0,8}:\s{0,8}\{\s{0,8}"id"\s{0,8}:\s{0,8}"([\w-]{1,200})"'
)

# Bytes of an event around its data, at most: its name twice.
_EVENT_OVERHEAD = 64


class OutcomeReader:
    """Events in, facts out; what does not fit is passed over, nothing raises.

    Only the first terminal event counts. `clock` (unix seconds) turns the relative
    times of failures into absolute ones.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.status: ResponseStatus = ""
        self.response_id: str | None = None
        self.usage: Usage | None = None
        self.service_tier: str | None = None
        self.model: str | None = None
        self.failure: Failure | None = None
        self.windows: tuple[Window, ...] = ()
        self.plan_type: str | None = None
        self.turn_state: str | None = None
        self.output_started = False
        # Of events that repeat the request or the answer and write nothing new.
        self.other_bytes = 0

    @property
    def is_terminal(self) -> bool:
        return self.status != ""

    def feed(self, type: str, data: bytes) -> None:
        """Read one event: its JSON "type", "" without one, and its data."""
        kind = kind_of_event(type)
        if kind.ends_as:
            self._end(type, kind.ends_as, data)
        elif type == "response.created":
            self._begin(data)
        elif type == "response.metadata":
            self._read_metadata(data)
        elif type == "codex.rate_limits":
            self._read_rate_limits(data)
        elif type and not self.output_started:
            self.output_started = type.startswith("response.") and not kind.is_held
        if kind.ends_as or not self.output_started:
            self.other_bytes += len(data) + _EVENT_OVERHEAD

    def _begin(self, data: bytes) -> None:
        found = _CREATED_ID.search(data, 0, 400)
        if found is not None:
            self.response_id = found[1].decode()
        else:
            self.response_id = text(child(load_object(data), "response").get("id"))

    def _end(self, type: str, status: ResponseStatus, data: bytes) -> None:
        event = load_object(data)
        if self.status or not event:
            return
        self.status = status
        response = child(event, "response")
        self.response_id = text(response.get("id")) or self.response_id
        self.service_tier = text(response.get("service_tier"))
        self.model = text(response.get("model"))
        self.usage = read_usage(response.get("usage"))
        if self.status in ("failed", "error"):
            self.failure = event_failure(type, data, self._clock())

    def _read_metadata(self, data: bytes) -> None:
        event = load_object(data)
        for holder in (event, child(event, "response")):
            for name, value in child(holder, "headers").items():
                if name.lower() == "x-codex-turn-state":
                    first = value[0] if isinstance(value, list) and value else value
                    self.turn_state = text(first) or self.turn_state

    def _read_rate_limits(self, data: bytes) -> None:
        event = load_object(data)
        self.plan_type = text(event.get("plan_type")) or self.plan_type
        limits = child(event, "rate_limits")
        found = []
        for name in WINDOW_NAMES:
            told = child(limits, name)
            window = window_of(
                name,
                told.get("used_percent"),
                told.get("window_minutes"),
                told.get("reset_at", told.get("resets_at")),
                self._clock(),
            )
            limit = text(event.get("metered_limit_name"))
            if limit is not None and limit.lower() != "codex":
                window = of_limit(window, limit, text(event.get("limit_name")))
            if window is not None:
                found.append(window)
        self.windows = tuple(found) or self.windows


def read_usage(value: Any) -> Usage | None:
    """A response's "usage" object; None when there is none.

    Embeddings count their input as `prompt_tokens`.
    """
    if not isinstance(value, dict):
        return None
    inputs = child(value, "input_tokens_details")
    written = (
        inputs.get("cache_write_tokens")
        or inputs.get("cache_creation_tokens")
        or inputs.get("cache_creation_input_tokens")
    )
    return Usage(
        input_tokens=count(value.get("input_tokens", value.get("prompt_tokens"))),
        cached_tokens=count(inputs.get("cached_tokens")),
        cache_write_tokens=count(written),
        output_tokens=count(value.get("output_tokens")),
        reasoning_tokens=count(
            child(value, "output_tokens_details").get("reasoning_tokens")
        ),
    )
