"""Rows of the log as lines of a file: CSV for spreadsheets, JSON for programs."""

import csv
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.store.log.log_rows import COLUMNS

EXPORTED_FIELDS = (*COLUMNS, "key", "account", "device")
_FORMULA = frozenset("=+-@")
_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def json_line(row: Mapping[str, Any]) -> str:
    """The object as JSON, in ASCII where a character of it could steer a terminal."""
    line = json.dumps(row, ensure_ascii=False, default=str)
    return line if line.isprintable() else json.dumps(row, default=str)


def csv_line(row: Mapping[str, Any], fields: Sequence[str] = EXPORTED_FIELDS) -> str:
    """The cells of some fields, with the line's end."""
    return csv_cells(_harmless(row[name]) for name in fields)


def csv_cells(cells: Iterable[Any]) -> str:
    line: str = _WRITER.writerow(cells)
    return line


class _Line:
    """A file whose `write` hands back, which is what a writer's rows return."""

    def write(self, line: str) -> str:
        return line


_WRITER = csv.writer(_Line())


def _harmless(value: Any) -> Any:
    """A cell without control characters, which no spreadsheet takes for a formula.

    Clients choose some texts. Spaces before a formula are passed over, and full-width
    signs are read as the plain ones. In many countries a semicolon ends a cell.
    """
    if isinstance(value, list | dict):
        value = json.dumps(value)
    if not isinstance(value, str) or value == "":
        return value
    return ";".join(map(_harmless_part, value.split(";")))


def _harmless_part(part: str) -> str:
    begins_formula = unicodedata.normalize("NFKC", part).lstrip()[:1] in _FORMULA
    plain = "".join(c if c.isprintable() else _UNPRINTABLE for c in part)
    return ("'" if begins_formula else "") + plain
