"""`run.py export` and `backup`: the record taken elsewhere."""

import csv
import json
import os
import stat
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from gateway.admin import reports
from gateway.admin.entities import LOG_STATUSES, LONGEST_PAGE
from gateway.cli.base import connected_database, local_settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.guide.stored_names import names_of
from gateway.cli.output import json_line, print_result, text
from gateway.cli.progress import Progress
from gateway.cli.upkeep.new_file import force_option, new_file, own_files
from gateway.settings import Settings
from gateway.settings.zones import machine_zone, zone_named
from gateway.store.backup import BackupFailed, back_up
from gateway.store.log.log_rows import COLUMNS
from gateway.store.log.queries import LogFilter, Record

_FORMULA = frozenset("=+-@")
_FIELDS = (*COLUMNS, "key", "account")


@click.command(cls=Command)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "jsonl"]),
    default="jsonl",
    show_default=True,
    help="For spreadsheets, or for programs.",
)
@click.option("--output", type=click.Path(path_type=Path), help="A file; not stdout.")
@click.option("--key", shell_complete=names_of("keys"), help="Name of an API key.")
@click.option(
    "--account", shell_complete=names_of("accounts"), help="Name of an account."
)
@click.option("--model", help="Name of a model.")
@click.option("--status", type=click.Choice(LOG_STATUSES), help="How it ended.")
@click.option("--since", help="2h, 7d, today, this week or a date.")
@force_option
@local_settings_and_json
def export(
    settings: Settings,
    /,
    kind: str,
    output: Path | None,
    force: bool,
    as_json: bool,
    **wanted: Any,
) -> None:
    """The request log as CSV or JSON, newest first.

    One object a line. --json is the same as --format jsonl.
    """
    with (
        _destination(settings, output, force) as file,
        connected_database(settings),
        Progress(
            "Exporting",
            unit="rows",
            quiet=as_json or not (output or _is_file(sys.stdout)),
        ) as progress,
    ):
        zone = zone_named(machine_zone())
        rows = _pages(reports.log_filter(wanted, time.time(), zone))
        shown = progress.count(rows)
        if as_json or kind == "jsonl":
            for row in shown:
                file.write(json_line(row) + "\n")
        else:
            _write_csv(shown, file)


def _pages(wanted: LogFilter) -> Iterator[Record]:
    """All rows, read a page at a time."""
    before: int | None = None
    while rows := reports.log_rows(wanted, before=before, limit=LONGEST_PAGE):
        yield from rows
        before = rows[-1]["id"]


def _is_file(stream: IO[str]) -> bool:
    """Not a terminal or a pipe, whose reader sees the rows."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:
        return False


@contextmanager
def _destination(
    settings: Settings, output: Path | None, force: bool
) -> Iterator[IO[str]]:
    if output is None:
        yield sys.stdout
        return
    with (
        new_file(output, force=force, spared=own_files(settings)) as written,
        written.open("x", encoding="utf-8", newline="") as file,
    ):
        yield file


def _write_csv(rows: Iterator[Record], file: IO[str]) -> None:
    writer = csv.DictWriter(file, _FIELDS, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        for name in ("changes", "receipt"):
            row[name] = json.dumps(row[name])
        writer.writerow({name: _harmless(row[name]) for name in _FIELDS})


def _harmless(value: Any) -> Any:
    """A cell without control characters, which no spreadsheet takes for a formula.

    Clients choose some texts. Spaces before a formula are passed over, and full-width
    signs are read as the plain ones. In many countries a semicolon ends a cell.
    """
    if not isinstance(value, str) or value == "":
        return value
    return ";".join(map(_harmless_part, value.split(";")))


def _harmless_part(part: str) -> str:
    begins_formula = unicodedata.normalize("NFKC", part).lstrip()[:1] in _FORMULA
    return ("'" if begins_formula else "") + (part and text(part))


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@force_option
@local_settings_and_json
def backup(settings: Settings, file: Path, force: bool, as_json: bool) -> None:
    """Copy the database to a new file.

    Also while the gateway runs. The copy is opened, checked and counted. Credentials
    in it are encrypted: keep the encryption key of the data directory as well,
    elsewhere.
    """
    with (
        new_file(file, force=force, spared=own_files(settings)) as written,
        connected_database(settings) as database,
        Progress("Copying", unit="pages", quiet=as_json) as progress,
    ):
        try:
            counted = back_up(database, written, progress.update)
        except BackupFailed as error:
            raise click.ClickException(str(error)) from error
    told = ", ".join(f"{number} {name}" for name, number in counted.items() if number)
    row = {"file": str(file), "bytes": file.stat().st_size, "rows": counted}
    print_result(
        row, f"{file}: {told or 'an empty database'}, checked.", as_json=as_json
    )
