"""Bodies that would hold the loop are refused before they are parsed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas import prescan
from schemas.prescan import refuse_costly
from schemas.requests import load_request
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
    ],
    ids=["empty lists", "depth", "keys", "strings", "numbers"],
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


@given(st.lists(st.text() | st.lists(st.integers(), max_size=5), max_size=20))
def test_the_count_is_that_of_the_parsed_value(value):
    """Compact JSON has one comma or bracket a value: what a parser would make."""
    data = json.dumps(value, separators=(",", ":")).encode()
    plain = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = b"".join(plain.split(b'"')[::2])
    lists = [one for one in value if isinstance(one, list)]
    commas = max(0, len(value) - 1) + sum(max(0, len(one) - 1) for one in lists)
    assert prescan._structure(outside) == 1 + len(lists) + commas
