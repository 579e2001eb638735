"""`run.py devices …`: what signed in to seats."""

import time
from functools import partial
from typing import Any

import click

from gateway.admin.users import people as admin
from gateway.cli.base import Commands, apply_change, run_query, settings_and_json
from gateway.cli.output import format_time, print_change
from gateway.cli.screen.columns import columns
from gateway.cli.screen.lines import show_table
from gateway.cli.screen.zone import zone_line
from gateway.oauth.devices import EndReason
from gateway.repository.audit import shell_actor
from gateway.settings import Settings

DEVICE_COLUMNS = columns(
    "id device seat state address last_refresh signed_in client",
    numbers="id",
    whole="last_refresh",
    extra="signed_in client",
    state={"active": "green", "": "dim"},
)
# Why it ended, where the stored word alone says too little.
_WHY = {
    EndReason.SEAT.value: "ended with its seat",
    EndReason.REUSE.value: "ended, copied",
}


@click.group(cls=Commands)
def devices() -> None:
    """What signed in with Codex, and its end."""


@devices.command("list")
@click.option("--person", help="Of this person only.")
@settings_and_json
def list_devices(settings: Settings, person: str | None, as_json: bool) -> None:
    """All devices, also ended ones, for 90 days."""
    rows = run_query(settings, admin.stored_devices, person)
    if as_json:
        show_table(rows, (), as_json=True)
    elif rows:
        click.echo(zone_line())
        show_table([shown_device(row) for row in rows], DEVICE_COLUMNS)
    else:
        click.echo("No device has signed in yet.")


@devices.command("sign-out")
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
@click.option("--now", is_flag=True, help="From its next turn on.")
@settings_and_json
def sign_out(settings: Settings, number: int, now: bool, as_json: bool) -> None:
    """End a device, softly or at once.

    It gets no more tokens, and what it has runs out in minutes; Codex then signs in
    anew. With --now the running Codex is told to quit.
    """
    ended = partial(admin.sign_out_device, at_once=now)
    changed = apply_change(settings, ended, number, shell_actor())
    print_change(changed, f"Signed out '{changed.name}'.", as_json=as_json, id=number)


def shown_device(row: dict[str, Any]) -> dict[str, Any]:
    """A device as a line of a table."""
    ends, why = row["ends_at"], row["end_reason"]
    until = f" at {format_time(ends)}" if ends and ends > time.time() else ""
    return {
        "id": row["id"],
        "device": row["name"],
        "seat": row["seat"],
        "state": f"{_WHY.get(why, why)}{until}" if ends else "active",
        "address": row["address"],
        "last_refresh": format_time(row["refreshed_at"]),
        "signed_in": format_time(row["created_at"]),
        "client": row["user_agent"],
    }
