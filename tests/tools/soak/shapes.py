"""Requests as the Codex client writes them, made from what it really sent."""

import functools
import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path

CAPTURES = Path(__file__).parents[2] / "captures"
# A model with tools at the top level, and one that has them inside the input.
HTTP = ("http_turn1_gpt-5.5_apikey", "http_turn1_gpt-6.1-sol_lite_apikey")
LOCAL_COMPACTION = "compact_local_http_gpt-5.5"
# The client's library sets these, and they say who the client is.
NOT_KEPT = {"host", "content-length", "content-encoding", "authorization"}
SHORTENED = re.compile(r"…\[(\d+) chars\]$")


@dataclass(frozen=True, slots=True)
class Shape:
    """What one thread sends with every request."""

    thread: str
    headers: dict
    fields: dict  # all of the payload but its input
    base: list  # the items every history begins with

    def payload(self, items, **more):
        return {**self.fields, "input": items, **more}


def new_thread(rng):
    """A shape whose ids are its own: the capture's, replaced wherever they stand."""
    text = _capture(rng.choice(HTTP))
    thread = str(uuid.uuid4())
    captured = json.loads(text)
    made = json.loads(text.replace(captured["headers"]["thread-id"], thread))
    headers = {k: v for k, v in made["headers"].items() if k not in NOT_KEPT}
    fields = {k: v for k, v in made["body"].items() if k != "input"}
    return Shape(thread, headers, fields, made["body"]["input"][:-1])


def checkpoint():
    """The user message by which a client asks the model for a summary."""
    return json.loads(_capture(LOCAL_COMPACTION))["body"]["input"][-1]


@functools.cache
def _capture(name):
    """A capture's text, its long texts as long as they were."""
    captured = json.loads((CAPTURES / f"{name}.json").read_text())
    return json.dumps(lengthened(captured), ensure_ascii=False)


def lengthened(value):
    if isinstance(value, dict):
        return {name: lengthened(one) for name, one in value.items()}
    if isinstance(value, list):
        return [lengthened(one) for one in value]
    found = SHORTENED.search(value) if isinstance(value, str) else None
    if found is None:
        return value
    start = value[: found.start()]
    missing = max(0, int(found[1]) - len(start))
    return start + (start * (missing // max(1, len(start)) + 1))[:missing]
