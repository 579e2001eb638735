"""The scanner: blocks of a byte stream, whatever its chunks and line ends are."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sse import (
    Event,
    EventScanner,
    EventTooLarge,
    event_type,
    events,
    is_notable,
    parts,
)

PIECES = [
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\xef\xbb\xbf",
    b"data",
    b": ",
    b":",
    b"data: ",
    b'data: {"type":"response.created"}',
    b"event: x",
    b": comment",
    "data: é€𐍈".encode(),
    b"\x00\xff",
]
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


class CountingBuffer(bytearray):
    """Counts the bytes that searches may look at."""

    searched = 0

    def find(self, wanted, start=0, *end):
        self.searched += len(self) - start
        return super().find(wanted, start, *end)

    def rfind(self, wanted, start=0, *end):
        self.searched += len(self) - start
        return super().rfind(wanted, start, *end)


@pytest.mark.parametrize("byte", [b"x", b"\r", b" "])
def test_a_drip_of_single_bytes_is_never_searched_again(byte):
    scanner = EventScanner()
    scanner._tail = buffer = CountingBuffer(b"data: ")
    size = 64 * 1024
    for _ in range(size):
        scanner.split(byte)
        scanner.split(b"y")
    assert buffer.searched < 2 * size * 16


@pytest.mark.parametrize(
    ("data", "type"),
    [
        (b'{"type":"a.b"}', "a.b"),
        (b' {\t"type" : "a.b" , "x":1}', "a.b"),
        (b'{"sequence_number":1,"type":"a"}', "a"),
        (b'{"a":0,' + b'"b":1,' * 100 + b'"type":"a"}', "a"),
        (b'{"a":"x","b":-1.5e3,"c":null,"d":true, "type":"a"}', "a"),
        (b'{"delta":"\\"type\\":\\"error\\"","type":"a"}', "a"),
        (b'{"item":{"type":"message"},"type":"a"}', "a"),
        (b'{"item":{"type":"message"}}', ""),
        (b'{"x":"type","y":"z"}', ""),
        (b'{"type":"\\u0061"}', "a"),
        (b'{"\\u0074ype":"a"}', "a"),
        (b'{"type":1}', ""),
        (b'{"type":null,"x":"y"}', ""),
        (b"[DONE]", "[DONE]"),
        (b" [DONE] ", "[DONE]"),
        (b"[1]", ""),
        (b"{not json", ""),
        (b"", ""),
    ],
)
def test_the_type_is_the_top_level_one(data, type):
    assert event_type(data) == type
    assert event_type(data.decode()) == type


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "a", '"type"', "é"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["type", "a", "b", "item"]), json_values),
    st.booleans(),
    st.sampled_from([(",", ":"), (" , ", " : "), (",\n", ":\t")]),
)
def test_the_quick_look_agrees_with_a_parser(event, ascii_only, separators):
    text = json.dumps(event, ensure_ascii=ascii_only, separators=separators)
    expected = event.get("type")
    expected = expected if isinstance(expected, str) else ""
    assert event_type(text) == expected
    if text.isascii() or not ascii_only:
        assert event_type(text.encode("utf-8", "surrogatepass")) == expected


@given(st.binary() | st.text())
def test_any_data_has_some_type(data):
    assert isinstance(event_type(data), str)


NOTABLE = [
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.metadata",
    "error",
    "codex.rate_limits",
]


@given(
    st.sampled_from(NOTABLE),
    st.lists(st.integers(0, 30), max_size=4),
    st.sampled_from(["", " ", "\t ", "\n"]),
    st.booleans(),
    st.booleans(),
)
def test_no_spelling_of_a_notable_type_is_missed(
    name, escaped, space, is_upper, key_escaped
):
    def spell(position, character):
        if position not in escaped:
            return character
        code = f"{ord(character):04x}"
        return "\\u" + (code.upper() if is_upper else code)

    value = "".join(spell(*pair) for pair in enumerate(name))
    key = "t\\u0079pe" if key_escaped else "type"
    data = f'{{"a":1,"{key}"{space}:{space}"{value}"}}'.encode()
    assert json.loads(data)["type"] == name
    assert is_notable(b"event: x\ndata: " + data + b"\n\n")
    assert event_type(data) == name


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"response.output_text.delta","delta":" and the error failed."}',
        b'{"type":"response.output_text.delta","delta":"\\u003cb\\u003e \\n \\u00e9"}',
        b'{"type":"response.function_call_arguments.delta","delta":"{\\"a\\":1"}',
    ],
)
def test_the_common_deltas_are_not_notable(data):
    assert not is_notable(b"data: " + data + b"\n\n")


@given(
    st.lists(
        st.sampled_from([*PIECES[:9], b'data: {"type":"response.completed"}\n\n'])
        | st.binary(max_size=4),
        max_size=30,
    ).map(b"".join)
)
def test_parts_are_the_block_and_every_notable_event_is_one(stream):
    block = EventScanner().split(stream)
    found = list(parts(block))
    raws = [part if isinstance(part, bytes) else part.raw for part in found]
    assert b"".join(raws) == block
    taken = {part.raw for part in found if isinstance(part, Event)}
    assert all(one.raw in taken for one in events(block) if is_notable(one.raw))
