"""Bodies in the clear, whatever a client did to them, within a bound."""

import asyncio
import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.request_body import (
    BodyBudget,
    BodyReader,
    decode_zlib,
    decode_zstd,
)
from gateway.errors import GatewayOverloaded, PayloadTooLarge, UndecodableBody

LIMIT = 10_000
bodies = st.binary(max_size=2_000)


def raw_deflate(body):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


ENCODINGS = {
    "zstd": (zstandard.compress, decode_zstd),
    "gzip": (gzip.compress, decode_zlib),
    "zlib": (zlib.compress, decode_zlib),
    "deflate": (raw_deflate, decode_zlib),
}


@pytest.mark.parametrize(("encode", "decode"), ENCODINGS.values(), ids=ENCODINGS)
@given(body=bodies)
def test_what_was_encoded_is_decoded(encode, decode, body):
    assert decode(encode(body), LIMIT) == body


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
@given(first=bodies, second=bodies)
def test_frames_may_follow_each_other(encoding, first, second):
    encode, decode = ENCODINGS[encoding]
    assert decode(encode(first) + encode(second), LIMIT) == first + second


@pytest.mark.parametrize(("encode", "decode"), ENCODINGS.values(), ids=ENCODINGS)
@given(body=st.binary(min_size=1, max_size=2_000), data=st.data())
def test_a_body_cut_short_is_refused(encode, decode, body, data):
    whole = encode(body)
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(UndecodableBody):
        decode(cut, LIMIT)


@st.composite
def damages(draw, decode):
    """What an encoder made, then perhaps with a byte changed, cut or continued."""
    encoders = [encode for encode, one in ENCODINGS.values() if one is decode]
    encode = draw(st.sampled_from(encoders))
    raw = bytearray(encode(draw(bodies)))
    what = draw(st.sampled_from(["nothing", "change", "cut", "go on"]))
    place = draw(st.integers(0, len(raw) - 1))
    if what == "change":
        raw[place] = draw(st.integers(0, 255))
    elif what == "cut":
        del raw[place:]
    elif what == "go on":
        raw += draw(st.binary(max_size=20))
    return bytes(raw)


@pytest.mark.parametrize("decode", [decode_zstd, decode_zlib])
@given(data=st.data())
def test_no_bytes_raise_anything_but_the_documented_error(decode, data):
    raw = data.draw(st.binary(max_size=500) | damages(decode))
    try:
        decoded = decode(raw, LIMIT)
    except UndecodableBody:
        return
    assert decoded is None or len(decoded) <= LIMIT


@pytest.mark.parametrize(("encode", "decode"), ENCODINGS.values(), ids=ENCODINGS)
def test_a_bomb_is_refused_before_it_is_held(encode, decode):
    assert decode(encode(b"\0" * 50_000_000), LIMIT) is None


def test_the_budget_is_shared_and_given_back():
    budget = BodyBudget(100)
    first, second = BodyReader(budget, 200), BodyReader(budget, 200)
    first.feed(b"x" * 60)
    with pytest.raises(GatewayOverloaded):
        second.feed(b"x" * 50)
    first.release()
    second.feed(b"x" * 50)
    second.release()
    assert budget.used == 0


def test_one_body_is_bounded():
    with pytest.raises(PayloadTooLarge):
        BodyReader(BodyBudget(1_000), 10).feed(b"x" * 11)


@given(body=bodies, encoding=st.sampled_from(["", "identity", "zstd", " ZSTD "]))
def test_zstd_is_known_by_its_magic_whatever_the_header_says(body, encoding):
    reader = BodyReader(BodyBudget(100_000), LIMIT)
    reader.feed(zstandard.compress(body))
    assert asyncio.run(reader.decoded(encoding)) == body
