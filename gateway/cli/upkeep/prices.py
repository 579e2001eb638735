"""`run.py prices`: which count, what is wrong with them, and counting again."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import click

from gateway.admin.costs.price_report import check_prices, show_prices
from gateway.admin.costs.recost import SUMMED, recost_page
from gateway.admin.reports import parse_since
from gateway.cli.admin_client import Client, find_client
from gateway.cli.base import Commands, connected_database, run_query, settings_and_json
from gateway.cli.output import print_result
from gateway.cli.progress import Progress
from gateway.cli.running.connection import changed_database
from gateway.cli.screen.columns import columns
from gateway.cli.screen.lines import show_table
from gateway.pricing.pricing import Prices
from gateway.process.database_lock import places
from gateway.process.session_locks import holders_of
from gateway.repository.audit import shell_actor
from gateway.settings import Settings
from gateway.store.database import transaction
from gateway.store.log.queries import Record

_RATES = "input cached cache_write output"
_PRICES = columns(f"models account tier above {_RATES} date source", f"above {_RATES}")
_FINDINGS = columns("problem model tier account requests told", "requests")
_COUNTED = "requests changed before after"
_RECOSTED = columns(f"model {_COUNTED}", _COUNTED)
_since = click.option("--since", default="30d", show_default=True, help="7d or a date.")


@click.group(cls=Commands, invoke_without_command=True)
@click.option("--model", help="What counts for one model.")
@click.option("--account", help="At one account.")
@settings_and_json
def prices(
    settings: Settings, model: str | None, account: str | None, as_json: bool
) -> None:
    """The prices that count, from where, as of when.

    In dollars for a million tokens.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    client = find_client(settings)
    if client is None:
        shown = show_prices(Prices(settings.prices), model, account)
    else:
        shown = _asked(client, "/api/prices", model=model, account=account)
    if shown["problem"]:
        click.echo(f"Not used, the list before it counts: {shown['problem']}", err=True)
    rows = shown["prices"]
    if not rows and not as_json:
        click.echo("There is no price.")
        return
    readable = ({**row, "models": row["models"][0]} for row in rows)
    show_table(rows if as_json else [*readable], _PRICES, as_json=as_json)


@prices.command()
@_since
@settings_and_json
def check(settings: Settings, since: str, as_json: bool) -> None:
    """What is missing for a model that was seen, or older than 60 days.

    Status 1 when there is something.
    """
    client = find_client(settings)
    if client is None:
        table, now = Prices(settings.prices).table, time.time()
        today = datetime.fromtimestamp(now, UTC).date()
        found = run_query(settings, check_prices, table, parse_since(since, now), today)
    else:
        found = _asked(client, "/api/prices/check", since=since)["findings"]
    if found or as_json:
        show_table(found, _FINDINGS, as_json=as_json)
    else:
        click.echo(f"Every model seen since {since} has a price, none an old one.")
    raise SystemExit(1 if found else 0)


@prices.command()
@settings_and_json
def reload(settings: Settings, as_json: bool) -> None:
    """Have the running gateway read the file of GATEWAY_PRICES again."""
    client = find_client(settings)
    if client is None:
        raise click.ClickException(
            f"No gateway runs on {settings.data_dir}; --url names one elsewhere."
        )
    shown = client.call("POST", "/api/prices/reload", {})
    file = shown["file"]
    done = f"{file} counts." if file else "The gateway has no GATEWAY_PRICES."
    print_result({"file": file, "rates": len(shown["prices"])}, done, as_json=as_json)


@prices.command()
@_since
@click.option("--dry-run", "dry", is_flag=True, help="Change nothing.")
@settings_and_json
def recost(settings: Settings, since: str, dry: bool, as_json: bool) -> None:
    """Count logged requests again, with the prices that count now.

    Changes the log and its sums, and nothing that limits of keys have counted.
    """
    sums: dict[str, Record] = {}
    with Progress("recost", unit="requests", quiet=as_json) as progress:
        for page in _pages(settings, since, dry):
            for row in page:
                total = sums.setdefault(row["model"], dict.fromkeys(SUMMED, 0))
                for name in SUMMED:
                    total[name] += row[name]
            progress.update(sum(one["requests"] for one in sums.values()))
    rows = [{"model": model, **sums[model]} for model in sorted(sums)]
    if as_json:
        show_table(rows, _RECOSTED, as_json=True)
        return
    whole = {name: sum(row[name] for row in rows) for name in SUMMED}
    show_table(
        [_readable(row) for row in [*rows, {"model": "all", **whole}]], _RECOSTED
    )
    if dry:
        click.echo("Nothing was changed.")


def _asked(client: Client, path: str, **wanted: str | None) -> dict[str, Any]:
    given = {name: one for name, one in wanted.items() if one is not None}
    return client.call("GET", f"{path}?{urlencode(given)}")


def _pages(settings: Settings, since: str, dry: bool) -> Iterator[list[Record]]:
    """Sums by model, a page of the log each."""
    client, after = find_client(settings), None
    if client is not None:
        while True:
            asked: dict[str, Any] = {"since": since, "after": after, "dry": dry}
            page = client.call("POST", "/api/prices/recost", asked)
            yield page["models"]
            after = page["next"]
            if after is None:
                return
    table, start = Prices(settings.prices).table, parse_since(since, time.time())
    opened = connected_database if dry else changed_database
    with opened(settings) as database:
        if holders := holders_of(database):
            raise click.ClickException(
                f"The gateway of {places(holders)} uses the database, and has prices "
                "of its own: give the command there, or here with --url"
            )
        while True:
            with transaction(database):
                page = recost_page(table, start, after, shell_actor(), dry)
            yield page["models"]
            after = page["next"]
            if after is None:
                return


def _readable(row: Record) -> Record:
    return {
        **row,
        "before": _cost(row["cost_before"], row["unpriced_before"]),
        "after": _cost(row["cost_after"], row["unpriced_after"]),
    }


def _cost(microdollars: int, unpriced: int) -> str:
    known = f"${microdollars / 1_000_000:,.2f}"
    return f"{known}, {unpriced} unpriced" if unpriced else known
