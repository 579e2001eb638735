"""Frames: whatever the reads, the same messages, byte for byte."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol import websocket_frames
from gateway.protocol.websocket_frames import Control, FrameSplitter, ProtocolError

LIMIT = 200_000
SIZES = (0, 1, 125, 126, 127, 65535, 65536, 70_000)
messages = st.tuples(
    st.sampled_from([websocket_frames.TEXT, websocket_frames.BINARY]),
    st.binary(max_size=40) | st.sampled_from([b"x" * size for size in SIZES]),
)


def fragments(opcode, payload, cuts):
    """One message in several frames."""
    edges = [0, *sorted(min(cut, len(payload)) for cut in cuts), len(payload)]
    pieces = [payload[a:b] for a, b in itertools.pairwise(edges)]
    made = []
    for index, piece in enumerate(pieces):
        one = bytearray(websocket_frames.frame(piece, opcode if index == 0 else 0))
        if index < len(pieces) - 1:
            one[0] &= 0x7F
        made.append(bytes(one))
    return made


def split(chunks, limit=LIMIT):
    splitter = FrameSplitter(limit)
    return b"".join(splitter.feed(chunk) for chunk in chunks), splitter.controls


@given(st.lists(messages, max_size=6), st.lists(st.integers(0, 300_000), max_size=8))
def test_whole_messages_pass_as_they_came_whatever_the_reads(sent, cuts):
    stream = b"".join(
        websocket_frames.frame(payload, opcode) for opcode, payload in sent
    )
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(edges)]
    run, controls = split(chunks)
    assert run == stream
    assert list(websocket_frames.payloads(run)) == sent
    assert controls == []


@given(messages, st.lists(st.integers(0, 70_000), max_size=4), st.data())
def test_a_message_in_fragments_becomes_one_frame(message, cuts, data):
    opcode, payload = message
    made = fragments(opcode, payload, cuts)
    where = data.draw(st.integers(0, len(made)))
    made.insert(where, websocket_frames.frame(b"are you there", websocket_frames.PING))
    run, controls = split(made)
    assert run == websocket_frames.frame(payload, opcode)
    assert controls == [Control(websocket_frames.PING, b"are you there")]


@st.composite
def nearly_frames(draw):
    """Frames as a server sends them, and perhaps one bit of them is another."""
    frames = [
        websocket_frames.frame(payload[:200], opcode)
        for opcode, payload in draw(st.lists(messages, min_size=1, max_size=3))
    ]
    opcode, payload = draw(messages)
    frames += fragments(opcode, payload[:200], draw(st.lists(st.integers(0, 200))))
    stream = bytearray(b"".join(frames))
    if draw(st.booleans()):
        stream[draw(st.integers(0, len(stream) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(stream)


@given(
    st.binary(max_size=300) | nearly_frames(),
    st.lists(st.integers(0, 300), max_size=5),
)
def test_no_bytes_raise_anything_but_the_documented_error(stream, cuts):
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    splitter = FrameSplitter(1_000)
    try:
        for a, b in itertools.pairwise(edges):
            for _ in websocket_frames.payloads(splitter.feed(stream[a:b])):
                pass
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    "stream",
    [
        websocket_frames.frame(b"x" * 101),
        b"".join(fragments(websocket_frames.TEXT, b"x" * 150, [60, 120])),
        b"\x81\x7f" + (1 << 62).to_bytes(8, "big"),
    ],
    ids=["frame", "fragments", "announced"],
)
def test_more_than_the_limit_is_refused_before_it_is_held(stream):
    with pytest.raises(ProtocolError):
        split([stream], limit=100)


@pytest.mark.parametrize(
    "stream",
    [b"\xc1\x01x", b"\x83\x01x", b"\x81\x81abcdx", b"\x80\x01x", b"\x09\x01x"],
    ids=["extension", "opcode", "mask", "continuation", "cut control"],
)
def test_what_a_server_may_not_send_is_refused(stream):
    with pytest.raises(ProtocolError):
        split([stream])


def test_a_large_frame_in_many_reads_is_joined_once():
    stream = websocket_frames.frame(b"x" * 1_000_000)
    splitter = FrameSplitter(2_000_000)
    looks = 0
    for start in range(0, len(stream), 100):
        looks += bool(splitter.feed(stream[start : start + 100]))
    assert looks == 1


def test_messages_before_a_defect_are_given_first():
    good = websocket_frames.frame(b"good")
    splitter = FrameSplitter(100)
    assert splitter.feed(good + b"\xc1\x01x") == good
    assert splitter.error is not None
    with pytest.raises(ProtocolError):
        splitter.feed(good)
