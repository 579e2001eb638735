"""The upstream of every target: precomputed answers on two plain protocols.

Run as `python -m tests.tools.bench.upstream PORT`. The request's plan header says
how many deltas to send and how far apart (`wire.plan`).
"""

import asyncio
import base64
import gc
import hashlib
import re
import sys
from typing import cast

import uvloop

from tests.tools.bench import wire

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PLAN = re.compile(rb"\r\n" + wire.PLAN_HEADER.encode() + rb": *([^\r]+)", re.I)
_KEY = re.compile(rb"\r\nsec-websocket-key: *([^\r]+)", re.IGNORECASE)
_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
# Both shapes of a model list at once, so that any gateway finds its model.
_MODELS = (
    b'{"object":"list","data":[{"id":"gpt-5.5","object":"model"}],'
    b'"models":[{"slug":"gpt-5.5","visibility":"list","supported_in_api":true}]}'
)
_JSON = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
)
_LAST_CHUNK = b"0\r\n\r\n"


class _Turn:
    """The bytes of one turn in one framing."""

    def __init__(self, head: list[bytes], delta: bytes, tail: list[bytes]) -> None:
        self.head, self.delta, self.tail = b"".join(head), delta, b"".join(tail)
        self.block = delta * (65536 // len(delta))  # of a flood


_SSE = _Turn(
    [_STREAM, *map(wire.sse_chunk, wire.HEAD)],
    wire.sse_chunk(wire.DELTA),
    [*map(wire.sse_chunk, wire.TAIL), _LAST_CHUNK],
)
_FRAMES = _Turn(
    [wire.frame(event, masked=False) for event in wire.HEAD],
    wire.frame(wire.DELTA, masked=False),
    [wire.frame(event, masked=False) for event in wire.TAIL],
)


class Upstream(asyncio.Protocol):
    """One connection: requests one after the other, or a socket's frames."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._body_left = 0
        self._plan = (46, 0.0, 0)
        self._turn = _SSE
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._deltas_left = 0
        self._flood_left = 0
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop has its own
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._flood_left = 0
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._flood()

    def data_received(self, data: bytes) -> None:
        if self._turn is _FRAMES:
            self._read_frames(data)
        elif self._body_left:
            self._body_left -= len(data)
            if not self._body_left:
                self._answer()
        else:
            self._buffer += data
            self._read_head()

    def _read_head(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head, rest = bytes(self._buffer[: end + 2]), self._buffer[end + 4 :]
        self._buffer = bytearray()
        if found := _PLAN.search(head):
            deltas, pace, flood = found[1].split()
            self._plan = int(deltas), float(pace), int(flood)
        if key := _KEY.search(head):
            self._upgrade(key[1])
        elif head.startswith(b"POST"):
            length = _LENGTH.search(head)
            self._body_left = int(length[1]) - len(rest) if length else 0
            if not self._body_left:
                self._answer()
        else:
            self._transport.write(_JSON % len(_MODELS) + _MODELS)

    def _upgrade(self, key: bytes) -> None:
        self._turn = _FRAMES
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
            + base64.b64encode(digest)
            + b"\r\n\r\n"
        )

    def _read_frames(self, data: bytes) -> None:
        self._buffer += data
        at = 0
        while found := wire.next_frame(self._buffer, at):
            opcode, _, at = found
            if opcode == 1:
                self._answer()
            elif opcode == 8:
                self._transport.close()
        del self._buffer[:at]

    def _answer(self) -> None:
        deltas, pace, flood = self._plan
        turn = self._turn
        if flood:
            self._flood_left = flood
            self._transport.write(turn.head)
            self._flood()
        elif pace:
            self._transport.write(turn.head)
            self._deltas_left = deltas
            self._due = self._loop.time() + pace
            self._timer = self._loop.call_at(self._due, self._tick, pace)
        else:
            self._transport.write(turn.head + turn.delta * deltas + turn.tail)

    def _tick(self, pace: float) -> None:
        if not self._deltas_left:
            self._transport.write(self._turn.tail)
            return
        self._deltas_left -= 1
        self._transport.write(self._turn.delta)
        self._due += pace  # from the plan, not from now: no drift
        self._timer = self._loop.call_at(self._due, self._tick, pace)

    def _flood(self) -> None:
        while self._flood_left > 0 and not self._is_paused:
            self._transport.write(self._turn.block)
            self._flood_left -= len(self._turn.block)
            if self._flood_left <= 0:
                self._transport.write(self._turn.tail)


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", port, backlog=2048)
    gc.freeze()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
