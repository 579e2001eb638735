"""`run.py keys …`"""

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from gateway.admin import keys as admin
from gateway.admin.entities import KEY_CHANGE
from gateway.admin.names import find_row
from gateway.admin.views import stored_keys
from gateway.cli.admin_client import find_client, path_of
from gateway.cli.base import (
    add_change_command,
    apply_change,
    run_query,
    settings_and_json,
)
from gateway.cli.output import format_time, print_json, print_result, print_table, text
from gateway.repository.audit import shell_actor
from gateway.settings import PROGRAM, Settings
from gateway.store.models import ApiKeyRow

FIRST_KEY = (
    "This is the first key: from now on every client needs one, local ones too, also "
    "after the last key is removed."
)
NO_KEYS = f"No keys yet; `{PROGRAM} keys create --name NAME` makes one."
_OPTIONS = (
    "expires",
    "models",
    "enforce_model",
    "enforce_effort",
    "enforce_tier",
    "accounts",
    "limits",
    "tools",
    "aliases",
    "rpm",
    "concurrency",
)
# One text each time the option is given; the others are separated by commas.
_REPEATED = {"limits": "--limit", "tools": "--tool", "aliases": "--alias"}


@click.group()
def keys() -> None:
    """API keys: who may use the gateway, and how much."""


def rule_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of everything a key may be held to."""
    for name in reversed(_OPTIONS):
        field = KEY_CHANGE[name]
        flag = "--" + name.replace("_", "-")
        if name in _REPEATED:
            option = click.option(_REPEATED[name], name, multiple=True, help=field.help)
        elif field.type is int:
            option = click.option(flag, type=int, help=field.help)
        else:
            option = click.option(flag, help=field.help)
        command = option(command)
    return command


def _rules(given: dict[str, Any]) -> dict[str, Any]:
    """What was given; an empty text takes a rule away."""
    rules: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or value == ():
            continue
        if KEY_CHANGE[name].many:
            texts = value if name in _REPEATED else map(str.strip, value.split(","))
            rules[name] = [one for one in texts if one.strip()]
        else:
            rules[name] = value or None
    return rules


@keys.command()
@click.option("--name", required=True)
@rule_options
@settings_and_json
def create(settings: Settings, /, name: str, as_json: bool, **given: Any) -> None:
    """Make a key and print it, this once."""
    made = apply_change(settings, admin.create_key, name, _rules(given), shell_actor())
    _show_made(made, "Made", as_json)
    if made.is_first:
        click.echo(FIRST_KEY, err=True)


@keys.command()
@click.argument("name")
@settings_and_json
def rotate(settings: Settings, name: str, as_json: bool) -> None:
    """Give a key a new token; the old one is refused from now on."""
    _show_made(
        apply_change(settings, admin.replace_token, name, shell_actor()),
        "Rotated",
        as_json,
    )


def _show_made(made: admin.Made, what: str, as_json: bool) -> None:
    if as_json:
        print_json(made.shown())
        return
    # The key alone on standard output, so that it can be piped.
    click.echo(f"{what} key '{made.name}'. It is shown this once:", err=True)
    click.echo(made.token.reveal())


@keys.command("list")
@settings_and_json
def list_keys(settings: Settings, as_json: bool) -> None:
    """All keys and what they may do."""
    rows = run_query(settings, stored_keys)
    if not rows and not as_json:
        click.echo(NO_KEYS)
        return
    columns = ("id", "name", "prefix", "state", "expires_at", "models", "accounts")
    if not as_json:
        rows = [row | {"expires_at": format_time(row["expires_at"])} for row in rows]
    print_table(rows, (*columns, "limits"), as_json=as_json)


@keys.command("show")
@click.argument("name")
@settings_and_json
def show_key(settings: Settings, name: str, as_json: bool) -> None:
    """One key; with a running gateway also what is used of its limits."""
    key_id = run_query(settings, lambda: find_row(ApiKeyRow, name).id)
    client = find_client(settings)
    if client is not None:
        row = client.call("GET", path_of("keys", str(key_id)))
    else:
        row = next(
            one for one in run_query(settings, stored_keys) if one["id"] == key_id
        )
    if as_json:
        print_json(row)
        return
    for field, value in row.items():
        if field != "usage":
            shown = format_time(value) if field.endswith("_at") else text(value)
            click.echo(f"{field.replace('_', ' ') + ':':<16}{shown}")
    for one in row.get("usage", ()):
        window = f" per {one['limit_window']}" if one["limit_window"] else ""
        model = f" of {text(one['model_filter'])}" if one["model_filter"] else ""
        click.echo(
            f"  {one['limit_type']}{window}{model}: {one['current_value']} of "
            f"{one['max_value']} used, resets {one['reset_at'] or '-'}"
        )


@keys.command()
@click.argument("name")
@click.option("--rename", "new_name", help="Another name.")
@rule_options
@settings_and_json
def update(
    settings: Settings, /, name: str, new_name: str | None, as_json: bool, **given: Any
) -> None:
    """Change what a key may do; an empty value ('') takes a rule away.

    --limit replaces all of the key's limits, --tool and --alias all of theirs.
    """
    rules = _rules(given)
    if new_name is not None:
        rules["name"] = new_name
    if not rules:
        raise click.UsageError("Nothing to change: give at least one option.")
    name = apply_change(settings, admin.change_key, name, rules, shell_actor())
    print_result({"name": name, **rules}, f"Changed key '{name}'.", as_json=as_json)


def _set_disabled(name: str, actor: str, *, disabled: bool) -> str:
    return admin.change_key(name, {"disabled": disabled}, actor)


add_change_command(
    keys,
    "disable",
    partial(_set_disabled, disabled=True),
    {"disabled": True},
    ("Refuse a key until it is enabled again.", "Disabled key '{}'."),
)
add_change_command(
    keys,
    "enable",
    partial(_set_disabled, disabled=False),
    {"disabled": False},
    ("Accept a disabled key again.", "Enabled key '{}'."),
)
add_change_command(
    keys,
    "remove",
    admin.remove_key,
    {"state": "removed"},
    ("Forget a key; its log rows stay.", "Removed key '{}'."),
)
