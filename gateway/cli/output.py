"""What commands print: tables, sentences, one JSON object a line."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from gateway.admin.entity import Changed
from gateway.admin.explained.exported import json_line

OutputRow = Mapping[str, Any]

_LONGEST_LINE = 600  # of an error
UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def print_json(row: OutputRow) -> None:
    """One object, one line; whoever reads it gets it now."""
    click.echo(json_line(row))
    sys.stdout.flush()


def print_table(
    rows: Iterable[OutputRow], columns: Sequence[str], *, as_json: bool
) -> None:
    """A table of the columns, or all of each row as JSON."""
    if as_json:
        for row in rows:
            print_json(row)
        return
    lines = [[text(row.get(name)) for name in columns] for row in rows]
    titles = [name.replace("_", " ").upper() for name in columns]
    widths = [max(map(len, column)) for column in zip(titles, *lines, strict=True)]
    for line in (titles, *lines):
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def print_result(row: OutputRow, sentence: str, *, as_json: bool) -> None:
    """What was done, for programs or for people."""
    if as_json:
        print_json(row)
    else:
        click.echo(printable(sentence))


def print_change(
    changed: Changed, sentence: str, *, as_json: bool, **more: Any
) -> None:
    """A change with what was before and is now."""
    row = {"name": changed.name, **more, **changed.shown()}
    lines = [sentence]
    for field, after in changed.after.items():
        before = _value(field, changed.before[field])
        gone = " (the rule is taken away)" if after in (None, []) else ""
        name = field.replace("_", " ")
        lines.append(f"  {name}: {before} → {_value(field, after)}{gone}")
    if not changed.after:
        lines.append("  It was so before: nothing is different.")
    print_result(row, "\n".join(lines), as_json=as_json)


def _value(field: str, value: Any) -> str:
    if value in (None, [], ""):
        return "none"
    return format_time(value) if field.endswith("_at") else text(value)


def still_holds(account: OutputRow) -> str:
    """The sentence about what keeps an account from its work; "" when nothing does."""
    if account["state"] == "active":
        return ""
    until = account["until"]
    so_long = f" until {format_time(until)}" if until else ""
    return f" It is {account['state'].replace('_', ' ')}{so_long}: {account['why']}."


def text(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(text(one) for one in value) or "-"
    return printable(str(value).replace("\n", UNPRINTABLE))


def printable(words: str) -> str:
    """Words in which only line ends steer the terminal: clients choose some of them."""
    if words.isprintable():
        return words
    return "".join(c if c.isprintable() or c == "\n" else UNPRINTABLE for c in words)


def error_lines(words: str) -> str:
    """An error's lines, cut in the middle: what was typed is quoted in them."""
    lines = printable(words).split("\n")
    return "\n".join(
        line if len(line) <= _LONGEST_LINE else f"{line[:400]}…{line[-150:]}"
        for line in lines
    )


def format_time(seconds: float | None) -> str:
    """A unix time in the zone of whoever reads it."""
    if seconds is None:
        return "-"
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def format_bytes(size: float) -> str:
    """A size in its largest unit, of 1024."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def format_duration(seconds: float) -> str:
    """A duration in its largest unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
