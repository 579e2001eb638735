"""JSON as clients write it: exact, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.body.json import (
    MOST_LEVELS,
    decode,
    decode_exactly,
    encode,
    has_long_number,
)


def test_an_integer_that_python_will_not_read_is_refused():
    with pytest.raises(ValidationError, match="A number is too long"):
        decode_exactly(b"[" + b"9" * 5000 + b"]")
    assert decode_exactly(b"[" + b"9" * 4000 + b"]") == [int("9" * 4000)]


def test_a_nesting_that_python_will_not_read_is_refused():
    with pytest.raises(ValidationError, match="the nesting too deep"):
        decode_exactly(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize("data", [b"", b"{", b"[1,]", b"nan", b"\xff", b"01"])
def test_what_is_no_json_is_refused(data):
    with pytest.raises(ValidationError, match="Not valid JSON"):
        decode(data)


@pytest.mark.parametrize(
    ("data", "is_long"),
    [
        (b"1234567890123456789", True),
        (b"-1234567890123456789", True),
        (b'{"a":1234567890123456789}', True),
        (b"[1, 1234567890123456789012]", True),
        (b"[\n1234567890123456789]", True),
        (b"123456789012345678", False),
        (b'{"a":"1234567890123456789"}', False),
        (b"[0.1234567890123456789]", False),
        (b'{"a1234567890123456789":1}', False),
    ],
)
def test_long_numbers_are_found_where_a_value_may_stand(data, is_long):
    assert has_long_number(data) is is_long


@given(st.integers(-(2**80), 2**80))
def test_no_integer_is_rounded_without_being_noticed(number):
    data = str(number).encode()
    assert decode(data) == number or has_long_number(data)
    assert decode_exactly(encode(number)) == number


@pytest.mark.parametrize("levels", [200, 300, MOST_LEVELS - 1])
def test_what_is_nested_less_deeply_is_written(levels):
    value = 2**70
    for _ in range(levels):
        value = [value]
    assert encode(value) == b"[" * levels + str(2**70).encode() + b"]" * levels


def test_what_is_nested_too_deeply_is_refused():
    for wrap in (lambda one: [one], lambda one: {"a": one}):
        value = 2**70
        for _ in range(MOST_LEVELS + 1):
            value = wrap(value)
        with pytest.raises(ValidationError, match="Nested too deeply"):
            encode(value)
