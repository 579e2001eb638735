"""What a client sends, as facts that a newer one may add to. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Ids, ports and versions differ from run to run.
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Lists whose entries are told apart by their type.
_TYPED = {"input": "item", "tools": "tool", "content": "part"}


def facts_of(method: str, path: str, headers: Mapping[str, str], body: Any) -> set[str]:
    """Of one request: its path, its headers' names, and what its body is made of."""
    where = _ID.sub("<id>", path.split("?", 1)[0])
    where = where.replace("/codex/v1/", "/codex/")
    is_turn = where.endswith("/responses")
    found = {f"path {method} {where}"}
    found |= {f"header {name.lower()}" for name in headers}
    metadata = headers.get("x-codex-turn-metadata", "")
    found |= set(_metadata(metadata))
    if isinstance(body, dict):
        kind = "turn" if is_turn else where.rsplit("/", 1)[-1]
        found |= set(_keys(kind, body))
        told = body.get("client_metadata")
        if isinstance(told, dict):
            found |= {f"client_metadata {name}" for name in told}
            found |= set(_metadata(told.get("x-codex-turn-metadata")))
    return found


def facts_of_frame(body: Any) -> set[str]:
    """Of one frame that a client sends on its socket."""
    if not isinstance(body, dict):
        return {"frame that is no object"}
    facts = facts_of("FRAME", "/responses", {}, body) - {"path FRAME /responses"}
    return facts | {f"frame {body.get('type')}"}


def facts_of_capture(path: Path) -> set[str]:
    """Of a file of `tests/captures`: one request, or one socket's events."""
    told = json.loads(path.read_text())
    if "events" not in told:
        method, where = told.get("method", "POST"), told["path"]
        return facts_of(method, where, told["headers"], told.get("body"))
    found: set[str] = set()
    for event in told["events"]:
        shaken = event.get("handshake_request")
        if shaken is not None:
            found |= facts_of("GET", shaken["path"], shaken["headers"], None)
        if "client_frame" in event:
            found |= facts_of_frame(event["client_frame"])
    return found


def _keys(kind: str, body: Mapping[str, Any]) -> Iterator[str]:
    for name, value in body.items():
        yield f"{kind} key {name}"
        if name in _TYPED and isinstance(value, list):
            yield from _entries(_TYPED[name], value)


def _entries(kind: str, entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        type = entry.get("type", "message")
        yield f"{kind} {type}"
        for name, value in entry.items():
            if kind == "item":
                yield f"item {type} key {name}"
            if name in _TYPED and isinstance(value, list):
                yield from _entries(_TYPED[name], value)


def _metadata(text: Any) -> Iterator[str]:
    try:
        told = json.loads(text or "{}")
    except (TypeError, ValueError):
        return
    if isinstance(told, dict):
        yield from (f"turn metadata {name}" for name in told)
