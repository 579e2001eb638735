"""The scanner: blocks of a byte stream, whatever its chunks and line ends are."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sse import (
    EventScanner,
    EventTooLarge,
    events,
)
from tests.gateway.protocol.sse_streams import PIECES

streams = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=30).map(
    b"".join
)


cuts = st.lists(st.integers(0, 120), max_size=12)


def chunks_of(stream, cuts):
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


def scan(chunks):
    scanner = EventScanner()
    found = [event for chunk in chunks for event in scanner.feed(chunk)]
    return found, scanner.rest


def lines_of(stream):
    """The lines of a stream by the standard's grammar, each with its end; slow."""
    lines, start, position = [], 0, 0
    while position < len(stream):
        if stream[position : position + 2] == b"\r\n":
            position += 2
        elif stream[position] in b"\r\n":
            position += 1
        else:
            position += 1
            continue
        lines.append(stream[start:position])
        start = position
    return lines


class CountingBuffer(bytearray):
    """Counts the bytes that searches may look at."""

    searched = 0

    def find(self, wanted, start=0, *end):
        self.searched += len(self) - start
        return super().find(wanted, start, *end)

    def rfind(self, wanted, start=0, *end):
        self.searched += len(self) - start
        return super().rfind(wanted, start, *end)


@given(streams, cuts)
def test_chunk_boundaries_do_not_matter(stream, cuts):
    assert scan(chunks_of(stream, cuts)) == scan([stream])
    assert scan(bytes([byte]) for byte in stream) == scan([stream])


@given(streams, cuts)
def test_what_comes_out_is_what_went_in(stream, cuts):
    found, rest = scan(chunks_of(stream, cuts))
    assert b"".join(event.raw for event in found) + rest == stream


@given(streams, cuts)
def test_split_and_feed_agree(stream, cuts):
    scanner = EventScanner()
    blocks = [scanner.split(chunk) for chunk in chunks_of(stream, cuts)]
    found, rest = scan([stream])
    assert [event for block in blocks for event in events(block)] == found
    assert scanner.rest == rest


@given(streams)
def test_blocks_end_at_empty_lines_as_the_standard_says(stream):
    # A marker behind the stream: a CR at its very end would wait for a LF.
    lines = lines_of(stream + b"x")
    blocks, block = [], b""
    for line in lines:
        block += line
        if not line.strip(b"\r\n"):
            blocks.append(block)
            block = b""
    assert [event.raw for event in scan([stream + b"x"])[0]] == blocks


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"data: a\n\n", b"a"),
        (b"data:a\n\n", b"a"),
        (b"data:  a\n\n", b" a"),
        (b"data\n\n", b""),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"event: e\ndata: a\n\n", b"a"),
        (b"data: a\nevent: e\nid: 1\n\n", b"a"),
        (b"event: e\r\ndata: a\r\n\r\n", b"a"),
        (b"data: a\rdata: b\r\r", b"a\nb"),
        (b"\xef\xbb\xbfdata: a\n\n", b"a"),
        (b": comment\n\n", b""),
        (b"dataset: a\n\n", b""),
        (b"xdata: a\n\n", b""),
        (b"event: data: a\n\n", b""),
        (b"\n", b""),
        (b'data: {"a":\ndata: 1}\n\n', b'{"a":\n1}'),
    ],
)
def test_data_lines_are_joined(raw, data):
    assert [(event.data, event.raw) for event in events(raw)] == [(data, raw)]


def test_a_block_of_endless_lines_is_not_taken_apart():
    raw = b"data: x\n" * 200_000 + b"\n"
    assert events(raw) == [("", b"", raw)]


def test_a_comment_and_an_empty_block_are_events_without_a_type():
    found, rest = scan([b": ping\n\n\ndata: {}\n\n"])
    assert [(event.type, event.data) for event in found] == [
        ("", b""),
        ("", b""),
        ("", b"{}"),
    ]
    assert rest == b""


def test_a_final_cr_waits_for_the_byte_that_decides_it():
    scanner = EventScanner()
    assert scanner.split(b"data: a\r\n\r") == b""
    assert scanner.split(b"\ndata: b\r\r") == b"data: a\r\n\r\n"
    assert scanner.split(b"d") == b"data: b\r\r"
    assert scanner.rest == b"d"


@pytest.mark.parametrize(
    ("tail", "is_whole"),
    [
        (b"data: b\r\r", True),
        (b"data: b\n\r", True),
        (b"data: b\r\n\r", True),
        (b"\r", True),
        (b"data: b\r", False),
        (b"data: b\n", False),
        (b"data: b", False),
        (b"", False),
    ],
)
def test_the_end_of_a_stream_decides_its_final_cr(tail, is_whole):
    scanner = EventScanner()
    assert scanner.split(b"data: a\n\n" + tail) == b"data: a\n\n"
    assert scanner.end() == (tail if is_whole else b"")
    assert scanner.rest == (b"" if is_whole else tail)
    assert scanner.end() == b""


def test_several_blocks_of_one_chunk_come_as_one_piece():
    scanner = EventScanner()
    assert scanner.split(b"data: a\n\ndata: b\n\ndata: c\n") == (
        b"data: a\n\ndata: b\n\n"
    )
    assert scanner.split(b"\n") == b"data: c\n\n"


def test_an_event_that_never_ends_is_refused():
    scanner = EventScanner(max_event_bytes=100)
    scanner.split(b"data: " + b"x" * 94)
    with pytest.raises(EventTooLarge):
        scanner.split(b"x")


def test_the_bound_is_for_the_unfinished_block_only():
    scanner = EventScanner(max_event_bytes=100)
    stream = b"data: x\n\n" * 100 + b"y" * 150
    assert scanner.split(stream) == b"data: x\n\n" * 100
    with pytest.raises(EventTooLarge):
        scanner.split(b"y")


@pytest.mark.parametrize("byte", [b"x", b"\r", b" "])
def test_a_drip_of_single_bytes_is_never_searched_again(byte):
    scanner = EventScanner()
    scanner._tail = buffer = CountingBuffer(b"data: ")
    size = 64 * 1024
    for _ in range(size):
        scanner.split(byte)
        scanner.split(b"y")
    assert buffer.searched < 2 * size * 16
