"""Bodies of HTTP answers: whole however they come, and nothing taken for one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.http_framing import Chunked, Endless, Sized, framing_of

PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
# Enough to be taken as one run, with bytes in them that look like framing.
ODD = st.sampled_from([b"\r\n5\r\n", b"\r\n", b"0\r\n\r\n", b"a" * 300, b"b" * 999])
MANY = st.lists(st.lists(ODD, min_size=1).map(b"".join), min_size=8, max_size=30)
CUTS = st.lists(st.integers(0, 400), max_size=12)
EXTENSIONS = st.sampled_from([b"", b";a=b", b" ; x", b"\t"])
TRAILERS = st.lists(st.sampled_from([b"x: y\r\n", b"Expires: 0\r\n"]), max_size=2)


def cut(data, cuts):
    """`data` in pieces, cut at these places."""
    places = sorted({min(place, len(data)) for place in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def fed(framing, pieces):
    return b"".join(framing.feed(piece) for piece in pieces)


@given(PIECES, CUTS, EXTENSIONS, TRAILERS)
def test_chunks_come_out_whole_wherever_they_are_cut(pieces, cuts, extension, trailers):
    wire = b"".join(b"%X%b\r\n%b\r\n" % (len(p), extension, p) for p in pieces)
    wire += b"0\r\n" + b"".join(trailers) + b"\r\n"
    framing = Chunked()
    assert fed(framing, cut(wire, cuts)) == b"".join(pieces)
    assert framing.is_over
    assert not framing.has_surplus


@given(MANY, st.sampled_from([b"", b"0\r\n\r\n", b"7\r\nhal", b"zz", b"0\r\n\r\nx"]))
def test_many_chunks_at_once_are_the_same_as_one_by_one(pieces, end):
    wire = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end
    at_once, one_by_one = Chunked(), Chunked()
    body = at_once.feed(wire)
    assert body == fed(one_by_one, [wire[i : i + 99] for i in range(0, len(wire), 99)])
    assert body.startswith(b"".join(pieces))
    assert at_once.is_over is one_by_one.is_over is end.startswith(b"0")
    assert at_once.fault == one_by_one.fault


@given(PIECES, CUTS)
def test_a_body_is_not_over_before_its_last_byte(pieces, cuts):
    wire = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    framing = Chunked()
    fed(framing, cut(wire + b"0\r\n\r", cuts))
    assert not framing.is_over


@given(st.binary(max_size=400), CUTS)
def test_any_bytes_are_chunks_or_refused(data, cuts):
    framing = Chunked()
    body = fed(framing, cut(data, cuts))
    assert len(body) <= len(data)
    assert not (framing.fault and framing.is_over)


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\n",
        b"-1\r\nx\r\n",
        b"0x1\r\nx\r\n",
        b"+1\r\nx\r\n",
        b"1_0\r\nx\r\n",
        b"g\r\n",
        b" 1\r\nx\r\n",
        b"1\nx\n",
        b"1\r\nxy\r\n",
        b"1\r\nx\n\r\n",
        b"11111111111111111\r\n",
        b"1;" + b"x" * 5000,
    ],
)
def test_what_is_no_chunk_is_a_fault_and_what_came_before_is_kept(wire):
    wire = b"2\r\nok\r\n" + wire + b"2\r\nno\r\n0\r\n\r\n"
    for pieces in ([wire], [wire[i : i + 1] for i in range(len(wire))]):
        framing = Chunked()
        assert fed(framing, pieces) in (b"ok", b"okx")
        assert "chunk" in framing.fault
        assert not framing.is_over


def test_what_comes_behind_a_body_is_noticed():
    chunked, sized = Chunked(), Sized(2)
    assert chunked.feed(b"1\r\nx\r\n0\r\n\r\nHTTP/1.1 200 OK") == b"x"
    assert sized.feed(b"xyz") == b"xy"
    assert chunked.has_surplus
    assert sized.has_surplus


@given(st.binary(max_size=60), CUTS)
def test_a_sized_body_ends_with_its_last_byte(data, cuts):
    framing = Sized(len(data))
    assert framing.is_over is (data == b"")
    assert fed(framing, cut(data, cuts)) == data
    assert framing.is_over


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (200, {"transfer-encoding": "chunked"}, Chunked),
        (200, {"transfer-encoding": "gzip, Chunked", "content-length": "3"}, Chunked),
        (200, {"transfer-encoding": "gzip"}, Endless),
        (200, {"content-length": "3"}, Sized),
        (200, {}, Endless),
        (204, {"transfer-encoding": "chunked"}, Sized),
        (304, {"content-length": "3"}, Sized),
    ],
)
def test_the_head_tells_the_framing(status, headers, kind):
    framing = framing_of(status, headers)
    assert type(framing) is kind
    assert framing.is_over is (status != 200)


@pytest.mark.parametrize("length", ["", "-1", "1.0", "1,1", "٣", "9" * 20])
def test_a_length_that_is_none_is_refused(length):
    with pytest.raises(ValueError, match="Content-Length"):
        framing_of(200, {"content-length": length})


def test_the_largest_length_that_is_believed_has_19_digits():
    assert isinstance(framing_of(200, {"content-length": "9" * 19}), Sized)
