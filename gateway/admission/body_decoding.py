"""Body decoding: compressed bodies, step by step, each step's size known before.

A decoder plans a step, and whoever asked finds room for it before it is done: so no
body brings more into memory than there is room for, however well it was compressed.
"""

import zlib
from typing import NamedTuple, Protocol

import zstandard

from gateway.errors import UndecodableBody

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_MAGIC = b"\x1f\x8b"
# About what one step brings: a millisecond or less of work.
STEP_BYTES = 1024 * 1024
# Every further member or frame, and every block, counts as so much, however little is
# in it: thousands of empty ones keep the interpreter from the loop.
_LEAST_MEMBER, _LEAST_BLOCK = 16 * 1024, 1024
# 8 MiB is what RFC 8878 (3.1.1.1.2) recommends a decoder to support at least, and more
# than any client in use asks for.
_LARGEST_WINDOW = 8 * 1024 * 1024
_LARGEST_BLOCK = 128 * 1024  # RFC 8878, 3.1.1.2.4
_LARGEST_FRAME_HEADER = 18  # RFC 8878, 3.1.1.1
_RAW, _RLE, _RESERVED = 0, 1, 3  # types of blocks
# deflate makes at most 258 bytes of two bits, and has 32 KiB behind it.
_DEFLATE_RATIO, _DEFLATE_WINDOW = 1032, 32 * 1024
_INPUT_PIECE = 64 * 1024

BEHIND_THE_END = f"{UndecodableBody.message}: something follows behind its end"
CUT_OFF = f"{UndecodableBody.message}: it is cut off"


class DecodingStep(NamedTuple):
    """What is known of a step before it is done, in bytes."""

    most: int  # that it and the decoder itself take
    least: int  # that it counts as


class StepDecoder(Protocol):
    """A decoder of one body."""

    def plan(self) -> DecodingStep | None:
        """The next step; None at the end. Raises UndecodableBody."""

    def decode(self) -> bytes:
        """Do the step that was planned. Raises UndecodableBody."""


class Decoded(NamedTuple):
    """What some steps brought."""

    body: bytes
    counted: int
    next: DecodingStep | None


def decode_within(decoder: StepDecoder, step: DecodingStep, room: int) -> Decoded:
    """Do the planned step, and those after it that fit into the rest of the room.

    Many members and frames are small, and a thread for each would cost far more.
    """
    pieces: list[bytes] = []
    counted = 0
    following: DecodingStep | None = step
    while following is not None and following.most <= room and counted < STEP_BYTES:
        pieces.append(decoder.decode())
        room -= len(pieces[-1])
        counted += max(len(pieces[-1]), following.least)
        following = decoder.plan()
    return Decoded(b"".join(pieces), counted, following)


def decoder_for(encoding: str, raw: bytes) -> StepDecoder | None:
    """The decoder for a body with this Content-Encoding; None for a plain one.

    zstd is known by its magic as well: some builds of Codex forget the header.
    Raises UndecodableBody for an encoding that is not known.
    """
    encoding = encoding.strip().lower()
    if encoding == "zstd" or raw.startswith(ZSTD_MAGIC):
        return ZstdDecoder(raw)
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return ZlibDecoder(raw)
    raise UndecodableBody("Unsupported Content-Encoding")


class ZlibDecoder:
    """gzip and zlib by their own headers, else raw deflate (RFC 9110, 8.4.1.2).

    The members of a gzip file follow each other (RFC 1952, 2.2); behind the others
    there is nothing.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = memoryview(raw)
        self._place = 0  # in `_raw`, of what has not been decoded
        self._bits = _window_bits(raw)
        self._member = zlib.decompressobj(self._bits)

    def plan(self) -> DecodingStep | None:
        least = 0
        if self._member.eof:
            rest = self._raw[self._place :]
            if not rest:
                return None
            if self._bits != 31 or rest[:2] != _GZIP_MAGIC[: len(rest)]:
                raise UndecodableBody(BEHIND_THE_END)
            self._member = zlib.decompressobj(self._bits)
            least = _LEAST_MEMBER
        left = min(_INPUT_PIECE, len(self._raw) - self._place)
        brings = min(STEP_BYTES, left * _DEFLATE_RATIO + _DEFLATE_WINDOW)
        return DecodingStep(brings + _DEFLATE_WINDOW, least)

    def decode(self) -> bytes:
        member = self._member
        data = self._raw[self._place : self._place + _INPUT_PIECE]
        try:
            piece = member.decompress(data, STEP_BYTES)
        except zlib.error as error:
            raise UndecodableBody from error
        left = len(member.unused_data) if member.eof else len(member.unconsumed_tail)
        self._place += len(data) - left
        if not (member.eof or piece or data):
            raise UndecodableBody(CUT_OFF)
        return piece


def _window_bits(raw: bytes) -> int:
    if raw[:2] == _GZIP_MAGIC:
        return 31
    is_zlib = len(raw) > 1 and raw[0] & 0x0F == 8 and (raw[0] << 8 | raw[1]) % 31 == 0
    return 15 if is_zlib else -15


class ZstdDecoder:
    """zstd frames, which follow each other (RFC 8878, 3.1).

    How large a block becomes stands before it, so a step is a few whole blocks.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._start = self._end = 0  # of the step
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._window = self._block = self._checksum = 0
        self._is_last = False  # the step, in its frame

    def plan(self) -> DecodingStep | None:
        least = 0
        self._start = self._end
        if self._frame is None:
            if self._raw and self._start == len(self._raw):
                return None
            self._open_frame()
            least = _LEAST_MEMBER if self._start else 0
        brings = 0
        while not self._is_last and brings < STEP_BYTES:
            size = self._skip_block()
            brings += max(size, _LEAST_BLOCK)
            least += _LEAST_BLOCK
        return DecodingStep(brings + self._window, least)

    def decode(self) -> bytes:
        frame = self._frame
        if frame is None:  # one without content
            return b""
        try:
            piece = frame.decompress(memoryview(self._raw)[self._start : self._end])
        except zstandard.ZstdError as error:
            raise UndecodableBody from error
        if self._is_last:
            if not frame.eof:
                raise UndecodableBody(CUT_OFF)
            self._frame = None
        return piece

    def _open_frame(self) -> None:
        head = self._raw[self._start : self._start + _LARGEST_FRAME_HEADER]
        if self._start and head[:4] != ZSTD_MAGIC[: len(head)]:
            raise UndecodableBody(BEHIND_THE_END)
        try:
            frame = zstandard.get_frame_parameters(head)
            size = zstandard.frame_header_size(head)
        except zstandard.ZstdError as error:
            raise UndecodableBody from error
        self._end += size
        self._window = min(frame.window_size, frame.content_size, _LARGEST_WINDOW)
        self._block = min(self._window, _LARGEST_BLOCK)
        self._checksum = 4 if frame.has_checksum else 0
        self._frame = self._decompressor.decompressobj()
        self._is_last = False

    def _skip_block(self) -> int:
        """Go to the end of the next block; what it becomes at most, in bytes."""
        head = int.from_bytes(self._raw[self._end : self._end + 3], "little")
        kind, size = head >> 1 & 3, head >> 3
        self._end += 3 + (1 if kind == _RLE else size)
        self._is_last = bool(head & 1)
        if self._is_last:
            self._end += self._checksum
        if self._end > len(self._raw):
            raise UndecodableBody(CUT_OFF)
        if kind == _RESERVED or size > _LARGEST_BLOCK:
            raise UndecodableBody
        return size if kind in (_RAW, _RLE) else self._block
