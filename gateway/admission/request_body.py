"""Request bodies: collected within a shared budget, decoded within a limit.

Codex compresses with zstd (and some builds forget the header); other clients
use gzip or deflate. A decoder never holds more than the limit, however well a
hostile body was compressed.
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import Protocol

import zstandard

from gateway.errors import GatewayOverloaded, PayloadTooLarge, UndecodableBody

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# Decoding less than this takes well under a millisecond: not worth a thread.
LARGEST_INLINE_DECODE = 64 * 1024
# A zstd block of four bytes may stand for 128 KiB, so a slice bounds what one call
# can bring to 16 MiB.
_SLICE = 512


class BodyBudget:
    """Bytes that all bodies being read may hold together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    def reserve(self, size: int) -> None:
        """Raises GatewayOverloaded when the budget is exhausted."""
        if self.used + size > self._limit:
            raise GatewayOverloaded("The gateway is reading too many large bodies")
        self.used += size

    def release(self, size: int) -> None:
        self.used -= size


class BodyReader:
    """One body while it arrives; `release` frees its part of the budget."""

    def __init__(self, budget: BodyBudget, limit: int) -> None:
        self._budget = budget
        self._limit = limit
        self._chunks: list[bytes] = []
        self._reserved = 0
        self.size = 0  # bytes as received

    def feed(self, chunk: bytes) -> None:
        """Raises PayloadTooLarge or GatewayOverloaded; the chunk is dropped then."""
        self.size += len(chunk)
        if self.size > self._limit:
            raise PayloadTooLarge
        self._reserve(len(chunk))
        self._chunks.append(chunk)

    async def decoded(self, encoding: str) -> bytes:
        """The whole body, decoded; `encoding` is the Content-Encoding."""
        raw = b"".join(self._chunks)
        self._chunks.clear()
        decode = _decoder(encoding.strip().lower(), raw)
        if decode is None:
            return raw
        if len(raw) < LARGEST_INLINE_DECODE:
            body = decode(raw, min(self._limit, 16 * LARGEST_INLINE_DECODE))
            if body is not None:
                self._reserve(len(body))
                return body
        loop = asyncio.get_running_loop()
        body = await loop.run_in_executor(None, decode, raw, self._limit)
        if body is None:
            raise PayloadTooLarge
        self._reserve(len(body))
        return body

    def release(self) -> None:
        self._budget.release(self._reserved)
        self._reserved = 0
        self._chunks.clear()

    def _reserve(self, size: int) -> None:
        self._budget.reserve(size)
        self._reserved += size


Decoder = Callable[[bytes, int], bytes | None]


def _decoder(encoding: str, raw: bytes) -> Decoder | None:
    """The decoder for a body, None for one without encoding."""
    if encoding == "zstd" or raw.startswith(ZSTD_MAGIC):
        return decode_zstd
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return decode_zlib
    raise UndecodableBody("Unsupported Content-Encoding")


def decode_zstd(raw: bytes, limit: int) -> bytes | None:
    """The decoded bytes, None when they are more than `limit`.

    Raises UndecodableBody for anything but whole zstd frames.
    """
    # 8 MiB is what RFC 8878 (3.1.1.1.2) recommends a decoder to support at least,
    # and more than any client in use asks for.
    decompressor = zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024)
    return _decode_frames(raw, limit, decompressor.decompressobj)


def decode_zlib(raw: bytes, limit: int) -> bytes | None:
    """gzip and zlib by their own headers, else raw deflate (RFC 9110, 8.4.1.2).

    The members of a gzip file follow each other (RFC 1952, 2.2).
    """
    wrapped = raw[:2] == b"\x1f\x8b" or (
        len(raw) > 1 and raw[0] & 0x0F == 8 and (raw[0] << 8 | raw[1]) % 31 == 0
    )
    return _decode_frames(
        raw, limit, lambda: zlib.decompressobj(47 if wrapped else -15)
    )


class _Frame(Protocol):
    """A decoder of one frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _decode_frames(
    raw: bytes, limit: int, open_frame: Callable[[], _Frame]
) -> bytes | None:
    pieces: list[bytes] = []
    size = 0
    frame = None
    try:
        for start in range(0, len(raw), _SLICE):
            data = raw[start : start + _SLICE]
            while data:
                frame = frame or open_frame()
                piece = frame.decompress(data)
                size += len(piece)
                if size > limit:
                    return None
                pieces.append(piece)
                data = b""
                if frame.eof:
                    data, frame = frame.unused_data, None
    except (zlib.error, zstandard.ZstdError) as error:
        raise UndecodableBody from error
    if frame is not None or not raw:
        raise UndecodableBody  # cut off within a frame
    return b"".join(pieces)
