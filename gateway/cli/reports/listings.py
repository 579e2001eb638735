"""`run.py accounts list` and `keys list`: who there is, and how much is left."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from gateway.admin.views import stored_accounts, stored_keys
from gateway.cli.admin_client import find_client
from gateway.cli.base import SECRETS, run_query, settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.reports.windows import (
    account_rows,
    amount,
    moment,
    short_limit,
    unpriced_note,
    window_columns,
)
from gateway.cli.screen.columns import columns
from gateway.cli.screen.lines import show_table
from gateway.cli.screen.zone import zone_line
from gateway.settings import PROGRAM, Settings

NO_ACCOUNTS = f"No accounts yet; `{PROGRAM} accounts import FILE` adds one."
NO_KEYS = f"No keys yet; `{PROGRAM} keys create NAME` makes one."
_ACCOUNTS = window_columns(
    "id account plan state turns",
    "resets_at age why token_ends last_error",
    extra="id plan resets_in age last_error",
)
_KEYS = columns(
    "id key prefix state limit used share resets_at last_used "
    "expires models accounts overlap",
    numbers="id used share",
    shares="share",
    whole="resets_at last_used",
    extra="id prefix expires models accounts",
    state={"active": "green", "": "dim"},
)


@click.command("list", cls=Command)
@settings_and_json
def list_accounts(settings: Settings, as_json: bool) -> None:
    """All accounts: state, windows, resets."""
    client = find_client(settings)
    rows: list[dict[str, Any]]
    if client is not None:
        rows = client.call("GET", "/api/accounts")["accounts"]
    else:
        rows = run_query(settings, stored_accounts, SECRETS)
    if as_json:
        show_table(rows, (), as_json=True)
    elif rows:
        click.echo(zone_line())
        show_table(list(account_rows(rows, time.time())), _ACCOUNTS)
    else:
        click.echo(NO_ACCOUNTS)


@click.command("list", cls=Command)
@settings_and_json
def list_keys(settings: Settings, as_json: bool) -> None:
    """All keys: limits, use, resets, last use."""
    rows = run_query(settings, stored_keys)
    if as_json:
        show_table(rows, (), as_json=True)
    elif rows:
        click.echo(zone_line())
        shown = [line for row in rows for line in _key_rows(row)]
        show_table(shown, _KEYS)
    else:
        click.echo(NO_KEYS)


def _key_rows(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each limit; what is no limit's comes once."""
    until, last, ends = row["old_expires_at"], row["last_used_at"], row["expires_at"]
    facts = {
        **{name: row[name] for name in ("id", "prefix", "models", "accounts")},
        "last_used": last and moment(last),
        "expires": ends and moment(ends),
        "overlap": until and f"{row['old_prefix']} until {moment(until)}",
    }
    named = {"key": row["name"], "state": row["state"]}
    rates = (f"{row[one]} {one}" for one in ("rpm", "concurrency") if row[one])
    limits = zip((*row["limits"], *rates), row["usage"], strict=True)
    for limit, used in list(limits) or [(None, None)]:
        yield named | facts | (_limit(limit, used) if limit and used else {})
        facts = {}


def _limit(limit: str, used: dict[str, Any]) -> dict[str, Any]:
    until, share = used["reset_at"], 100 * used["current_value"] / used["max_value"]
    return {
        "limit": short_limit(limit),
        "used": amount(used["limit_type"], used["current_value"]) + unpriced_note(used),
        "share": f"{share:.0f} %",
        "resets_at": until and moment(datetime.fromisoformat(until).timestamp()),
    }
