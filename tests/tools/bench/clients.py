"""Clients of the load generator: one turn after the other on one connection."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import cast

from tests.tools.bench import wire

_CONTENT_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(slots=True)
class Tally:
    """What all clients of one job saw; times in seconds."""

    window: tuple[float, float] = (0.0, float("inf"))  # when events count
    events: int = 0
    turns: int = 0
    gaps: list[float] = field(default_factory=list)
    first_outputs: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Client(asyncio.Protocol):
    """Sends a request per turn and times what comes back.

    `turns_left` counts down; `finished` is set after the last turn.
    """

    def __init__(self, tally: Tally, head: bytes, body: bytes, turns: int) -> None:
        self._tally, self._head, self._body = tally, head, body
        self._turns_left = turns
        self._last = 0.0  # arrival of the previous event of this turn
        self._started = 0.0
        self._has_output = False
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop has its own
        self.transport = transport
        self._open()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.finished.done():
            self._fail(f"connection lost ({error})")

    def stop(self) -> None:
        """End after the turn that runs."""
        self._turns_left = 1

    def _open(self) -> None:
        raise NotImplementedError

    def _begin(self, request: bytes) -> None:
        self._has_output = False
        self._last = 0.0
        self._started = time.perf_counter()
        self.transport.write(request)

    def _saw(self, events: int, now: float) -> None:
        tally = self._tally
        if tally.window[0] <= now < tally.window[1]:
            tally.events += events
            if self._last:
                tally.gaps.append(now - self._last)
        self._last = now

    def _saw_output(self, now: float) -> None:
        self._has_output = True
        self._tally.first_outputs.append(now - self._started)

    def _end_turn(self, request: bytes) -> None:
        if not self._has_output:
            self._fail("a turn ended without any output")
            return
        self._tally.turns += 1
        self._turns_left -= 1
        if self._turns_left > 0:
            self._begin(request)
        elif not self.finished.done():
            self.finished.set_result(None)

    def _fail(self, reason: str) -> None:
        self._tally.failures.append(reason)
        if not self.finished.done():
            self.finished.set_result(None)
        self.transport.close()


class HttpClient(Client):
    """POSTs; a turn ends with its last chunk, or after the length it was given."""

    _tail = b""
    _to_come: int | None = None  # bytes, of an answer with a Content-Length

    def _open(self) -> None:
        self._begin(self._head + self._body)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self._tail and not data.startswith(b"HTTP/1.1 200"):
            self._fail(data[:600].decode(errors="replace"))
            return
        if not self._tail:
            self._to_come = _length_of(data)
        tail = self._tail + data
        if not self._has_output and wire.FIRST_OUTPUT in tail:
            self._saw_output(now)
        self._saw(data.count(b"\n\n"), now)
        self._tail = tail[-64:]
        if self._to_come is None:
            is_last = tail.endswith(_LAST_CHUNK)
        else:
            self._to_come -= len(data)
            is_last = not self._to_come
        if is_last:
            self._tail = b""
            self._end_turn(self._head + self._body)


def _length_of(answer: bytes) -> int | None:
    """Bytes of head and body of an answer with a Content-Length."""
    end = answer.find(b"\r\n\r\n") + 4
    found = _CONTENT_LENGTH.search(answer, 0, end)
    return end + int(found[1]) if found else None


class SocketClient(Client):
    """`response.create` frames; a turn ends with `response.completed`."""

    def _open(self) -> None:
        self._is_open = False
        self._buffer = bytearray()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        buffer = self._buffer
        buffer += data
        if not self._is_open and not self._read_handshake():
            return
        at, events, is_last = 0, 0, False
        while found := wire.next_frame(buffer, at):
            opcode, start, at = found
            if opcode != 1:
                self._answer_control(opcode, bytes(buffer[start:at]))
                continue
            events += 1
            kind = buffer[start : start + 60]
            if not self._has_output and wire.FIRST_OUTPUT in kind:
                self._saw_output(now)
            is_last = wire.LAST_EVENT in kind
            if b'"error"' in kind:
                self._fail(buffer[start:at].decode())
                return
        del buffer[:at]
        if events:
            self._saw(events, now)
        if is_last:
            self._end_turn(self._body)

    def _read_handshake(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        if not self._buffer.startswith(b"HTTP/1.1 101"):
            self._fail(self._buffer[:600].decode(errors="replace"))
            return False
        del self._buffer[: end + 4]
        self._is_open = True
        self.opened.set_result(None)
        if self._turns_left:  # none: an idle socket
            self._begin(self._body)
        return True

    def _answer_control(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            pong = bytearray(wire.frame(payload, masked=True))
            pong[0] = 0x8A
            self.transport.write(bytes(pong))
        elif opcode == 8:
            self._fail(f"closed with {payload!r}")


class SlowReader(asyncio.Protocol):
    """Asks once and never reads."""

    def __init__(self, request: bytes) -> None:
        self._request = request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop has its own
        transport.pause_reading()
        transport.write(self._request)
