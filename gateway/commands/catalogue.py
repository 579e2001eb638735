"""All commands but the two that serve."""

import click

from gateway.commands.accounts import accounts
from gateway.commands.logins import login, probe, rotate_key

for command in (login, probe, rotate_key):
    accounts.add_command(command)

COMMANDS: tuple[click.Command, ...] = (accounts,)
