"""`run.py logs`, `explain`, `rules`, `errors`: the record, read from the database."""

import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import click

from gateway.admin import reports
from gateway.admin.entities import LOG_STATUSES
from gateway.admin.explained.exported import json_line
from gateway.admin.failure_table import FAILURE_COLUMNS, as_markdown, failure_rows
from gateway.cli.base import connected_database, run_query, settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.guide.stored_names import names_of
from gateway.cli.output import format_time, print_json, print_table
from gateway.cli.reports.distant_log import distant_rows
from gateway.cli.reports.receipt import print_receipt
from gateway.cli.reports.refusals import print_refusal, print_refused
from gateway.cli.running.connection import distant_client
from gateway.cli.screen.columns import columns
from gateway.cli.screen.fitting import is_narrow
from gateway.cli.screen.lines import print_lines
from gateway.cli.screen.zone import zone_line
from gateway.settings import Settings
from gateway.settings.zones import machine_zone, zone_named
from gateway.store.log.following import LogFollower
from gateway.store.log.queries import Record

FOLLOW_SECONDS = 0.5
_COLUMNS = columns(
    "time id via key account model outcome http input output took",
    numbers="http input output took",
    extra="via http",
    least=10,
    outcome={"ok": "green", "interrupted": "yellow", "": "red"},
)


@click.command(cls=Command)
@click.option("--key", shell_complete=names_of("keys"), help="Name of an API key.")
@click.option(
    "--account", shell_complete=names_of("accounts"), help="Name of an account."
)
@click.option("--model", help="Name of a model.")
@click.option("--status", type=click.Choice(LOG_STATUSES), help="How it ended.")
@click.option("--since", help="30m, 7d, today, this week or a date.")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=50,
    show_default=True,
    help="At most so many.",
)
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--refused", is_flag=True, help="What was turned away at the door.")
@settings_and_json
def logs(settings: Settings, /, limit: int, as_json: bool, **wanted: Any) -> None:
    """The request log, the newest row last.

    With --refused the requests of a day that were turned away before their turn.
    """
    follow, refused = wanted.pop("follow"), wanted.pop("refused")
    if refused:
        print_refused(settings, {**wanted, "limit": limit}, follow, as_json)
        return
    zone, client = zone_named(machine_zone()), distant_client(settings)
    if client is not None:
        if follow:
            raise click.UsageError("--follow needs the database itself, not a gateway")
        _print_rows(distant_rows(client, wanted, limit, zone), (), as_json)
        return
    with connected_database(settings):
        chosen = reports.log_filter(wanted, time.time(), zone)
        follower = LogFollower(chosen)
        there = reports.latest_rows(chosen, limit, follower.last_id)
        _print_rows(there, _followed(follower) if follow else (), as_json)


def _print_rows(
    there: Iterable[Record], later: Iterable[Record], as_json: bool
) -> None:
    if as_json:
        for row in there:
            sys.stdout.write(json_line(row) + "\n")
        sys.stdout.flush()
        for row in later:
            print_json(row)
        return
    click.echo(zone_line())
    readable = partial(_readable, narrow=is_narrow())
    print_lines(_COLUMNS, map(readable, there), map(readable, later))


def _followed(follower: LogFollower) -> Iterator[Record]:
    """What is written from now on, for ever."""
    while True:
        rows = follower.read()
        yield from reports.named(rows)
        if not rows:
            time.sleep(FOLLOW_SECONDS)


def _readable(row: Record, *, narrow: bool) -> Record:
    took, transport = row["duration_ms"], row["transport"]
    when, id = format_time(row["created_at"] / 1000), row["request_id"]
    outcome = row["error_code"] or row["status"]
    return {
        "time": when[5:] if narrow else when,
        "id": id[: 8 if narrow else 12],
        "via": f"{row['surface']}/{'ws' if transport == 'websocket' else transport}",
        **{name: row[name] for name in ("key", "account", "model")},
        "outcome": "ok" if outcome == "success" else outcome,
        "http": row["http_status"],
        "input": f"{row['input_tokens']:,}",
        "output": f"{row['output_tokens']:,}",
        "took": None if took is None else f"{took / 1000:,.1f} s",
    }


@click.command(cls=Command)
@click.option("--since", default="7d", show_default=True, help="7d, 4w or a date.")
@settings_and_json
def rules(settings: Settings, /, since: str, as_json: bool) -> None:
    """How often requests were changed or refused, and how, by day."""
    rows = run_query(settings, reports.count_rules, since, time.time())
    if not as_json:
        click.echo("Days are those of UTC.")
    print_table(rows, ("day", "kind", "rule", "requests"), as_json=as_json)


@click.command(cls=Command)
@click.argument("request_id")
@settings_and_json
def explain(settings: Settings, request_id: str, as_json: bool) -> None:
    """What became of a request, and why.

    REQUEST_ID is that of a request, its beginning, or a response's.
    """
    row = run_query(settings, reports.find_exchange, request_id)
    if as_json:
        print_json(row)
    elif row["status"] == "refused":
        print_refusal(row)
    else:
        print_receipt(row)


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--markdown", is_flag=True, help="As in docs/errors.md.")
def errors(as_json: bool, markdown: bool) -> None:
    """What each kind of failure leads to.

    What it speaks against, and where the request is tried again.
    """
    if markdown:
        click.echo(as_markdown(), nl=False)
    else:
        print_table(failure_rows(), FAILURE_COLUMNS, as_json=as_json)
