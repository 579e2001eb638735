"""`run.py members`: the processes that serve from the database."""

from typing import Any

import click

from gateway.admin.live.members import list_members
from gateway.cli.admin_client import find_client
from gateway.cli.base import run_query, settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.output import format_time
from gateway.cli.screen.columns import columns
from gateway.cli.screen.lines import show_table
from gateway.settings import Settings

_COLUMNS = columns(
    "id state version started behind turns sockets waiting place url",
    "id turns sockets waiting",
    whole="id state place",
    extra="url",
    state={"serving": "green", "joining": "yellow", "leaving": "yellow"},
    behind={"yes": "red"},
)


@click.command(cls=Command)
@settings_and_json
def members(settings: Settings, as_json: bool) -> None:
    """The processes that serve from the database.

    Each start is a member of its own. One that is behind has not yet taken the latest
    change over; one that was killed stands here until the others notice, half a minute.
    """
    client = find_client(settings)
    rows: list[dict[str, Any]]
    if client is not None:  # which asks the others
        rows = client.call("GET", "/api/members")["members"]
    else:
        rows = run_query(settings, list_members)
    if not rows and not as_json:
        click.echo("No gateway serves from the database.")
        return
    readable = [
        {
            **row,
            "started": format_time(row["started_at"]),
            "behind": "yes" if row["is_behind"] else "",
        }
        for row in rows
    ]
    show_table(rows if as_json else readable, _COLUMNS, as_json=as_json)
