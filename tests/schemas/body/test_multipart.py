"""Forms: whether a field is in one, and those that can be read in one way only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.body.multipart import (
    AmbiguousForm,
    fields_of,
    has_field,
    model_fields,
)

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


def plain(*parts):
    return b"".join(parts) + b"--b--\r\n"


@given(
    st.lists(
        st.tuples(st.sampled_from(["model", "file", "prompt[]"]), st.binary()),
        min_size=1,
        max_size=5,
    )
)
def test_the_fields_of_a_plain_form_are_what_was_written(written):
    written = [(name, value.replace(b"--b", b"")) for name, value in written]
    head = b'Content-Disposition: form-data; name="%b"'
    parts = [part(head % name.encode(), value) for name, value in written]
    fields = fields_of(FORM + "b", plain(*parts))
    assert [(field.name, field.content) for field in fields] == written


pieces = st.sampled_from(
    [b"--b", b"\r\n", b"--", b"\n", b'name="model"', b"Content-Disposition: ", b": x"]
)


@given(st.lists(pieces | st.binary(max_size=20)).map(b"".join))
def test_any_bytes_are_a_plain_form_or_none(body):
    try:
        fields = fields_of(FORM + "b", body)
        models = model_fields(fields)
    except AmbiguousForm:
        return
    assert len(models) <= 1
    assert body.count(b"--b") == len(fields) + 1


def test_a_form_of_nothing_but_boundaries_is_none():
    with pytest.raises(AmbiguousForm):
        fields_of(FORM + "b", b"--b" * 1_000_000)
