"""JSON of any writer: what it says, as far as it says it, and never for long."""

import json

import pytest

from gateway.protocol.lenient_json import child, dump, load_object, text

MIB = 1024 * 1024


@pytest.mark.parametrize("make", [str, str.encode], ids=["text", "bytes"])
def test_what_would_hold_the_loop_for_long_is_not_parsed(make):
    sparse = '{"a": "' + "x" * 2 * MIB + '"}'
    dense = '{"a": [' + "1," * 1_000_100 + "1]}"
    small = '{"a": [' + "1," * 400_000 + "1]}"
    assert len(load_object(make(sparse))["a"]) == 2 * MIB
    assert len(load_object(make(small))["a"]) == 400_001
    assert load_object(make(dense)) == {}
    for opening, closing in ("[]", "{}"):
        nested = '{"a": [' + f"{opening}{closing} ," * 600_000 + "1]}"
        assert load_object(make(nested)) == {}


@pytest.mark.parametrize(
    "data", ["", "{", "[]", "1", "null", '"a"', b"\xff", "{'a': 1}"]
)
def test_what_is_no_object_is_an_empty_one(data):
    assert load_object(data) == {}


def test_an_odd_number_does_not_cost_what_stands_beside_it():
    told = load_object('{"a": NaN, "b": [Infinity, -Infinity, 1e999], "c": "x"}')
    assert told["c"] == "x"
    assert told["a"] is None


def test_what_is_read_can_nearly_always_be_written():
    assert dump({"a": [1, "ä"]}) == '{"a":[1,"ä"]}'.encode()
    deep = json.loads('{"a":' * 300 + "1" + "}" * 300)
    assert load_object(json.dumps(deep)) == deep
    assert dump(deep) is None


@pytest.mark.parametrize("value", [None, 5, "", [], {}, True])
def test_only_words_are_texts_and_only_objects_are_children(value):
    assert text(value) is None
    assert child({"a": value}, "a") == {}
    assert child(value, "a") == {}
    assert text("a") == "a"
    assert child({"a": {"b": 1}}, "a") == {"b": 1}
