"""Tokens of pictures and recordings, from the heads of their files."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.keys.media_tokens import (
    MOST_PICTURE_TOKENS,
    audio_tokens,
    is_picture,
    picture_tokens,
)
from tests.gateway.keys.media_files import (
    flac,
    gif,
    jpeg,
    jpeg_segment,
    mp3,
    mp4,
    ogg,
    png,
    wav,
    webp,
)

UNKNOWN = 1_024


@pytest.mark.parametrize(
    "head",
    [
        png(640, 480),
        gif(640, 480),
        jpeg(640, 480),
        jpeg(640, 480, jpeg_segment(0xE1, b"Exif" + bytes(30_000))),
        jpeg(640, 480, jpeg_segment(0xC4, bytes(400))),  # a table of its range
        webp(b"VP8X", bytes(4) + pack("<I", 639)[:3] + pack("<I", 479)[:3]),
        webp(b"VP8L", b"\x2f" + pack("<I", 479 << 14 | 639)),
        webp(b"VP8 ", bytes(6) + pack("<HH", 640, 480)),
    ],
)
def test_a_picture_costs_a_token_for_each_patch(head):
    assert picture_tokens(head) == 20 * 15
    assert is_picture(head)


@pytest.mark.parametrize(
    ("head", "tokens"),
    [
        (png(1, 1), 1),
        (png(33, 32), 2),
        (png(2**32 - 1, 2**32 - 1), MOST_PICTURE_TOKENS),
        (png(0, 9), UNKNOWN),
        (png(9, 9)[:20], UNKNOWN),
        (b"", UNKNOWN),
        (b"\xff\xd8\xff", UNKNOWN),
        (jpeg_segment(0xE1, b"")[:0] + b"\xff\xd8\xff\xe1\0\0", UNKNOWN),
        (webp(b"ANIM", bytes(20)), UNKNOWN),
    ],
)
def test_what_tells_no_size_costs_what_an_unknown_picture_does(head, tokens):
    assert picture_tokens(head) == tokens


@pytest.mark.parametrize(
    "data",
    [
        wav(20),
        wav(20, rate=24_000),
        wav(20, channels=2),
        ogg(20, 50_000),
        ogg(20, 50_000, rate=44_100),
        flac(20, 900_000),
        mp3(20),
        mp3(20, tag=b"ID3\4\0\0\0\0\2\0" + bytes(256)),
        mp4(20, 100_000),
        mp4(20, 100_000, version=1),
    ],
)
def test_a_recording_costs_ten_tokens_a_second(data):
    assert audio_tokens(data) == pytest.approx(200, abs=2)


def test_a_recording_that_tells_no_length_costs_by_its_bytes():
    minute = bytes(6_000 * 60)  # 48 kbit/s
    assert audio_tokens(minute) == 600
    assert audio_tokens(mp4(0, len(minute))) == pytest.approx(600, abs=2)


@pytest.mark.parametrize("seconds", [0, 1, 4 * 10**6])
def test_a_length_that_no_file_of_this_size_has_is_not_believed(seconds):
    assert audio_tokens(mp4(seconds, 600_000)) == pytest.approx(1_000, abs=2)
    assert audio_tokens(b"") == 0


heads = st.sampled_from(
    [
        *(png(5, 5)[:8], gif(5, 5)[:6], b"\xff\xd8\xff\xc0", webp(b"VP8X", b"")),
        *(wav(0), b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\0\0\0\0ftyp" + b"mvhd"),
    ]
)


@given(st.builds(bytes.__add__, heads | st.just(b""), st.binary(max_size=80)))
def test_any_bytes_have_a_price(data):
    assert 0 < picture_tokens(data) <= MOST_PICTURE_TOKENS
    assert 0 <= audio_tokens(data) <= len(data)
