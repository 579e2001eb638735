"""Bodies that would hold the loop are refused before they are parsed."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.body import prescan
from schemas.body.prescan import refuse_costly
from schemas.request import load_request
from schemas.surfaces import Surface

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"[]," * 3_000_000 + b"[]]",
        b"[" * 2_000_000,
        b"{" + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}",
        b"[" + b",".join([b'""'] * 1_000_000) + b"]",
        b"[" + b"1," * 1_000_000 + b"1]",
        b"[" + (b"[" * 1_000 + b"]" * 1_000 + b",") * 400 + b"0]",
        b"[" + (b'{"a":' * 250 + b"0" + b"}" * 250 + b",") * 700 + b"0]",
    ],
    ids=["empty lists", "depth", "keys", "strings", "numbers", "towers", "objects"],
)
def test_more_values_than_any_request_has_are_refused(body):
    with pytest.raises(ValidationError):
        refuse_costly(body)
    with pytest.raises(ValidationError):
        load_request(body, Surface.CODEX)


def test_depth_below_the_size_of_a_large_body_is_refused_by_the_parser():
    with pytest.raises(ValidationError):
        load_request(b"[" * 100_000 + b"]" * 100_000, Surface.CODEX)


@pytest.mark.parametrize("text", ["a,b:[{" * 500_000, 'say "[,:" \\ ' * 300_000])
def test_what_stands_in_strings_does_not_count(text):
    body = json.dumps({"model": "m", "input": text}).encode()
    assert len(body) > MEBIBYTE
    refuse_costly(body)


documents = st.recursive(
    st.text() | st.integers() | st.none() | st.text(alphabet='"\\\\[,{:x'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(documents, st.integers(1, 40))
def test_what_is_counted_is_what_stands_outside_of_strings(value, size):
    """Wherever the slices are cut, escapes or not."""
    data = json.dumps(value, ensure_ascii=False).encode()
    outside, quotes = b"", 0
    for part, count in prescan._outside_of_strings(data, size):
        outside += part
        quotes += count
    assert outside.decode() == re.sub(r'"(?:[^"\\]|\\.)*"', "", data.decode())
    assert quotes == 2 * len(re.findall(r'"(?:[^"\\]|\\.)*"', data.decode()))


@given(st.binary())
def test_no_bytes_break_it(data):
    assert sum(n for _, n in prescan._outside_of_strings(data, 7)) <= len(data)
