"""An event's type is found without parsing its data."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.event_kinds import EVENT_KINDS
from gateway.protocol.sse import (
    Event,
    EventScanner,
    event_type,
    events,
    is_notable,
    parts,
)
from tests.gateway.protocol.sse_streams import PIECES

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "a", '"type"', "é"]), inner)
    ),
    max_leaves=8,
)


NOTABLE = [name for name, kind in EVENT_KINDS.items() if kind.is_notable]


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
        (b'{"error":{"message":"m","code":null}}', "error"),
        (b'{"error":"m","type":null}', "error"),
        (b'{"detail":"m"}', "error"),
        (b'{"detail":[{"msg":"m"}]}', "error"),
        (b'{"object":"error","message":"m"}', "error"),
        (b'{"error":null,"detail":""}', ""),
        (b'{"error":{},"x":1}', ""),
        (b'{"error":true}', ""),
        (b'{"type":"a.b","error":{"message":"m"}}', "a.b"),
        (b"[DONE]", "[DONE]"),
        (b" [DONE] ", "[DONE]"),
        (b"[1]", ""),
        (b"{not json", ""),
        (b"", ""),
    ],
)
def test_the_type_is_the_top_level_one(data, type):
    assert event_type(data) == type


@given(
    st.dictionaries(st.sampled_from(["type", "a", "b", "item"]), json_values),
    st.booleans(),
    st.sampled_from([(",", ":"), (" , ", " : "), (",\n", ":\t")]),
)
def test_the_quick_look_agrees_with_a_parser(event, ascii_only, separators):
    text = json.dumps(event, ensure_ascii=ascii_only, separators=separators)
    expected = event.get("type")
    expected = expected if isinstance(expected, str) else ""
    assert event_type(text.encode("utf-8", "surrogatepass")) == expected


@given(st.binary() | st.text().map(str.encode))
def test_any_data_has_some_type(data):
    assert isinstance(event_type(data), str)


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
