"""The documents that are shipped: sections of them, and rows of their tables."""

import re
from collections.abc import Iterator
from pathlib import Path

# A clone, or what an installed gateway has of it.
ROOT = Path(__file__).resolve().parents[3]
ERRORS_DOCUMENT = "docs/errors.md"
SETTINGS_DOCUMENT = "docs/settings.md"
_HEADING = re.compile(r"(#+) (.*)")
_CELL = re.compile(r"(?<!\\)\|")


def section(name: str, heading: str = "") -> str:
    """What stands below a heading, with those below it; "": all of the document."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    if not heading:
        return "\n".join(lines)
    start, depth = next(
        (number, len(found[1]))
        for number, found in _headings(lines)
        if found[2] == heading
    )
    ends = (n for n, found in _headings(lines) if n > start and len(found[1]) <= depth)
    return "\n".join(lines[start : next(ends, len(lines))]).rstrip()


def _headings(lines: list[str]) -> Iterator[tuple[int, re.Match[str]]]:
    """Outside of code, where a # begins a comment."""
    is_code = False
    for number, line in enumerate(lines):
        is_code ^= line.startswith("```")
        found = _HEADING.fullmatch(line)
        if found is not None and not is_code:
            yield number, found


def rows(name: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The rows of all tables: what is named in a row's first cell, and its cells."""
    titles: list[str] = []
    for line in (ROOT / name).read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in _CELL.split(line)[1:-1]]
        if not line.startswith("|"):
            titles = []
        elif not titles:
            titles = cells
        elif set(cells[0]) != {"-"}:
            yield (
                re.findall(r"`(\w+)`", cells[0]),
                dict(zip(titles, cells, strict=False)),
            )


def described() -> dict[str, list[dict[str, str]]]:
    """Rows by the code of an error, or by the name of a setting."""
    found: dict[str, list[dict[str, str]]] = {}
    for document in (ERRORS_DOCUMENT, SETTINGS_DOCUMENT):
        for names, row in rows(document):
            for one in names:
                if document == ERRORS_DOCUMENT or one.startswith("GATEWAY_"):
                    found.setdefault(one, []).append(row)
    return found
