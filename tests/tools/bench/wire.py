"""The bytes both ends send, computed once, so that sending them costs nothing."""

import functools
import json
from typing import Any

PLAN_HEADER = "x-codex-bench"  # `x-codex-*` passes every gateway on the way
FIRST_OUTPUT = b'"response.output_item.added"'  # the first event past the commit point
LAST_EVENT = b'"response.completed"'
HEAD_EVENTS, TAIL_EVENTS = 4, 4  # of one turn, around its deltas

_MESSAGE = "msg_0a1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef"
_RESPONSE: dict[str, Any] = {
    "id": "resp_0a1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef",
    "object": "response",
    "created_at": 1790000000,
    "model": "gpt-5.5",
    "output": [],
    "store": False,
    "service_tier": "default",
}
_ITEM = {"id": _MESSAGE, "type": "message", "role": "assistant", "content": []}
_USAGE = {
    "input_tokens": 1200,
    "input_tokens_details": {"cached_tokens": 1024},
    "output_tokens": 46,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 1246,
}


def _event(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, **fields}, separators=(",", ":")).encode()


def _part(kind: str, **fields: Any) -> bytes:
    place = {"item_id": _MESSAGE, "output_index": 0, "content_index": 0}
    return _event(kind, **place, **fields, sequence_number=7)


HEAD = [
    _event("response.created", response={**_RESPONSE, "status": "in_progress"}),
    _event("response.in_progress", response={**_RESPONSE, "status": "in_progress"}),
    _event("response.output_item.added", output_index=0, item=_ITEM),
    _part("response.content_part.added", part={"type": "output_text", "text": ""}),
]
DELTA = _part(
    "response.output_text.delta",
    delta=" benchmark",
    logprobs=[],
    obfuscation="k3Jd9fQx2",
)
TAIL = [
    _part("response.output_text.done", text=" benchmark" * 46),
    _part("response.content_part.done", part={"type": "output_text", "text": "ok"}),
    _event("response.output_item.done", output_index=0, item=_ITEM),
    _event(
        "response.completed",
        response={**_RESPONSE, "status": "completed", "usage": _USAGE},
    ),
]


def sse_chunk(data: bytes) -> bytes:
    """One event as one chunk of a chunked body, as servers flush them."""
    kind = json.loads(data)["type"].encode()
    block = b"event: " + kind + b"\ndata: " + data + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(block), block)


def frame(payload: bytes, *, masked: bool) -> bytes:
    """One text frame; the mask is zero, which leaves the payload as it is."""
    bit = 0x80 if masked else 0
    mask = b"\0\0\0\0" if masked else b""
    if len(payload) < 126:
        head = bytes((0x81, bit | len(payload)))
    elif len(payload) < 0x10000:
        head = bytes((0x81, bit | 126)) + len(payload).to_bytes(2, "big")
    else:
        head = bytes((0x81, bit | 127)) + len(payload).to_bytes(8, "big")
    return head + mask + payload


def next_frame(data: bytes | bytearray, at: int) -> tuple[int, int, int] | None:
    """(opcode, payload start, payload end) of the frame at `at`, None if cut.

    Only good for frames whose mask is zero, which all of ours are, and for
    telling frames apart.
    """
    if len(data) < at + 2:
        return None
    size, start = data[at + 1] & 0x7F, at + 2
    if size == 126:
        size, start = int.from_bytes(data[start : start + 2], "big"), start + 2
    elif size == 127:
        size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
    if data[at + 1] & 0x80:
        start += 4
    if len(data) < start + size:  # covers a cut length too: start is beyond then
        return None
    return data[at] & 0x0F, start, start + size


def plan(*, deltas: int = 46, pace: float = 0.0, flood: int = 0) -> str:
    """What the upstream shall do with a request: `pace` seconds between deltas.

    `flood` sends that many bytes of deltas as fast as they are taken.
    """
    return f"{deltas} {pace} {flood}"


@functools.cache
def request_body(size: int = 0) -> bytes:
    """A request as the Codex client writes it, history up to `size` bytes."""
    text = "List the files of this folder, then say which one is the largest. "
    items: list[dict[str, Any]] = [
        _input("developer", "You are a coding agent. " + text * 8),
        _input("user", text),
    ]
    written = 2000
    while written < size:
        call = f"call_{len(items):08d}"
        arguments = json.dumps({"cmd": "sed -n '1,200p' src/main.py", "n": len(items)})
        output = f"line {len(items)}: def main(): return 0  # \u00e9t\u00e9\n" * 60
        items += [
            {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAAB" * 90},
            {"type": "function_call", "name": "exec_command", "call_id": call}
            | {"arguments": arguments},
            {"type": "function_call_output", "call_id": call, "output": output},
        ]
        written += len(json.dumps(items[-3:]))
    body = {
        "model": "gpt-5.5",
        "input": items,
        "tools": [_tool(name) for name in ("exec_command", "write_stdin", "get_goal")],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "01a208c2-4404-7140-a827-41a57020b120",
        "text": {"verbosity": "low"},
    }
    return json.dumps(body).encode()


def create_frame() -> bytes:
    """The same request as a client's `response.create`."""
    body = {"type": "response.create", **json.loads(request_body())}
    return frame(json.dumps(body).encode(), masked=True)


def _input(role: str, text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": role, "content": content}


def _tool(name: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"cmd": {"type": "string"}}}
    return {"type": "function", "name": name, "strict": False, "parameters": schema}
