"""The pages that an answer cites, as a chat completion names them."""

from typing import Any

from gateway.protocol.lenient_json import text
from gateway.protocol.numbers import count

Part = tuple[int | str, int, str]  # item, content part, kind of text
# Each takes a place in memory; an answer has a dozen.
_MAX_CITATIONS = 10_000


class Citations:
    """The pages that the text names; chat knows no other annotations.

    Their places are counted in the whole text, of which upstream's parts are pieces.
    """

    def __init__(self) -> None:
        self._starts: dict[Part, int] = {}
        self._length = 0
        self._found: dict[tuple[Part, int], dict[str, Any]] = {}

    def add_text(self, part: Part, length: int) -> None:
        self._starts.setdefault(part, self._length)
        self._length += length

    def add_all(self, part: Part, annotations: Any) -> None:
        if isinstance(annotations, list):
            for index, annotation in enumerate(annotations):
                self.add(part, index, annotation)

    def add(self, part: Part, index: Any, annotation: Any) -> None:
        if not isinstance(annotation, dict) or not text(annotation.get("url")):
            return
        if (
            annotation.get("type") == "url_citation"
            and len(self._found) < _MAX_CITATIONS
        ):
            place = index if isinstance(index, int) else len(self._found)
            self._found[part, place] = annotation

    def told(self) -> list[dict[str, Any]]:
        """All of them, in chat's shape."""
        return [
            {
                "type": "url_citation",
                "url_citation": {
                    "start_index": start + count(cited.get("start_index")),
                    "end_index": start + count(cited.get("end_index")),
                    "url": cited["url"],
                    "title": text(cited.get("title")) or "",
                },
            }
            for (part, _), cited in self._found.items()
            for start in (self._starts.get(part, 0),)
        ]


def citations_in(output: Any) -> list[dict[str, Any]]:
    """The citations of a finished response, for whoever names them only there."""
    found = Citations()
    for place, item in enumerate(output if isinstance(output, list) else ()):
        content = item.get("content") if isinstance(item, dict) else None
        for index, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, dict) and part.get("type") == "output_text":
                key = (place, index, "content")
                found.add_text(key, len(text(part.get("text")) or ""))
                found.add_all(key, part.get("annotations"))
    return found.told()
