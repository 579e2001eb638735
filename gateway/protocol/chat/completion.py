"""A response's events as a chat completion, whole or in chunks."""

from collections.abc import Callable
from typing import Any

import orjson

from gateway.protocol.chat.deltas import CALL_VALUES, ChatDeltas, Delta
from gateway.protocol.outcome import read_usage

_DONE = b"data: [DONE]\n\n"
# The SDK's type lists these and no others.
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority"})


class ChatStream:
    """Chat completion chunks as server-sent events, one feed per upstream event.

    Every chunk has the response's own id. A failure is a chunk with `error`; the
    end is `[DONE]` either way, and what is fed after it gives nothing.
    `uses_functions`: a call is told as `function_call`, as before there were tools.
    """

    def __init__(
        self,
        model: str,
        created: int,
        *,
        include_usage: bool = False,
        uses_functions: bool = False,
    ) -> None:
        self._answer = ChatDeltas()
        self._model = model
        self._include_usage = include_usage
        self._uses_functions = uses_functions
        self._created = created  # unix seconds
        self._has_role = False
        self._is_over = False

    def feed(self, type: str, data: bytes) -> bytes:
        """The bytes for the client; empty for most of what is no output."""
        if self._is_over:
            return b""
        answer = self._answer
        deltas = answer.feed(type, data)
        if self._uses_functions:
            deltas = [told for told in map(_as_function_call, deltas) if told]
        chunks = [self._choice(delta, None) for delta in deltas]
        if answer.error is not None:
            self._is_over = True
            chunks += [_event({"error": answer.error}), _DONE]
        elif answer.finish_reason is not None:
            self._is_over = True
            reason = answer.finish_reason
            chunks.append(self._choice({}, _reason(reason, self._uses_functions)))
            usage = _usage(answer.response)
            if self._include_usage and usage is not None:
                chunks.append(self._chunk([], usage))
            chunks.append(_DONE)
        return b"".join(chunks)

    def _choice(self, delta: Delta, finish_reason: str | None) -> bytes:
        first = {} if self._has_role else {"role": "assistant"}
        self._has_role = True
        delta = {**first, **delta}
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": _logprobs(delta.pop("logprobs", None)),
            "finish_reason": finish_reason,
        }
        return self._chunk([choice], None)

    def _chunk(
        self, choices: list[dict[str, Any]], usage: dict[str, Any] | None
    ) -> bytes:
        chunk: dict[str, Any] = {
            "id": self._answer.response_id or f"chatcmpl-{self._created}",
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
            **_tier(self._answer.response),
        }
        if self._include_usage:
            chunk["usage"] = usage
        return _event(chunk)


class ChatFold:
    """One chat completion for a client that does not stream."""

    def __init__(
        self,
        model: str,
        created: int,
        *,
        uses_functions: bool = False,
        take: Callable[[int], None],
    ) -> None:
        """`take` is asked for the memory of what is kept; what it raises ends it."""
        self._answer = ChatDeltas()
        self._model = model
        self._uses_functions = uses_functions
        self._created = created  # unix seconds
        self._take = take
        self._texts: dict[str, list[str]] = {"content": [], "refusal": []}
        self._annotations: list[dict[str, Any]] = []
        self._logprobs: list[dict[str, Any]] = []
        self._calls: list[tuple[dict[str, Any], list[str]]] = []

    def feed(self, type: str, data: bytes) -> None:
        """Raises what `take` does."""
        for delta in self._answer.feed(type, data):
            self._take(len(data))
            for kind, parts in self._texts.items():
                if kind in delta:
                    parts.append(delta[kind])
            self._annotations += delta.get("annotations", ())
            self._logprobs += delta.get("logprobs", ())
            for call in delta.get("tool_calls", ()):
                self._add_call(call)

    def _add_call(self, call: dict[str, Any]) -> None:
        if "id" in call:
            self._calls.append((call, []))
        begun, values = self._calls[call["index"]]
        values.append(call[begun["type"]][CALL_VALUES[begun["type"]]])

    def result(self) -> dict[str, Any]:
        """The chat.completion; `{"error": …}` when the response failed.

        Without a terminal event its `finish_reason` is None.
        """
        if self._answer.error is not None:
            return {"error": self._answer.error}
        choice = {
            "index": 0,
            "message": self._message(),
            "logprobs": _logprobs(self._logprobs),
            "finish_reason": _reason(self._answer.finish_reason, self._uses_functions),
        }
        completion = {
            "id": self._answer.response_id or f"chatcmpl-{self._created}",
            "object": "chat.completion",
            "created": self._created,
            "model": self._model,
            "choices": [choice],
            **_tier(self._answer.response),
        }
        usage = _usage(self._answer.response)
        return completion if usage is None else {**completion, "usage": usage}

    def _message(self) -> dict[str, Any]:
        refusal = "".join(self._texts["refusal"]) or None
        nothing = None if refusal or self._calls else ""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self._texts["content"]) or nothing,
            "refusal": refusal,
        }
        if self._annotations:
            message["annotations"] = self._annotations
        calls = [_whole_call(call, "".join(values)) for call, values in self._calls]
        if calls and self._uses_functions:
            message["function_call"] = calls[0].get("function")
        elif calls:
            message["tool_calls"] = calls
        return message


def _logprobs(tokens: list[dict[str, Any]] | None) -> dict[str, Any] | None:
    return {"content": tokens, "refusal": None} if tokens else None


def _whole_call(call: dict[str, Any], value: str) -> dict[str, Any]:
    kind = call["type"]
    called = {"name": call[kind]["name"], CALL_VALUES[kind]: value}
    return {"id": call["id"], "type": kind, kind: called}


def _as_function_call(delta: Delta) -> Delta | None:
    """The delta as before there were tools: there is room for the first call only."""
    if "tool_calls" not in delta:
        return delta
    (call,) = delta["tool_calls"]
    is_told = call["index"] == 0 and "function" in call
    return {"function_call": call["function"]} if is_told else None


def _reason(finish_reason: str | None, uses_functions: bool) -> str | None:
    if uses_functions and finish_reason == "tool_calls":
        return "function_call"
    return finish_reason


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _tier(response: dict[str, Any]) -> dict[str, str]:
    tier = response.get("service_tier")
    return {"service_tier": tier} if isinstance(tier, str) and tier in _TIERS else {}


def _usage(response: dict[str, Any]) -> dict[str, Any] | None:
    usage = read_usage(response.get("usage"))
    if usage is None:
        return None
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
