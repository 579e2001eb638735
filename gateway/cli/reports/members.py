"""`run.py members`: the processes that serve from the database."""

from typing import Any

import click
import peewee as pw

from gateway.admin.live.members import list_members
from gateway.cli.admin_client import find_client
from gateway.cli.base import run_query, settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.output import format_time
from gateway.cli.screen.columns import columns
from gateway.cli.screen.lines import show_table
from gateway.process.session_locks import holders_of
from gateway.settings import Settings
from gateway.store import models

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
    rows = all_members(settings)
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


def all_members(settings: Settings) -> list[dict[str, Any]]:
    """As the gateway of the command tells, which asks the others; else their rows."""
    client = find_client(settings)
    if client is None:
        return run_query(settings, _of_database)
    told: list[dict[str, Any]] = client.call("GET", "/api/members")["members"]
    return told


def _of_database() -> list[dict[str, Any]]:
    """Those that a file's lock belies were killed, and nobody has come since."""
    database = models.database.obj
    is_free = isinstance(database, pw.SqliteDatabase) and not holders_of(database)
    return [] if is_free else list_members()
