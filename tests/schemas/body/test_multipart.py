"""Whether a form has a field, without parsing it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.body.multipart import has_field

FORM = "multipart/form-data; boundary="


def part(head, content=b"x", boundary=b"b"):
    return b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


FILE = b'Content-Disposition: form-data; name="file"; filename="a.wav"'


@pytest.mark.parametrize(
    ("content_type", "body", "found"),
    [
        (FORM + "b", part(FILE), True),
        (FORM + '"b"', part(FILE), True),
        ("Multipart/Form-Data; charset=utf-8; Boundary=b", part(FILE), True),
        (FORM + "b; charset=utf-8", part(FILE), True),
        (FORM + "b", part(FILE, b""), True),
        (FORM + "b", part(b"content-type: audio/wav\r\n" + FILE), True),
        (FORM + "b", part(b"content-disposition: form-data; name=file"), True),
        (FORM + "b", part(FILE.replace(b"name", b"x", 1)), False),
        (FORM + "b", part(b'Content-Disposition: form-data; name="files"'), False),
        (FORM + "b", part(b'Content-Disposition: form-data; filename="file"'), False),
        (
            FORM + "b",
            part(b'Content-Disposition: form-data; name="model"', FILE),
            False,
        ),
        (FORM + "b", b'--b\r\nX: 1\r\n\r\nname="file"', False),
        (FORM + "c", part(FILE), False),
        (FORM + "b", b"", False),
        (FORM, part(FILE), False),
        ("application/json", part(FILE), False),
        ("", part(FILE), False),
        (
            FORM + "b",
            part(b'Content-Disposition: form-data; name="model"') + part(FILE),
            True,
        ),
    ],
)
def test_a_field_is_found_by_its_name(content_type, body, found):
    assert has_field(content_type, body, "file") is found


@given(st.text(max_size=40), st.binary(max_size=200))
def test_any_body_has_it_or_not(content_type, body):
    assert has_field(content_type, body, "file") in (True, False)
    assert has_field(FORM + "b", body, "file") in (True, False)


def test_nothing_but_boundaries_is_given_up_on():
    assert not has_field(FORM + "b", b"--b" * 1_000_000 + part(FILE), "file")
