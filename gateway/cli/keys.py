"""`run.py keys …`"""

import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import click

from gateway.admin import keys as admin
from gateway.admin.entity import Entity
from gateway.admin.key_rules.entities import KEY_CHANGE, NEW_KEY, ROTATION
from gateway.admin.views import stored_key
from gateway.cli.admin_client import find_client, path_of
from gateway.cli.base import (
    Commands,
    Count,
    add_change_command,
    apply_change,
    given_values,
    name_argument,
    run_query,
    settings_and_json,
)
from gateway.cli.guide.stored_names import names_of
from gateway.cli.output import (
    format_time,
    print_change,
    print_json,
    print_result,
    text,
)
from gateway.cli.progress import waiting
from gateway.cli.reports.windows import unpriced_note
from gateway.cli.running.connection import changed_database
from gateway.cli.screen.zone import zone_line
from gateway.keys.texts.limit_changes import lost_limits
from gateway.repository.audit import shell_actor
from gateway.settings import Settings
from gateway.store.database import transaction
from gateway.store.log.retention import remove_log_of_key

LONGEST_DELETION = 600.0  # seconds

FIRST_KEY = (
    "This is the first key: from now on every client needs one, local ones too, also "
    "after the last key is removed."
)
# One text each time the option is given; the others are separated by commas.
_REPEATED = {
    "limits": "--limit",
    "tools": "--tool",
    "aliases": "--alias",
    "drop_limits": "--drop-limit",
    "raise_limits": "--raise",
    "add_limits": "--add-limit",
}
_NO_OPTIONS = ("name", "disabled")


@click.group(cls=Commands, elsewhere={"list": "reports.listings:list_keys"})
def keys() -> None:
    """API keys: who may use the gateway, and how much."""


def _flag(name: str) -> str:
    return _REPEATED.get(name, "--" + name.replace("_", "-"))


def rule_options(rules: Entity) -> Callable[..., Any]:
    """The options of everything a key may be held to."""

    def add_options(command: Callable[..., Any]) -> Callable[..., Any]:
        for field in reversed(rules.fields):
            name = field.name
            kind = Count() if field.type is int else None
            if name not in _NO_OPTIONS:
                command = click.option(
                    *(_flag(name), name),
                    type=kind,
                    multiple=name in _REPEATED,
                    help=field.help,
                )(command)
        return command

    return add_options


def given_rules(given: dict[str, Any]) -> dict[str, Any]:
    """What was given; an empty text takes a rule away."""
    rules = given_values(given)
    for name, value in rules.items():
        if KEY_CHANGE[name].many:
            texts = value if name in _REPEATED else (value or "").split(",")
            rules[name] = [one.strip() for one in texts if one.strip()]
            if not rules[name] and any(value or ()):  # commas or spaces, a slip
                flag = _flag(name)
                raise click.UsageError(f"{flag} names nothing; '' takes a rule away.")
    return rules


@keys.command()
@name_argument
@rule_options(NEW_KEY)
@settings_and_json
def create(settings: Settings, /, name: str, as_json: bool, **given: Any) -> None:
    """Make a key and print it, this once."""
    made = apply_change(
        settings, admin.create_key, name, given_rules(given), shell_actor()
    )
    _show_made(made, "Made", as_json)
    if made.is_first:
        click.echo(FIRST_KEY, err=True)


@keys.command()
@click.argument("name", shell_complete=names_of("keys"))
@click.option("--overlap", help=ROTATION["overlap"].help)
@settings_and_json
def rotate(settings: Settings, name: str, overlap: str | None, as_json: bool) -> None:
    """Give a key a new token.

    Without an overlap the old one ends now.
    """
    made = apply_change(settings, admin.replace_token, name, shell_actor(), overlap)
    _show_made(made, "Rotated", as_json)
    if made.old_expires_at is None:
        click.echo("The old one is refused from now on.", err=True)
    else:
        until = format_time(made.old_expires_at)
        click.echo(f"The old one ({made.old_prefix}…) is good until {until}.", err=True)


def _show_made(made: admin.Made, what: str, as_json: bool) -> None:
    if as_json:
        print_json(made.shown())
        return
    # The key alone on standard output, so that it can be piped.
    click.echo(f"{what} key '{made.name}'. It is shown this once:", err=True)
    click.echo(made.token.reveal())


@keys.command("show")
@click.argument("name", shell_complete=names_of("keys"))
@settings_and_json
def show_key(settings: Settings, name: str, as_json: bool) -> None:
    """One key, and what is used of its limits.

    What is used is what a running gateway knows.
    """
    client = find_client(settings)
    if client is not None:
        row = client.call("GET", path_of("keys", name))
    else:
        row = run_query(settings, stored_key, name)
    if as_json:
        print_json(row)
        return
    click.echo(zone_line())
    for field, value in row.items():
        if field != "usage":
            shown = format_time(value) if field.endswith("_at") else text(value)
            click.echo(f"{field.replace('_', ' ') + ':':<16}{shown}")
    for one in row.get("usage", ()):
        window = f" per {one['limit_window']}" if one["limit_window"] else ""
        model = f" of {text(one['model_filter'])}" if one["model_filter"] else ""
        click.echo(
            f"  {one['limit_type']}{window}{model}: {one['current_value']} of "
            f"{one['max_value']} used{unpriced_note(one)}, "
            f"resets {_local(one['reset_at'])}"
        )


def _local(moment: str | None) -> str:
    """A time of the API in the zone of whoever reads it."""
    seconds = datetime.fromisoformat(moment).timestamp() if moment else None
    return format_time(seconds)


@keys.command()
@click.argument("name", shell_complete=names_of("keys"))
@click.option("--rename", "new_name", help="Another name.")
@rule_options(KEY_CHANGE)
@settings_and_json
def update(
    settings: Settings, /, name: str, new_name: str | None, as_json: bool, **given: Any
) -> None:
    """Change what a key may do.

    An empty value ('') takes a rule away. --limit stands for all of the key's limits,
    --tool and --alias for all of theirs; --add-limit, --raise and --drop-limit leave
    the others alone.
    """
    rules = given_rules(given)
    if new_name is not None:
        rules["name"] = new_name
    if not rules:
        raise click.UsageError("Nothing to change: give at least one option.")
    changed = apply_change(settings, admin.change_key, name, rules, shell_actor())
    sentence = f"Changed key '{changed.name}'."
    sides = (side.get("limits", ()) for side in (changed.before, changed.after))
    if lost := lost_limits(*sides):
        sentence += f" It no longer has the limit of {', '.join(lost)}."
    print_change(changed, sentence, as_json=as_json)


@keys.command("reset-usage")
@click.argument("name", shell_complete=names_of("keys"))
@settings_and_json
def reset_usage(settings: Settings, name: str, as_json: bool) -> None:
    """Begin all limits of a key anew: nothing of them is used.

    What runs at that moment counts for what was before. The log and the sums stay.
    """
    changed = apply_change(settings, admin.reset_usage, name, shell_actor())
    print_change(changed, f"Reset what '{changed.name}' has used.", as_json=as_json)


@keys.command("delete-log")
@click.argument("name", shell_complete=names_of("keys"))
@click.option("--yes", is_flag=True, help="Do not ask.")
@settings_and_json
def delete_log(settings: Settings, name: str, yes: bool, as_json: bool) -> None:
    """Delete a key's rows in the request log; the sums stay.

    NAME is the whole one, or '#3' of a key that was removed.
    """
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody can be asked here: give --yes.")
        click.confirm(f"Delete the log of '{name}' for good?", abort=True, err=True)
    client = find_client(settings)
    with waiting("Deleting", quiet=as_json):
        if client is not None:
            path = path_of("keys", name, "logs")
            found = client.call("DELETE", path, timeout=LONGEST_DELETION)
        else:
            found = _delete_log(settings, name)
    sentence = f"Deleted {found['rows']} rows of '{found['name']}'; its sums stay."
    print_result(found, sentence, as_json=as_json)


def _delete_log(settings: Settings, name: str) -> dict[str, Any]:
    with changed_database(settings) as database:
        with transaction(database):
            key_id, shown = admin.begin_deletion(name, shell_actor())
        rows = 0
        while removed := remove_log_of_key(key_id):
            rows += removed
    return {"name": shown, "rows": rows}


add_change_command(
    keys,
    "disable",
    partial(admin.set_disabled, disabled=True),
    {"disabled": True},
    ("Refuse a key until it is enabled again.", "Disabled key '{}'."),
)
add_change_command(
    keys,
    "enable",
    partial(admin.set_disabled, disabled=False),
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
