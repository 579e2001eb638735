"""`run.py accounts …`"""

import os
from functools import partial
from typing import Any

import click

from gateway.admin import accounts as admin
from gateway.admin.entities import ACCOUNT_CHANGE
from gateway.admin.entity import Changed
from gateway.cli.base import (
    SECRETS,
    Commands,
    Count,
    add_change_command,
    apply_change,
    given_values,
    name_argument,
    settings_and_json,
)
from gateway.cli.guide.stored_names import names_of
from gateway.cli.output import (
    print_change,
    print_result,
    still_holds,
)
from gateway.repository.audit import shell_actor
from gateway.secret import Secret
from gateway.settings import Settings


@click.group(
    cls=Commands,
    elsewhere={
        "list": "reports.listings:list_accounts",
        "import": "accounts_online:import_logins",
        "login": "accounts_online:login",
        "probe": "accounts_online:probe",
        "resets": "accounts_online:resets",
        "rotate-key": "accounts_online:rotate_key",
    },
)
def accounts() -> None:
    """Upstream accounts: logins and API keys."""


@accounts.command("add")
@name_argument
@click.option(
    "--api-key-env", required=True, metavar="VAR", help="Variable with the API key."
)
@click.option("--base-url", required=True, help="Requests go to BASE-URL/responses.")
@click.option("--priority", type=int, help="Lower goes first; default 100.")
@click.option("--concurrency", type=Count(), help="Requests at a time.")
@click.option(
    "--websockets/--no-websockets",
    default=False,
    show_default=True,
    help="Whether it speaks them.",
)
@click.option(
    "--chat-parameters", is_flag=True, help=ACCOUNT_CHANGE["chat_parameters"].help
)
@settings_and_json
def add(settings: Settings, /, api_key_env: str, as_json: bool, **given: Any) -> None:
    """Add an OpenAI-compatible endpoint with an API key.

    The key is read from an environment variable: command lines are visible to
    others and end up in histories.
    """
    key = os.environ.get(api_key_env, "").strip()
    if not key:
        raise click.ClickException(f"The variable {api_key_env} is not set or empty.")
    wanted = admin.ApiKeyAccount(api_key=Secret(key), **given_values(given))
    made = apply_change(
        settings, admin.add_api_key_account, wanted, SECRETS, shell_actor()
    )
    print_result(
        {"name": made.name, "is_new": True},
        f"Added account '{made.name}'.",
        as_json=as_json,
    )


_JUDGED = {
    "well": "Its judge finds its token and its way well.",
    "login": "Its judge refuses its token.",
    "refused": "Its judge refuses it.",
    "none": "Its judge gave no answer that decides anything.",
    "": "No gateway runs here that could ask its judge.",
}

add_change_command(
    accounts,
    "pause",
    partial(admin.set_paused, paused=True),
    {"state": "paused"},
    ("Take an account out of service; its running requests end.", "Paused '{}'."),
)


@accounts.command("resume")
@click.argument("name", shell_complete=names_of("accounts"))
@settings_and_json
def resume(settings: Settings, name: str, as_json: bool) -> None:
    """Put an account back into service; say what still holds.

    The running gateway asks whoever judges the account: a limit is upstream's word.
    """
    row = apply_change(settings, admin.resume_account, name, SECRETS, shell_actor())
    changed = Changed(row["name"], row["before"], row["after"])
    told = {field: row.get(field) for field in ("state", "why", "until", "ruling")}
    judged = _JUDGED[told["ruling"] or ""]
    sentence = f"Resumed '{changed.name}'. {judged}{still_holds(row)}"
    print_change(changed, sentence, as_json=as_json, **told)


add_change_command(
    accounts,
    "remove",
    admin.remove_account,
    {"state": "removed"},
    ("Forget an account and its credentials; its log rows stay.", "Removed '{}'."),
)


@accounts.command("set")
@click.argument("name", shell_complete=names_of("accounts"))
@click.option("--rename", "new_name", help="Another name.")
@click.option("--priority", type=int, help="Lower goes first.")
@click.option("--concurrency", type=Count(), help="Requests at a time; '': any number.")
@click.option(
    "--websockets/--no-websockets", default=None, help="Whether it speaks them."
)
@click.option("--residency", help=ACCOUNT_CHANGE["residency"].help)
@click.option(
    "--chat-parameters/--no-chat-parameters",
    default=None,
    help=ACCOUNT_CHANGE["chat_parameters"].help,
)
@settings_and_json
def set_account(settings: Settings, /, name: str, as_json: bool, **given: Any) -> None:
    """Change an account's name, order, limits, or what it takes.

    An empty value ('') takes a cap or a residency away.
    """
    given["name"] = given.pop("new_name")
    changes = given_values(given)
    if not changes:
        raise click.UsageError("Nothing to change: give at least one option.")
    changed = apply_change(settings, admin.change_account, name, changes, shell_actor())
    print_change(changed, f"Changed '{changed.name}'.", as_json=as_json)
