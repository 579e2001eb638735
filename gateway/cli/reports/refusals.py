"""What was turned away at the door, and who changed what: the record's side tables."""

import time
from typing import Any

import click

from gateway.admin import reports
from gateway.admin.entities import LONGEST_PAGE
from gateway.cli.base import run_query, settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.output import format_time, print_table, text
from gateway.cli.reports.receipt import print_remedy
from gateway.cli.screen.zone import zone_line
from gateway.settings import Settings
from gateway.store.log.queries import Record

_NOT_OF_REFUSALS = ("account", "model", "status")
_COLUMNS = ("time", "id", "key", "from", "door", "http", "code", "reason", "requests")


def print_refused(
    settings: Settings, wanted: dict[str, Any], follow: bool, as_json: bool
) -> None:
    """The newest last; what goes by accounts or follows is not for refusals."""
    given = [name for name in _NOT_OF_REFUSALS if wanted.pop(name, None)]
    if given or follow:
        raise click.UsageError("--refused goes with --key, --since and --limit only.")
    wanted["limit"] = min(LONGEST_PAGE, wanted["limit"])
    rows = run_query(settings, reports.refused_rows, wanted, time.time())
    shown = rows if as_json else map(_readable, rows)
    if not as_json:
        click.echo(zone_line())
    print_table(list(shown)[::-1], _COLUMNS, as_json=as_json)


def _readable(row: Record) -> Record:
    return {
        **row,
        "time": format_time(row["created_at"] / 1000),
        "id": row["request_id"] and row["request_id"][:12],
        "from": row["client_address"],
        "http": row["http_status"],
        "code": row["error_code"],
    }


def print_refusal(row: Record) -> None:
    """Why one request was turned away, for its owner."""
    facts = (
        ("request", row["request_id"]),
        ("at", format_time(row["created_at"] / 1000)),
        ("from", row["client_address"]),
        ("key", row["key"]),
        ("door", f"{row['surface']} {row['door']}"),
        ("outcome", f"refused at the door, status {row['http_status']}"),
        ("error", row["error_code"]),
        ("why", row["reason"]),
    )
    for name, value in facts:
        click.echo(f"{name + ':':<12}{text(value)}")
    print_remedy(row)


@click.command(cls=Command)
@click.option("--since", help="30m, 7d, today, this week or a date.")
@click.option("--actor", help="Who, or a part of the name: cli, api.")
@click.option(
    "--limit",
    type=click.IntRange(1, LONGEST_PAGE),
    default=50,
    show_default=True,
    help="At most so many.",
)
@settings_and_json
def audit(settings: Settings, /, as_json: bool, **wanted: Any) -> None:
    """Who changed what, the newest last."""
    rows = run_query(settings, reports.audit_rows, wanted, time.time())
    shown = rows if as_json else map(_readable_change, rows)
    columns = ("time", "actor", "action", "target", "detail")
    if not as_json:
        click.echo(zone_line())
    print_table(list(shown)[::-1], columns, as_json=as_json)


def _readable_change(row: Record) -> Record:
    told = [_plain(name, value) for name, value in row["detail"].items()]
    return {**row, "time": format_time(row["at"] / 1000), "detail": "; ".join(told)}


def _plain(name: str, value: Any) -> str:
    if isinstance(value, dict):
        value = ", ".join(_plain(inner, one) for inner, one in value.items())
    is_time = name.endswith("_at") and isinstance(value, int | float)
    return f"{name} {format_time(value) if is_time else text(value)}"
