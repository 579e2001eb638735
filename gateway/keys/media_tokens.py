"""Tokens of pictures, recordings and documents, from the heads of their files. Pure.

A file may say anything of itself, and is then counted within the bounds of its kind.
"""

from collections.abc import Callable
from struct import error as StructError
from struct import unpack_from
from typing import NamedTuple, TypeVar

# OpenAI, "Images and vision" (2026): one token for each patch of 32 x 32 pixels, after
# scaling to what a model takes: 1,536 patches before gpt-5.4, more since. Low detail
# has a fixed price, 70 to 85. Codex counts 1,844 for any picture.
_PATCH = 32
MOST_PICTURE_TOKENS = 2_000
_LOW_DETAIL_TOKENS = 85
_UNKNOWN_PICTURE_TOKENS = 1_024  # by URL, say; that of 1024 x 1024 pixels
# A page of a PDF is about 10 kB and read as text and picture, 1,000 tokens together.
_DOCUMENT_BYTES_PER_TOKEN = 10
# OpenAI, "Managing costs" of the Realtime API (2026): a token for each 100 ms.
_AUDIO_TOKENS_PER_SECOND = 10
LONGEST_SPEECH = 86_400.0  # seconds; no file that upstream takes lasts longer
# Bits a second: speech in the leanest codec, 48 kHz stereo PCM, and what is assumed of
# a file that does not tell, speech as a browser records it.
_LEAST_BITRATE, _MOST_BITRATE, _USUAL_BITRATE = 6_000, 1_536_000, 48_000
# Of MPEG-1 and MPEG-2 layer III frames, kbit/s, by the index in the frame's head.
_MP3_KBITS = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
)
# A JPEG segment with the size; the others of this range are tables.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_OPUS_RATE = 48_000  # of its granules, RFC 7845

T = TypeVar("T")


class Pixels(NamedTuple):
    width: int
    height: int


# Offset and magic of a format, and what reads the fact from a file of it; it may raise
# what `_read` catches.
Formats = tuple[tuple[int, bytes, Callable[[bytes], T]], ...]


def picture_tokens(head: bytes, detail: str | None = None) -> int:
    """Of a picture that begins like this; b"" when nothing is known of it."""
    if detail == "low":
        return _LOW_DETAIL_TOKENS
    pixels = _read(_PICTURES, head)
    if pixels is None or not min(pixels):
        return _UNKNOWN_PICTURE_TOKENS
    patches = -(-pixels.width // _PATCH) * -(-pixels.height // _PATCH)
    return min(patches, MOST_PICTURE_TOKENS)


def is_picture(head: bytes) -> bool:
    return _read(_PICTURES, head) is not None


def document_tokens(size: int) -> int:
    """Of a document that is no plain text, by its bytes."""
    return -(-size // _DOCUMENT_BYTES_PER_TOKEN)


def audio_tokens(data: bytes) -> int:
    """Of a recording, by the length it tells, else by the bitrate of its kind."""
    bits = 8 * len(data)
    seconds = _read(_RECORDINGS, data) or bits / _USUAL_BITRATE
    if not bits / _MOST_BITRATE <= seconds <= bits / _LEAST_BITRATE:
        seconds = bits / _USUAL_BITRATE  # NaN, too: what no such file can last
    return seconds_tokens(seconds)


def seconds_tokens(seconds: float) -> int:
    """Of so much speech."""
    return round(seconds * _AUDIO_TOKENS_PER_SECOND)


def _read(formats: Formats[T], data: bytes) -> T | None:
    for offset, magic, read in formats:
        if data.startswith(magic, offset):
            try:
                return read(data)
            except (StructError, ArithmeticError, LookupError, ValueError):
                return None  # not what it begins like
    return None


def _png(data: bytes) -> Pixels:
    return Pixels(*unpack_from(">II", data, 16))


def _gif(data: bytes) -> Pixels:
    return Pixels(*unpack_from("<HH", data, 6))


def _webp(data: bytes) -> Pixels:
    """RFC 9649: the three kinds of a first chunk."""
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = data[24:27], data[27:30]
        return Pixels(
            int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
        )
    if kind == b"VP8L":
        (bits,) = unpack_from("<I", data, 21)
        return Pixels((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind != b"VP8 ":
        raise ValueError
    width, height = unpack_from("<HH", data, 26)
    return Pixels(width & 0x3FFF, height & 0x3FFF)


def _jpeg(data: bytes) -> Pixels:
    """Segment by segment to the frame's; ITU T.81, B.1.1.3."""
    at = 2
    while True:
        marker, kind, length = unpack_from(">BBH", data, at)
        if marker != 0xFF or length < 2:
            raise ValueError
        if kind in _JPEG_FRAMES:
            height, width = unpack_from(">HH", data, at + 5)
            return Pixels(width, height)
        at += 2 + length


def _wav(data: bytes) -> float:
    at = data.index(b"fmt ", 0, 4096)
    (rate,) = unpack_from("<I", data, at + 12)
    (frame_bytes,) = unpack_from("<H", data, at + 20)
    return float(len(data) / (rate * frame_bytes))


def _flac(data: bytes) -> float:
    (packed,) = unpack_from(">Q", data, 18)
    return float((packed & 0xF_FFFF_FFFF) / (packed >> 44))


def _ogg(data: bytes) -> float:
    """The position of the last page, in samples."""
    (samples,) = unpack_from("<q", data, data.rindex(b"OggS") + 6)
    vorbis = data.find(b"\x01vorbis", 0, 4096)
    rate = _OPUS_RATE if vorbis < 0 else unpack_from("<I", data, vorbis + 12)[0]
    return float(samples / rate)


def _mp3(data: bytes) -> float:
    """By the bitrate of the first frame."""
    at = 0
    if data.startswith(b"ID3"):
        a, b, c, d = data[6:10]
        at = 10 + (a << 21 | b << 14 | c << 7 | d)
    sync, rates = unpack_from(">HB", data, at)
    if sync & 0xFFE0 != 0xFFE0:
        raise ValueError
    kbits = _MP3_KBITS[sync >> 3 & 3 == 3][rates >> 4]
    return float(8 * (len(data) - at) / (1000 * kbits))


def _mp4(data: bytes) -> float:
    at = data.index(b"mvhd")
    layout, offset = (">IQ", 24) if data[at + 4] else (">II", 16)
    timescale, duration = unpack_from(layout, data, at + offset)
    return float(duration / timescale)


_PICTURES: Formats[Pixels] = (
    (0, b"\x89PNG\r\n\x1a\n", _png),
    (0, b"\xff\xd8", _jpeg),
    (8, b"WEBP", _webp),
    (0, b"GIF8", _gif),
)
_RECORDINGS: Formats[float] = (
    (8, b"WAVE", _wav),
    (0, b"fLaC", _flac),
    (0, b"OggS", _ogg),
    (4, b"ftyp", _mp4),
    (0, b"ID3", _mp3),
    (0, b"\xff", _mp3),
)
