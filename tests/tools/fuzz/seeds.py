"""Inputs to begin with, and those that once broke something."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

from gateway.demo.events import ScriptedTurn
from gateway.protocol import websocket_frames

CAPTURES = Path(__file__).parents[2] / "captures"
# A request of Codex has 40 kB of instructions and tools, too much to mutate.
LONGEST = 4_000

# As far as parsers go, and further than encoders do.
DEEP = b"[" * 1000 + b"]" * 1000
LESS_DEEP = b"[" * 600 + b"]" * 600

# Each broke its property once.
KNOWN: dict[str, list[bytes]] = {
    "requests": [
        # Refused with its role in the message; taken as it is, but not without an item.
        b'\2\0\0\0{"model":"m","messages":[{"role":%b}]}' % DEEP,
        b"\0\0\0\0"
        b'{"model":"m","instructions":"","input":[1],"store":false,'
        b'"stream":true,"x":%b}' % DEEP,
    ],
    "chat": [b'\0\0{"model":"m","messages":[{"role":%b}]}' % DEEP],
    "answers": [b'\2\7{"type":"error","headers":{"x":%b}}' % DEEP],
    # A length that ends with what was read was looked at one byte too late.
    "websocket": [b"\1\x81\x7e\0\0", b"\1\x81\x7f" + b"\xff" * 8],
    "failures": [b"\0" * 6 + b'{"error":{"message":"x","y":%b}}' % LESS_DEEP],
}


def seeds(name: str) -> list[bytes]:
    """Of one property, those that broke it first."""
    return [*KNOWN.get(name, ()), *_MAKERS.get(name, _any)(), *_any()]


def _any() -> Iterator[bytes]:
    """Bytes that are read as choices."""
    yield b""
    for step in (1, 3, 7, 11, 37, 101):
        yield bytes((step * number) % 256 for number in range(200))


def _captured() -> Iterator[bytes]:
    """Codex's own requests, with their long parts cut out."""
    for path in sorted(CAPTURES.glob("http_*.json")):
        body = json.loads(path.read_text())["body"]
        short = {name: _shortened(value) for name, value in body.items()}
        yield json.dumps(short).encode()[:LONGEST]


def _shortened(value: object) -> object:
    if isinstance(value, str):
        return value[:100]
    if isinstance(value, list):
        return [_shortened(one) for one in value[:3]]
    if isinstance(value, dict):
        return {name: _shortened(one) for name, one in value.items()}
    return value


def _requests() -> Iterator[bytes]:
    for body in _captured():
        yield b"\0\0\0\0" + body  # Codex over HTTP, no policy, the bytes as they are
        yield b"\1\2\0" + body  # over a socket, with a policy


def _normalize() -> Iterator[bytes]:
    for body in _captured():
        yield b"\0\1\0\0" + body


CHAT = {
    "model": "gpt-5.5",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "done"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "n"}},
    "stream_options": {"include_usage": True},
}


def _chat() -> Iterator[bytes]:
    yield b"\0\0" + json.dumps(CHAT).encode()


def _scanner() -> Iterator[bytes]:
    stream = b"".join(_events())
    yield b"\1" + stream
    yield b"\1" + stream.replace(b"\n", b"\r\n")
    yield b"\1" + stream.replace(b"\n", b"\r")


def _events() -> list[bytes]:
    turn = ScriptedTurn().text("Hello").function_call("f", {}).completed()
    return [step for step in turn.answer().steps if isinstance(step, bytes)]


def _bodies() -> Iterator[bytes]:
    plain = b'{"model":"gpt-5.5"}'
    for compress in (zstandard.compress, gzip.compress, zlib.compress):
        yield b"\2\x20\0\0\0" + compress(plain)


def _websocket() -> Iterator[bytes]:
    message = websocket_frames.frame(b"hello")
    yield (
        b"\1"
        + message
        + websocket_frames.frame(b"", websocket_frames.PING)
        + websocket_frames.frame(b"x" * 130)
    )
    yield b"\1\x01\x02ab\x80\x01c" + message


_MAKERS = {
    "requests": _requests,
    "normalize": _normalize,
    "chat": _chat,
    "scanner": _scanner,
    "bodies": _bodies,
    "websocket": _websocket,
}
