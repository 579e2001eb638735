"""`run.py people …`: who has a seat."""

from functools import partial
from typing import Any

import click

from gateway.admin.key_rules.entities import NEW_KEY
from gateway.admin.users import people as admin
from gateway.cli.base import Commands, apply_change, run_query, settings_and_json
from gateway.cli.dashboard import show_link
from gateway.cli.keys import given_rules, rule_options
from gateway.cli.output import format_time, print_change, print_json, print_result, text
from gateway.cli.screen.columns import columns
from gateway.cli.screen.lines import show_table
from gateway.cli.screen.zone import zone_line
from gateway.cli.sign_in.devices import DEVICE_COLUMNS, shown_device
from gateway.repository.audit import shell_actor
from gateway.settings import PROGRAM, Settings

NO_PEOPLE = f"Nobody has a seat yet; `{PROGRAM} people invite NAME` gives one."
_PEOPLE = columns(
    "person role state seat devices last_sign_in",
    numbers="devices",
    whole="last_sign_in",
    state={"active": "green", "": "dim"},
)


@click.group(cls=Commands)
def people() -> None:
    """Persons, whose seats Codex signs in to."""


@people.command()
@click.argument("name")
@click.option("--key", help="Of this key: it becomes the seat, its token ends.")
@rule_options(NEW_KEY)
@settings_and_json
def invite(
    settings: Settings, /, name: str, key: str | None, as_json: bool, **given: Any
) -> None:
    """Give a person a seat, and print a link.

    The link sets the first password, once and within 72 hours. Who has not come
    gets another by the same command without options.
    """
    asked = partial(admin.invite, key=key)
    made = apply_change(settings, asked, name, given_rules(given), shell_actor())
    if made is None:
        row = {"user": name, "url": None, "expires_at": None}
        told = f"'{name}' has a password already, and a seat from now on."
        print_result(row, told, as_json=as_json)
        return
    told = f"It gives '{made.user}' a password"
    show_link(settings, made, told, as_json=as_json)


@people.command("list")
@settings_and_json
def list_people(settings: Settings, as_json: bool) -> None:
    """All who have a seat."""
    rows = run_query(settings, admin.stored_people)
    if as_json:
        show_table(rows, (), as_json=True)
    elif rows:
        click.echo(zone_line())
        show_table([_shown(row) for row in rows], _PEOPLE)
    else:
        click.echo(NO_PEOPLE)


@people.command()
@click.argument("name")
@settings_and_json
def show(settings: Settings, name: str, as_json: bool) -> None:
    """One person, with the devices."""
    row = run_query(settings, admin.stored_person, name)
    if as_json:
        print_json(row)
        return
    click.echo(zone_line())
    for field, value in _shown(row).items():
        click.echo(f"{field.replace('_', ' ') + ':':<16}{text(value)}")
    if row["signed_in"]:
        show_table([shown_device(one) for one in row["signed_in"]], DEVICE_COLUMNS)


@people.command()
@click.argument("name")
@settings_and_json
def disable(settings: Settings, name: str, as_json: bool) -> None:
    """End a person's sessions and devices until enabled."""
    _change(settings, partial(admin.disable_person, disabled=True), name, as_json)


@people.command()
@click.argument("name")
@settings_and_json
def enable(settings: Settings, name: str, as_json: bool) -> None:
    """Let a disabled person in again; devices sign in anew."""
    _change(settings, partial(admin.disable_person, disabled=False), name, as_json)


@people.command()
@click.argument("name")
@settings_and_json
def remove(settings: Settings, name: str, as_json: bool) -> None:
    """Forget a person and the seat; log rows stay."""
    _change(settings, admin.remove_person, name, as_json)


def _change(settings: Settings, function: Any, name: str, as_json: bool) -> None:
    changed = apply_change(settings, function, name, shell_actor())
    print_change(changed, f"Changed '{changed.name}'.", as_json=as_json)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    last = row["last_sign_in_at"]
    shown = {name: row[name] for name in ("person", "role", "state", "seat", "devices")}
    return {**shown, "last_sign_in": format_time(last) if last else None}
