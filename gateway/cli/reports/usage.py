"""`run.py usage`: who used how much, and what it cost."""

import time
from typing import Any

import click

from gateway.admin import reports
from gateway.cli.base import run_query, settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.guide.stored_names import names_of
from gateway.cli.output import format_time, print_table
from gateway.cli.screen.columns import columns
from gateway.cli.screen.lines import show_table
from gateway.cli.screen.zone import zone_line
from gateway.settings import Settings
from gateway.settings.zones import machine_zone, zone_named
from gateway.store.log.log_rows import HOUR_MS
from gateway.store.log.queries import Record
from gateway.store.log.usage_sums import GROUPINGS

_SUMMED = ("requests", "errors", "interrupted", "unpriced", "cost_microdollars")
_TOKENS = ("input_tokens", "cached_tokens", "output_tokens")
_NUMBERS = "requests errors left input cached output cost"


@click.command(cls=Command)
@click.option(
    "--by",
    type=click.Choice(GROUPINGS),
    multiple=True,
    default=("key",),
    show_default=True,
    help="Repeatable: --by key --by day. Weeks are those of the calendar.",
)
@click.option(
    "--since", default="30d", show_default=True, help="7d, this week or a date."
)
@click.option("--key", shell_complete=names_of("keys"), help="Of one API key only.")
@click.option(
    "--account", shell_complete=names_of("accounts"), help="Of one account only."
)
@click.option("--model", help="Of one model only.")
@settings_and_json
def usage(
    settings: Settings, /, by: tuple[str, ...], as_json: bool, **wanted: Any
) -> None:
    """Requests, tokens and cost, summed."""
    groups = list(dict.fromkeys(by))
    wanted["time_zone"] = machine_zone()
    rows = run_query(settings, reports.sum_usage, ",".join(groups), wanted, time.time())
    if as_json:
        print_table(rows, (), as_json=True)
        return
    zone = zone_named(wanted["time_zone"])
    since = reports.parse_since(wanted["since"], time.time(), zone) // HOUR_MS * HOUR_MS
    click.echo(f"Since {format_time(since / 1000)[:-3]}. {zone_line()}")
    total = {name: sum(row[name] for row in rows) for name in (*_SUMMED, *_TOKENS)}
    shown = [{one: row[one] for one in groups} | _readable(row) for row in rows]
    if len(rows) > 1:
        shown.append({groups[0]: "all", **_readable(total)})
    show_table(shown, columns(f"{' '.join(groups)} {_NUMBERS}", _NUMBERS))
    if total["unpriced"]:
        click.echo(
            f"{total['unpriced']:,} of {total['requests']:,} requests unpriced: "
            "their cost is not in the sums."
        )


def _readable(row: Record) -> Record:
    told, cached = row["input_tokens"], row["cached_tokens"]
    cost = f"${row['cost_microdollars'] / 1_000_000:,.2f}"
    return {
        "requests": f"{row['requests']:,}",
        "errors": f"{row['errors']:,}",
        "left": f"{row['interrupted']:,}",
        "input": f"{told:,}",
        "cached": f"{100 * cached / told:.1f} %" if told else None,
        "output": f"{row['output_tokens']:,}",
        "cost": f"{cost} +" if row["unpriced"] else cost,
    }
