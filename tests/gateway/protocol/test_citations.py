"""Citations of a whole answer, wherever upstream tells of them."""

import pytest

from gateway.protocol.chat.citations import Citations, citations_in


def cited(start=0, end=1, **fields):
    place = {"start_index": start, "end_index": end}
    return {"type": "url_citation", "url": "u", "title": "t", **place, **fields}


def message(*parts):
    return {"type": "message", "content": list(parts)}


def part(text, *annotations):
    return {"type": "output_text", "text": text, "annotations": list(annotations)}


def places(told):
    return [
        (one["url_citation"]["start_index"], one["url_citation"]["end_index"])
        for one in told
    ]


def test_places_are_counted_in_the_text_of_all_parts():
    output = [
        message(part("abc", cited(1, 2)), part("de", cited(0, 1), cited(1, 2))),
        message(part("f", cited(0, 1))),
    ]
    assert places(citations_in(output)) == [(1, 2), (3, 4), (4, 5), (5, 6)]


@pytest.mark.parametrize("text", [None, 5, "", ["a"]])
def test_a_part_without_text_moves_no_other(text):
    output = [message(part(text, cited(0, 1)), part("abc", cited(1, 2)))]
    assert places(citations_in(output)) == [(0, 1), (1, 2)]


@pytest.mark.parametrize(
    "output",
    [
        None,
        {},
        "x",
        [None, "x", {}],
        [{"content": "x"}],
        [message(None, "x", {"type": "refusal", "annotations": [cited()]})],
        [message({"type": "output_text", "annotations": {"a": 1}})],
        [message(part("a", None, "x", {}, {"type": "url_citation"}))],
        [message(part("a", cited(url=""), cited(url=None), cited(url=5)))],
        [message(part("a", {**cited(), "type": "file_citation"}))],
    ],
)
def test_what_is_no_citation_is_left_out(output):
    assert citations_in(output) == []


def test_odd_places_and_titles_are_plain():
    [told] = citations_in([message(part("a", cited(None, "x", title=None)))])
    assert told == {
        "type": "url_citation",
        "url_citation": {"start_index": 0, "end_index": 0, "url": "u", "title": ""},
    }


def test_the_same_citation_told_twice_is_told_once():
    found = Citations()
    one, other = (0, 0, "content"), (0, 1, "content")
    found.add_text(one, 3)
    found.add_text(other, 2)
    found.add_text(one, 4)  # goes on: its beginning stays
    found.add(one, 0, cited(0, 1))
    found.add_all(one, [cited(0, 2), cited(2, 3)])
    found.add(other, 0, cited(0, 1))
    assert places(found.told()) == [(0, 2), (2, 3), (3, 4)]


def test_citations_without_an_index_are_all_kept():
    found = Citations()
    for end in (1, 2, 3):
        found.add((0, 0, "content"), None, cited(0, end))
    assert places(found.told()) == [(0, 1), (0, 2), (0, 3)]


def test_endless_citations_are_bounded():
    found = Citations()
    for number in range(10_005):
        found.add((0, 0, "content"), number, cited())
    assert len(found.told()) == 10_000
