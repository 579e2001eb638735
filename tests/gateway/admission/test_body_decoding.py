"""Compressed bodies, step by step: each announces how much it brings at most."""

import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.body_decoding import (
    BEHIND_THE_END,
    CUT_OFF,
    ZSTD_MAGIC,
    decoder_for,
)
from gateway.errors import UndecodableBody

bodies = st.binary(max_size=2_000)


def raw_deflate(body):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


def zstd_stream(body):
    """As a client that does not know how much it is going to send."""
    compressor = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    pieces = [compressor.compress(body[:700])]
    pieces.append(compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    pieces += [compressor.compress(body[700:]), compressor.flush()]
    return b"".join(pieces)


ENCODINGS = {
    "zstd": ("zstd", zstandard.compress),
    "zstd stream": ("zstd", zstd_stream),
    "gzip": ("gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "deflate": ("deflate", raw_deflate),
}
each = pytest.mark.parametrize(
    ("encoding", "encode"), ENCODINGS.values(), ids=ENCODINGS
)
MEMBERS = [ENCODINGS[name] for name in ("zstd", "zstd stream", "gzip")]


def decode(encoding, raw, most=10_000_000):
    """The body, with every step held to what it announced."""
    decoder = decoder_for(encoding, raw)
    pieces, counted = [], 0
    while (step := decoder.plan()) is not None:
        piece = decoder.decode()
        assert len(piece) <= step.most
        assert step.most < 10 << 20
        pieces.append(piece)
        counted += max(len(piece), step.least)
        if counted > most:
            return None
    return b"".join(pieces)


@each
@given(body=bodies)
def test_what_was_encoded_is_decoded(encoding, encode, body):
    assert decode(encoding, encode(body)) == body


@each
@pytest.mark.parametrize("size", [128 << 10, (1 << 20) + 1, 5_000_000])
def test_large_bodies_are_decoded(encoding, encode, size):
    body = (bytes(range(256)) * 41 + b"some text") * (size // 10_505) + b"\0" * size
    assert decode(encoding, encode(body), most=100_000_000) == body


@pytest.mark.parametrize(("encoding", "encode"), MEMBERS)
@given(first=bodies, second=bodies)
def test_members_and_frames_may_follow_each_other(encoding, encode, first, second):
    assert decode(encoding, encode(first) + encode(second)) == first + second


@pytest.mark.parametrize(("encoding", "encode"), MEMBERS)
def test_every_member_and_frame_counts(encoding, encode):
    """Though they hold nothing: to get through millions of them takes long."""
    assert decode(encoding, encode(b"") * 1_000, most=10_000_000) is None


def test_every_block_counts():
    frame = bytearray(zstandard.compress(b""))
    assert frame[-3:] == b"\x01\0\0"  # the last block, and nothing in it
    frame[-3:] = b"\0\0\0" * 5_000 + b"\x01\0\0"
    assert decode("zstd", bytes(frame)) == b""
    assert decode("zstd", bytes(frame), most=1_000_000) is None


@each
@given(body=st.binary(min_size=1, max_size=2_000), data=st.data())
def test_a_body_cut_short_is_refused(encoding, encode, body, data):
    whole = encode(body)
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(UndecodableBody):
        decode(encoding, cut)


@pytest.mark.parametrize("encoding", ["zstd", "gzip", "deflate"])
def test_nothing_at_all_is_refused(encoding):
    with pytest.raises(UndecodableBody):
        decode(encoding, b"")


@each
@given(body=bodies, junk=st.binary(min_size=1, max_size=300))
def test_junk_behind_the_end_is_refused_and_called_that(encoding, encode, body, junk):
    magic = ZSTD_MAGIC if encoding == "zstd" else b"\x1f\x8b"
    if encoding != "deflate" and junk[:4] == magic[: len(junk[:4])]:
        junk = b"?" + junk
    with pytest.raises(UndecodableBody, match=BEHIND_THE_END):
        decode(encoding, encode(body) + junk)


def test_what_another_encoder_made_is_junk_as_well():
    for encoding, encode, other in (
        ("gzip", gzip.compress, zlib.compress),
        ("gzip", gzip.compress, zstandard.compress),
        ("deflate", zlib.compress, zlib.compress),
        ("deflate", raw_deflate, raw_deflate),
        ("zstd", zstandard.compress, gzip.compress),
    ):
        with pytest.raises(UndecodableBody, match=BEHIND_THE_END):
            decode(encoding, encode(b"body") + other(b"more"))


def test_a_frame_that_is_cut_off_is_called_that():
    for encoding, encode in MEMBERS:
        with pytest.raises(UndecodableBody, match=CUT_OFF):
            decode(encoding, encode(b"body" * 100)[:-3])


@st.composite
def damaged(draw):
    """What an encoder made, then perhaps with a byte changed, cut or continued."""
    encoding, encode = draw(st.sampled_from(list(ENCODINGS.values())))
    raw = bytearray(encode(draw(bodies)))
    what = draw(st.sampled_from(["nothing", "change", "cut", "go on"]))
    place = draw(st.integers(0, len(raw) - 1))
    if what == "change":
        raw[place] = draw(st.integers(0, 255))
    elif what == "cut":
        del raw[place:]
    elif what == "go on":
        raw += draw(st.binary(max_size=20))
    return encoding, bytes(raw)


any_bytes = st.tuples(
    st.sampled_from(["zstd", "gzip", "deflate"]),
    st.binary(max_size=500) | st.binary(max_size=500).map(lambda raw: ZSTD_MAGIC + raw),
)


@given(any_bytes | damaged())
def test_no_bytes_raise_anything_but_the_documented_error(encoded):
    try:
        decode(*encoded)
    except UndecodableBody:
        return


@pytest.mark.parametrize(("window_log", "is_taken"), [(23, True), (24, False)])
def test_a_frame_may_refer_back_by_so_much(window_log, is_taken):
    """What it refers to is held, whatever the frame then becomes."""
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = b"x" * (9 << 20)
    raw = compressor.compress(body) + compressor.flush()
    if is_taken:
        assert decode("zstd", raw) == body
    else:
        with pytest.raises(UndecodableBody):
            decode("zstd", raw)


@pytest.mark.parametrize("encoding", ["br", "gzip, zstd", "x"])
def test_unknown_encodings_are_refused(encoding):
    with pytest.raises(UndecodableBody, match="Unsupported Content-Encoding"):
        decoder_for(encoding, b"body")
