"""`run.py export` and `backup`: the record taken elsewhere."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from gateway.admin import reports
from gateway.admin.entities import LOG_STATUSES, LONGEST_PAGE
from gateway.admin.explained.exported import (
    EXPORTED_FIELDS,
    csv_cells,
    csv_line,
    json_line,
)
from gateway.cli.base import connected_database, local_settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.guide.stored_names import names_of
from gateway.cli.output import print_result
from gateway.cli.progress import Progress
from gateway.cli.upkeep.new_file import force_option, new_file, own_files
from gateway.settings import Settings
from gateway.settings.zones import machine_zone, zone_named
from gateway.store.backup import BackupFailed, back_up
from gateway.store.log.queries import LogFilter, Record


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
        is_json = as_json or kind == "jsonl"
        if not is_json:
            file.write(csv_cells(EXPORTED_FIELDS))
        for row in shown:
            file.write(json_line(row) + "\n" if is_json else csv_line(row))


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
