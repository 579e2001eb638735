"""`run.py notify`: what operators were told, and whether they can be."""

import asyncio
from typing import Any

import click

from gateway.admin.live.notices import MOST_NOTICES, list_notices
from gateway.cli.admin_client import find_client
from gateway.cli.base import Commands, run_query, settings_and_json
from gateway.cli.output import format_time, print_json, printable
from gateway.cli.screen.columns import columns
from gateway.cli.screen.lines import show_table
from gateway.cli.screen.zone import zone_line
from gateway.notifications.channels import SEND_SECONDS
from gateway.notifications.configured import open_channels, try_channels
from gateway.settings import Settings
from gateway.upstream.http import open_session

_STATES = {"told": "green", "waiting": "yellow", "given up": "red"}
_COLUMNS = columns(
    "time event title channel state answer", whole="time", extra="event", state=_STATES
)


@click.group(cls=Commands)
def notify() -> None:
    """Notifications: webhook, ntfy and mail (GATEWAY_NOTIFY_*)."""


@notify.command()
@settings_and_json
def test(settings: Settings, as_json: bool) -> None:
    """Send a test to every channel that is set, and say what each answered.

    By the gateway that runs, else with the settings of this shell. Status 1 when one
    failed, or none is set.
    """
    client = find_client(settings)
    if client is None:
        tried = asyncio.run(_try(settings))
    else:
        path, patience = "/api/notifications/test", SEND_SECONDS + 5
        tried = client.call("POST", path, {}, timeout=patience)["tried"]
    if not tried:
        whose = "the running gateway's" if client else "these"
        raise click.ClickException(f"No GATEWAY_NOTIFY_…_URL is among {whose} settings")
    for one in tried:
        if as_json:
            print_json(one)
        else:
            mark = "ok   " if one["ok"] else "FAIL "
            click.echo(printable(f"{mark} {one['channel']}: {one['answer']}"))
    raise SystemExit(0 if all(one["ok"] for one in tried) else 1)


async def _try(settings: Settings) -> list[dict[str, Any]]:
    async with open_session(settings) as session:
        tried = await try_channels(open_channels(session, settings))
    return [one._asdict() for one in tried]


@notify.command("list")
@click.option(
    "--limit",
    type=click.IntRange(1, MOST_NOTICES),
    default=50,
    show_default=True,
    help="At most so many.",
)
@settings_and_json
def list_told(settings: Settings, limit: int, as_json: bool) -> None:
    """What was told, to which channel, and what became of it; newest first."""
    rows = run_query(settings, list_notices, limit)
    if not rows and not as_json:
        click.echo("Nothing was told yet.")
        return
    if not as_json:
        click.echo(zone_line())
    shown = (
        rows if as_json else [{**row, "time": format_time(row["at"])} for row in rows]
    )
    show_table(shown, _COLUMNS, as_json=as_json)
