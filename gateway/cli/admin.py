"""`run.py admin token`, `run.py strategy`, `tools`, `aliases`."""

import click

from gateway.accounts.strategies import STRATEGIES
from gateway.admin.entity import Field
from gateway.admin.key_rules.entities import ALIASES, TOOL_RULES
from gateway.admin.rules import set_rules
from gateway.admin.strategy import set_strategy
from gateway.cli.base import (
    Commands,
    apply_change,
    local_settings_and_json,
    run_query,
    settings_and_json,
)
from gateway.cli.guide.help_page import Command
from gateway.cli.output import print_change, print_result
from gateway.process.admin_token import admin_token
from gateway.repository import options
from gateway.repository.audit import shell_actor
from gateway.settings import Settings


@click.group(cls=Commands)
def admin() -> None:
    """The admin API's token."""


@admin.command()
@local_settings_and_json
def token(settings: Settings, as_json: bool) -> None:
    """Print the token that the admin API and /metrics ask for."""
    found = admin_token(settings.data_dir).reveal()
    print_result({"token": found}, found, as_json=as_json)


@click.command(cls=Command)
@click.argument("name", required=False, type=click.Choice(STRATEGIES), metavar="[NAME]")
@settings_and_json
def strategy(settings: Settings, name: str | None, as_json: bool) -> None:
    """How an account is chosen for a new conversation.

    With NAME it is changed, for the next conversation on.
    """
    if name is None:
        found = run_query(settings, options.load_strategy)
        print_result({"strategy": found}, found, as_json=as_json)
        return
    changed = apply_change(settings, set_strategy, name, shell_actor())
    sentence = f"New conversations: {name}."
    print_change(changed, sentence, as_json=as_json, strategy=name)


def _rules_command(field: Field, what: str) -> click.Command:
    """Shows the rules for everybody; with RULEs, those are all from then on."""

    @click.command(
        field.name, cls=Command, help=f"{what}, for everybody.\n\n{field.help}"
    )
    @click.argument("rules", nargs=-1, metavar="[RULE]…")
    @click.option("--clear", is_flag=True, help="None from now on.")
    @settings_and_json
    def command(
        settings: Settings, rules: tuple[str, ...], clear: bool, as_json: bool
    ) -> None:
        if rules or clear:
            wanted = {field.name: list(rules)}
            changed = apply_change(settings, set_rules, wanted, shell_actor())
            sentence = f"Changed the {field.name} for everybody."
            print_change(changed, sentence, as_json=as_json, **wanted)
            return
        found = run_query(settings, options.load_shown_rules)
        shown = found[field.name]
        print_result({field.name: shown}, "\n".join(shown) or "None.", as_json=as_json)

    return command


tools = _rules_command(TOOL_RULES, "Rules about tools")
aliases = _rules_command(ALIASES, "Other names for models")
