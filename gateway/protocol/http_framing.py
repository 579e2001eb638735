"""Where the body of an HTTP/1.1 answer ends (RFC 9112, 6 and 7), without any I/O.

A framing is fed what comes after the head and gives back what of it is body. Where
a server sends what none may send, `fault` says so, and nothing more comes out.
"""

import re
from collections.abc import Mapping
from typing import Protocol

# The size, and extensions nobody uses. Sixteen digits are 64 bits.
_CHUNK_HEAD = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]{0,4000})?\r\n")
_CHUNK_HEAD_BYTES = 4096
_HEAD_BETWEEN = re.compile(rb"\r\n([0-9A-Fa-f]{1,8})\r\n")
_RUN_BYTES = 2048  # what makes looking for many chunks worth it
_TRAILER_BYTES = 64 * 1024
# Statuses whose answers have no body (RFC 9110, 15).
_BODILESS = frozenset({204, 205, 304})


class Framing(Protocol):
    """One body."""

    @property
    def is_over(self) -> bool:
        """Whether the body has come whole; never, where the connection's end is its."""

    @property
    def has_surplus(self) -> bool:
        """Whether something came behind it, which nobody asked for."""

    @property
    def fault(self) -> str | None:
        """What is wrong with it."""

    def feed(self, data: bytes) -> bytes:
        """What of `data` is body."""


def framing_of(status: int, headers: Mapping[str, str]) -> Framing:
    """The framing that an answer's head announces; `headers` do not mind the case.

    Raises ValueError for a length that is none.
    """
    if status < 200 or status in _BODILESS:
        return Sized(0)
    if coding := headers.get("transfer-encoding"):
        is_chunked = coding.rpartition(",")[2].strip().lower() == "chunked"
        return Chunked() if is_chunked else Endless()
    length = headers.get("content-length")
    if length is None:
        return Endless()
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise ValueError("Content-Length is no number")
    return Sized(int(length))


class Chunked:
    """Chunks, of which the last is empty, and trailers, which are dropped."""

    __slots__ = (
        "_ending",
        "_is_in_trailers",
        "_left",
        "_line",
        "fault",
        "has_surplus",
        "is_over",
    )

    def __init__(self) -> None:
        self.is_over = self.has_surplus = False
        self.fault: str | None = None
        self._left = 0  # bytes of the running chunk still to come
        self._ending = b""  # what must come behind it
        self._line = b""  # a line that has come in part
        self._is_in_trailers = False

    def feed(self, data: bytes) -> bytes:
        if self._line:
            data, self._line = self._line + data, b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not (self.is_over or self.fault):
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                self._left -= len(piece)
                at += len(piece)
            elif self._ending:
                at = self._skip_ending(data, at)
            elif self._is_in_trailers:
                at = self._skip_trailer(data, at)
            else:
                at = self._take_chunks(data, at, pieces)
        self.has_surplus = self.is_over and at < len(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take_chunks(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """Take all chunks that are here whole, and the head of one that is not."""
        if len(data) - at > _RUN_BYTES:
            at = _take_run(data, at, pieces)
        while head := _CHUNK_HEAD.match(data, at):
            at, size = head.end(), int(head[1], 16)
            stop = at + size
            if not size or data[stop : stop + 2] != b"\r\n":
                self._left, self._is_in_trailers = size, not size
                self._ending = b"\r\n" if size else b""
                return at
            pieces.append(data[at:stop])
            at = stop + 2
        if b"\n" in data[at : at + _CHUNK_HEAD_BYTES]:
            self.fault = "A chunk has no readable size"
            return at
        return self._keep(data, at, _CHUNK_HEAD_BYTES)

    def _skip_ending(self, data: bytes, at: int) -> int:
        found = data[at : at + len(self._ending)]
        if not self._ending.startswith(found):
            self.fault = "A chunk is longer than it says"
            return at
        self._ending = self._ending[len(found) :]
        return at + len(found)

    def _skip_trailer(self, data: bytes, at: int) -> int:
        end = data.find(b"\r\n", at)
        if end < 0:
            return self._keep(data, at, _TRAILER_BYTES)
        self.is_over = end == at
        return end + 2

    def _keep(self, data: bytes, at: int, most: int) -> int:
        if len(data) - at > most:
            self.fault = "A line between chunks does not end"
            return at
        self._line = data[at:]
        return len(data)


def _take_run(data: bytes, at: int, pieces: list[bytes]) -> int:
    """Take many small chunks at once; where the first one begins that was not taken.

    Cut at all that looks like a chunk's head, a run is what it seems when every piece
    is as long as the head before it says.
    """
    fields = _HEAD_BETWEEN.split(b"\r\n" + data[at:])
    sizes, chunks = fields[1:-2:2], fields[2:-2:2]
    lengths = list(map(len, chunks))
    if fields[0] or not all(lengths) or lengths != [int(size, 16) for size in sizes]:
        return at
    pieces += chunks
    # Of the last one nothing tells here whether it is whole.
    return len(data) - len(fields[-1]) - len(b"\r\n") - len(fields[-2])


class Sized:
    """So many bytes."""

    __slots__ = ("_left", "has_surplus", "is_over")

    fault = None

    def __init__(self, length: int) -> None:
        self._left = length
        self.is_over = not length
        self.has_surplus = False

    def feed(self, data: bytes) -> bytes:
        piece = data[: self._left]
        self._left -= len(piece)
        self.is_over = not self._left
        self.has_surplus = len(piece) < len(data)
        return piece


class Endless:
    """Whatever comes."""

    __slots__ = ()

    is_over = has_surplus = False
    fault = None

    def feed(self, data: bytes) -> bytes:
        return data
