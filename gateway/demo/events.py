"""Builds the events of one response, in the order upstream sends them."""

import itertools
import json
import re
import time
from typing import Any

from gateway.demo.answers import JsonObject, ScriptedResponse

_ids = itertools.count(1)


def new_id(prefix: str) -> str:
    """Unique in this process; a counter keeps runs comparable."""
    return f"{prefix}_demo{next(_ids):08d}"


def usage(
    input_tokens: int = 100, output_tokens: int = 20, cached_tokens: int = 40
) -> JsonObject:
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": cached_tokens},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": min(5, output_tokens)},
        "total_tokens": input_tokens + output_tokens,
    }


class ScriptedTurn:
    """A growing list of events; every method adds some and returns the turn.

    `Turn("gpt-5.5").text("hello").completed().events` is a whole response.
    """

    def __init__(self, model: str = "gpt-5.5", response_id: str | None = None) -> None:
        self.id = response_id or new_id("resp")
        self.output: list[JsonObject] = []
        self.events: list[JsonObject] = []
        self._response = {
            "id": self.id,
            "object": "response",
            "created_at": int(time.time()),
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "model": model,
            "output": [],
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
        }
        self._add("response.created", response=self._snapshot())
        self._add("response.in_progress", response=self._snapshot())

    def event(self, event: JsonObject) -> "ScriptedTurn":
        """Any event, as given: `codex.rate_limits`, `response.metadata`, unknown."""
        self.events.append(event)
        return self

    def text(self, text: str) -> "ScriptedTurn":
        """An assistant message, a delta for each word."""
        place = self._open_message()
        self._part_added(place, {"type": "output_text", "text": "", "annotations": []})
        for delta in re.findall(r"\s*\S+|\s+$", text):
            self._add("response.output_text.delta", **place, delta=delta, logprobs=[])
        self._add("response.output_text.done", **place, text=text, logprobs=[])
        return self._close_message(
            place, {"type": "output_text", "text": text, "annotations": []}
        )

    def refusal(self, text: str) -> "ScriptedTurn":
        place = self._open_message()
        self._part_added(place, {"type": "refusal", "refusal": ""})
        for delta in re.findall(r"\s*\S+|\s+$", text):
            self._add("response.refusal.delta", **place, delta=delta)
        self._add("response.refusal.done", **place, refusal=text)
        return self._close_message(place, {"type": "refusal", "refusal": text})

    def reasoning(self, summary: str, encrypted_content: str) -> "ScriptedTurn":
        item = {"id": new_id("rs"), "type": "reasoning", "summary": []}
        place = {"item_id": item["id"], "output_index": len(self.output)}
        self._added(item)
        part = {"type": "summary_text", "text": summary}
        index = {"summary_index": 0}
        self._add(
            "response.reasoning_summary_part.added",
            **place,
            **index,
            part={"type": "summary_text", "text": ""},
        )
        self._add(
            "response.reasoning_summary_text.delta", **place, **index, delta=summary
        )
        self._add(
            "response.reasoning_summary_text.done", **place, **index, text=summary
        )
        self._add("response.reasoning_summary_part.done", **place, **index, part=part)
        return self._done(
            {**item, "summary": [part], "encrypted_content": encrypted_content}
        )

    def function_call(
        self, name: str, arguments: JsonObject, namespace: str | None = None
    ) -> "ScriptedTurn":
        text = json.dumps(arguments)
        item: JsonObject = {
            "id": new_id("fc"),
            "type": "function_call",
            "status": "in_progress",
            "name": name,
            "arguments": "",
            "call_id": new_id("call"),
        }
        if namespace is not None:
            item["namespace"] = namespace
        place = {"item_id": item["id"], "output_index": len(self.output)}
        self._added(item)
        middle = len(text) // 2
        for delta in (text[:middle], text[middle:]):
            self._add("response.function_call_arguments.delta", **place, delta=delta)
        self._add("response.function_call_arguments.done", **place, arguments=text)
        return self._done({**item, "status": "completed", "arguments": text})

    def custom_call(self, name: str, text: str) -> "ScriptedTurn":
        item = {
            "id": new_id("ctc"),
            "type": "custom_tool_call",
            "status": "in_progress",
            "name": name,
            "input": "",
            "call_id": new_id("call"),
        }
        place = {"item_id": item["id"], "output_index": len(self.output)}
        self._added(item)
        self._add("response.custom_tool_call_input.delta", **place, delta=text)
        self._add("response.custom_tool_call_input.done", **place, input=text)
        return self._done({**item, "status": "completed", "input": text})

    def compaction(self, encrypted_content: str) -> "ScriptedTurn":
        item = {
            "id": new_id("cmp"),
            "type": "compaction",
            "encrypted_content": encrypted_content,
        }
        self._added(item)
        return self._done(item)

    def completed(
        self, used: JsonObject | None = None, *, output_in_terminal: bool = True
    ) -> "ScriptedTurn":
        """The usual end. The real backend may leave `output` of it empty."""
        output = self.output if output_in_terminal else []
        return self._terminal("completed", output=output, usage=used or usage())

    def incomplete(self, reason: str = "max_output_tokens") -> "ScriptedTurn":
        details = {"reason": reason}
        return self._terminal(
            "incomplete", output=self.output, usage=usage(), incomplete_details=details
        )

    def failed(self, code: str, message: str, **more: Any) -> "ScriptedTurn":
        return self._terminal(
            "failed", error={"code": code, "message": message, **more}, usage=None
        )

    def answer(self, **fields: Any) -> ScriptedResponse:
        return ScriptedResponse.of(self.events, **fields)

    def _add(self, kind: str, **fields: Any) -> None:
        number = len(self.events)
        self.events.append({"type": kind, "sequence_number": number, **fields})

    def _snapshot(self, **changes: Any) -> JsonObject:
        return {**self._response, **changes}

    def _added(self, item: JsonObject) -> None:
        index = len(self.output)
        self._add("response.output_item.added", output_index=index, item=item)

    def _done(self, item: JsonObject) -> "ScriptedTurn":
        index = len(self.output)
        self._add("response.output_item.done", output_index=index, item=item)
        self.output.append(item)
        return self

    def _open_message(self) -> JsonObject:
        item_id = new_id("msg")
        self._added(
            {
                "id": item_id,
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            }
        )
        return {
            "item_id": item_id,
            "output_index": len(self.output),
            "content_index": 0,
        }

    def _part_added(self, place: JsonObject, part: JsonObject) -> None:
        self._add("response.content_part.added", **place, part=part)

    def _close_message(self, place: JsonObject, part: JsonObject) -> "ScriptedTurn":
        self._add("response.content_part.done", **place, part=part)
        return self._done(
            {
                "id": place["item_id"],
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [part],
            }
        )

    def _terminal(self, status: str, **changes: Any) -> "ScriptedTurn":
        self._add(
            f"response.{status}", response=self._snapshot(status=status, **changes)
        )
        return self


def rate_limits(
    primary_percent: float, secondary_percent: float, plan: str = "plus"
) -> JsonObject:
    """The event in which upstream tells an account's windows on a socket."""
    now = int(time.time())
    return {
        "type": "codex.rate_limits",
        "plan_type": plan,
        "rate_limits": {
            "allowed": True,
            "limit_reached": False,
            "primary": _window(primary_percent, 300, now),
            "secondary": _window(secondary_percent, 10080, now),
        },
        "code_review_rate_limits": None,
        "credits": {"has_credits": False, "unlimited": False, "balance": None},
        "promo": None,
    }


def _window(used_percent: float, minutes: int, now: int) -> JsonObject:
    return {
        "used_percent": used_percent,
        "window_minutes": minutes,
        "reset_after_seconds": minutes * 30,
        "reset_at": now + minutes * 30,
    }
