"""A response's events as a chat completion, whole or in chunks."""

from typing import Any

import orjson

from gateway.protocol.chat.deltas import ChatDeltas, Delta
from gateway.protocol.outcome import read_usage
from gateway.protocol.response_fold import MAX_RESPONSE_BYTES, ResponseTooLarge

_DONE = b"data: [DONE]\n\n"
# The SDK's type lists these and no others.
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority"})


class ChatStream:
    """Chat completion chunks as server-sent events, one feed per upstream event.

    Every chunk has the response's own id. A failure is a chunk with `error`; the
    end is `[DONE]` either way, and what is fed after it gives nothing.
    """

    def __init__(self, model: str, include_usage: bool, created: int) -> None:
        self._answer = ChatDeltas()
        self._model = model
        self._include_usage = include_usage
        self._created = created  # unix seconds
        self._has_role = False
        self._is_over = False

    def feed(self, type: str, data: bytes) -> bytes:
        """The bytes for the client; empty for most of what is no output."""
        if self._is_over:
            return b""
        answer = self._answer
        chunks = [self._choice(delta, None) for delta in answer.feed(type, data)]
        if answer.error is not None:
            self._is_over = True
            chunks += [_event({"error": answer.error}), _DONE]
        elif answer.finish_reason is not None:
            self._is_over = True
            chunks.append(self._choice({}, answer.finish_reason))
            usage = _usage(answer.response)
            if self._include_usage and usage is not None:
                chunks.append(self._chunk([], usage))
            chunks.append(_DONE)
        return b"".join(chunks)

    def _choice(self, delta: Delta, finish_reason: str | None) -> bytes:
        if not self._has_role:
            self._has_role = True
            delta = {"role": "assistant", **delta}
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
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
        self, model: str, created: int, max_bytes: int = MAX_RESPONSE_BYTES
    ) -> None:
        self._answer = ChatDeltas()
        self._model = model
        self._created = created  # unix seconds
        self._max_bytes = max_bytes
        self._bytes = 0
        self._texts: dict[str, list[str]] = {"content": [], "refusal": []}
        self._calls: list[tuple[dict[str, Any], list[str]]] = []

    def feed(self, type: str, data: bytes) -> None:
        """Raises ResponseTooLarge."""
        for delta in self._answer.feed(type, data):
            self._bytes += len(data)
            if self._bytes > self._max_bytes:
                raise ResponseTooLarge(f"answer of more than {self._max_bytes} bytes")
            for kind, parts in self._texts.items():
                if kind in delta:
                    parts.append(delta[kind])
            for call in delta.get("tool_calls", ()):
                if "id" in call:
                    self._calls.append((call, []))
                self._calls[call["index"]][1].append(call["function"]["arguments"])

    def result(self) -> dict[str, Any]:
        """The chat.completion; `{"error": …}` when the response failed.

        Without a terminal event its `finish_reason` is None.
        """
        if self._answer.error is not None:
            return {"error": self._answer.error}
        refusal = "".join(self._texts["refusal"]) or None
        nothing = None if refusal or self._calls else ""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self._texts["content"]) or nothing,
            "refusal": refusal,
        }
        if self._calls:
            message["tool_calls"] = [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {
                        "name": call["function"]["name"],
                        "arguments": "".join(arguments),
                    },
                }
                for call, arguments in self._calls
            ]
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self._answer.finish_reason,
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
