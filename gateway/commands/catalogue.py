"""All commands but the two that serve."""

import click

from gateway.commands.accounts import accounts
from gateway.commands.administration import admin, strategy
from gateway.commands.codex_config import codex_config
from gateway.commands.copies import backup, export
from gateway.commands.doctor import doctor
from gateway.commands.keys import keys
from gateway.commands.logins import login, probe, rotate_key
from gateway.commands.logs import explain, logs, usage
from gateway.commands.recorder import recorder

for command in (login, probe, rotate_key):
    accounts.add_command(command)

COMMANDS: tuple[click.Command, ...] = (
    accounts,
    keys,
    explain,
    logs,
    usage,
    export,
    backup,
    admin,
    strategy,
    doctor,
    recorder,
    codex_config,
)
