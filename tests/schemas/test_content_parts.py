"""Parts of chat's content as parts of a Responses item."""

import pytest

from schemas.content_parts import MessageError, input_parts, seen_parts

TEXT = {"type": "text", "text": "t"}
URL, DATA = "https://example.org/a.pdf", "data:a/b;base64,QQ=="


def input_part(part, *, native_parts):
    (converted,) = input_parts([part], native_parts=native_parts)
    return converted


def converted(**file):
    return input_part({"type": "file", "file": file}, native_parts=False)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ({"file_url": URL}, {"file_url": URL}),
        ({"file_url": DATA}, {"file_data": DATA}),
        ({"file_data": DATA}, {"file_data": DATA}),
        ({"data": DATA}, {"file_data": DATA}),
        ({"file_data": "QQ==", "mime_type": "a/b"}, {"file_data": DATA}),
        ({"data": "QQ==", "content_type": "a/b"}, {"file_data": DATA}),
        # The first that is whole counts.
        ({"file_url": URL, "file_data": DATA}, {"file_url": URL}),
        ({"file_url": "", "file_data": DATA}, {"file_data": DATA}),
        ({"file_url": 5, "data": DATA}, {"file_data": DATA}),
        ({"file_data": "", "data": DATA}, {"file_data": DATA}),
        ({"file_data": 5, "data": DATA}, {"file_data": DATA}),
        (
            {"file_data": "QR==", "data": "QQ==", "content_type": "a/b"},
            {"file_data": DATA},
        ),
    ],
)
def test_a_file_goes_up_by_its_url_or_as_data_with_its_type(file, source):
    assert converted(**file) == {"type": "input_file", **source}
    named = converted(**file, filename="a.pdf")
    assert named == {"type": "input_file", **source, "filename": "a.pdf"}
    assert converted(**file, filename=5) == {"type": "input_file", **source}


@pytest.mark.parametrize(
    "file",
    [
        {},
        {"file_url": None},
        {"file_data": "QQ=="},
        {"file_data": "QQ==", "mime_type": ""},
        {"file_data": "QQ==", "mime_type": 5},
        # Each spelling has a name of its own for the type.
        {"file_data": "QQ==", "content_type": "a/b"},
        {"data": "QQ==", "mime_type": "a/b"},
        {"mime_type": "a/b"},
    ],
)
def test_a_file_without_a_source_is_refused(file):
    with pytest.raises(MessageError, match="needs a URL, or data and its type"):
        converted(**file)


@pytest.mark.parametrize("part", [{"type": "file"}, {"type": "file", "file": "x"}])
def test_a_file_part_holds_an_object(part):
    with pytest.raises(MessageError, match="needs its file object"):
        input_part(part, native_parts=False)


def test_an_image_keeps_its_detail_where_it_has_one():
    image = {"type": "input_image", "image_url": "u"}
    for told, kept in (
        ({"url": "u"}, {}),
        ({"url": "u", "detail": None}, {}),
        ({"url": "u", "detail": "low"}, {"detail": "low"}),
    ):
        part = {"type": "image_url", "image_url": told}
        assert input_part(part, native_parts=False) == image | kept
    for wrong in (None, "u", {}, {"url": None}):
        with pytest.raises(MessageError, match=r"needs image_url\.url"):
            input_part({"type": "image_url", "image_url": wrong}, native_parts=False)


def test_native_parts_pass_where_they_may_stand_only():
    part = {"type": "input_text", "text": "t"}
    assert input_part(part, native_parts=True) == part
    with pytest.raises(MessageError, match="type input_text are not available"):
        input_part(part, native_parts=False)
    with pytest.raises(MessageError, match="unknown type"):
        input_part({"type": "a secret"}, native_parts=True)
    for none in ({}, {"type": None}, "t", None):
        with pytest.raises(MessageError, match="needs a type"):
            input_part(none, native_parts=True)


@pytest.mark.parametrize("kind", ["input_image", "input_file"])
def test_a_stored_file_is_refused_and_its_place_is_the_messages(kind):
    with pytest.raises(MessageError) as refused:
        input_parts([TEXT, {"type": kind, "file_id": "f"}], native_parts=True)
    told = str(refused.value.within("messages[3]"))
    assert told.startswith("messages[3].content[1]: stored files")


def test_only_what_text_cannot_stand_for_is_a_list():
    file = {"type": "input_file", "file_url": URL}
    assert seen_parts("text") is None
    assert seen_parts([{"type": "text", "text": "t"}, "t", 5]) is None
    assert seen_parts({"type": ["input_file"]}) is None
    assert seen_parts(file) == [file]
    assert seen_parts(["t", file]) == [{"type": "input_text", "text": "t"}, file]
