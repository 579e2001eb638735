"""`run.py logs`, `usage`, `explain`: the record, read from the database."""

import time
from collections.abc import Iterator
from typing import Any

import click

from gateway.admin import reports
from gateway.admin.entities import GROUPINGS, LOG_STATUSES, LONGEST_PAGE
from gateway.admin.failure_table import FAILURE_COLUMNS, as_markdown, failure_rows
from gateway.cli.base import connected_database, run_query, settings_and_json
from gateway.cli.output import format_time, print_json, print_table, text
from gateway.cli.reports.receipt import print_receipt
from gateway.settings import Settings
from gateway.store.log import queries
from gateway.store.log.queries import Grouping, LogFilter, Record

FOLLOW_SECONDS = 0.5
_TOTALS = ("requests", "errors", "interrupted", "input_tokens", "output_tokens")


@click.command()
@click.option("--key", help="Name of an API key.")
@click.option("--account", help="Name of an account.")
@click.option("--model")
@click.option("--status", type=click.Choice(LOG_STATUSES))
@click.option("--since", help="30m, 2h, 7d, 4w or a date.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@settings_and_json
def logs(
    settings: Settings, /, limit: int, follow: bool, as_json: bool, **wanted: Any
) -> None:
    """The request log, the newest row last."""
    with connected_database(settings):
        chosen = reports.log_filter(wanted, time.time())
        last = queries.last_log_id()
        for row in reversed(list(pages(chosen, limit))):
            _print(row, as_json)
        while follow:
            rows = queries.log_after(chosen, after=last)
            for row in reports.named(rows):
                _print(row, as_json)
            if rows:
                last = rows[-1]["id"]
            else:
                time.sleep(FOLLOW_SECONDS)


def pages(wanted: LogFilter, limit: int | None) -> Iterator[Record]:
    """Rows newest first, read a page at a time; None: all."""
    before: int | None = None
    left = limit
    while left is None or left > 0:
        size = min(LONGEST_PAGE, left or LONGEST_PAGE)
        rows = reports.log_rows(wanted, before=before, limit=size)
        yield from rows
        if len(rows) < size:
            return
        before = rows[-1]["id"]
        left = None if left is None else left - len(rows)


def _print(row: Record, as_json: bool) -> None:
    if as_json:
        print_json(row)
        return
    tokens = f"{row['input_tokens']}+{row['output_tokens']} tokens"
    outcome = row["status"] if row["error_code"] is None else row["error_code"]
    parts = (
        format_time(row["created_at"] / 1000),
        row["request_id"][:12],
        f"{row['surface']}/{row['transport']}",
        text(row["model"]),
        text(row["account"]),
        text(row["key"]),
        f"{row['http_status']} {outcome}",
        tokens,
        "-" if row["duration_ms"] is None else f"{row['duration_ms']} ms",
    )
    click.echo("  ".join(text(part) for part in parts))


@click.command()
@click.option("--by", type=click.Choice(GROUPINGS), default="key", show_default=True)
@click.option("--since", default="30d", show_default=True, help="7d, 4w or a date.")
@click.option("--key", help="Of one API key only.")
@click.option("--account", help="Of one account only.")
@click.option("--model", help="Of one model only.")
@settings_and_json
def usage(settings: Settings, /, by: Grouping, as_json: bool, **wanted: Any) -> None:
    """Requests, tokens and cost, summed."""
    rows = run_query(settings, reports.sum_usage, by, wanted, time.time())
    if as_json:
        print_table(rows, (), as_json=True)
        return
    readable = [
        {
            by: row[by],
            **{name: row[name] for name in _TOTALS},
            "cached": percent(row["cached_ratio"]),
            "cost": dollars(row),
        }
        for row in rows
    ]
    print_table(readable, (by, *_TOTALS, "cached", "cost"), as_json=False)


@click.command()
@click.option("--since", default="7d", show_default=True, help="7d, 4w or a date.")
@settings_and_json
def rules(settings: Settings, /, since: str, as_json: bool) -> None:
    """How often requests were changed or refused, and how, by day."""
    rows = run_query(settings, reports.count_rules, since, time.time())
    print_table(rows, ("day", "kind", "rule", "requests"), as_json=as_json)


@click.command()
@click.argument("request_id")
@settings_and_json
def explain(settings: Settings, request_id: str, as_json: bool) -> None:
    """What became of a request, and why: a request id, its beginning, or a
    response id."""
    row = run_query(settings, reports.find_exchange, request_id)
    if as_json:
        print_json(row)
    else:
        print_receipt(row)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--markdown", is_flag=True, help="As in docs/errors.md.")
def errors(as_json: bool, markdown: bool) -> None:
    """What each kind of failure speaks against, and where it is tried again."""
    if markdown:
        click.echo(as_markdown(), nl=False)
    else:
        print_table(failure_rows(), FAILURE_COLUMNS, as_json=as_json)


def percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{100 * ratio:.1f} %"


def dollars(row: Record) -> str:
    """The known cost; "+" when that of some requests is not known."""
    cost = f"${row['cost_microdollars'] / 1_000_000:.2f}"
    return f"{cost} +" if row["unpriced"] else cost
