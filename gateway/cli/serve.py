"""What a start tells the owner: the address, what there is, what to do next."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from gateway.admin.users.changes import link_for
from gateway.admin.views import stored_accounts
from gateway.cli.base import secrets_of
from gateway.cli.running.connection import opened_database
from gateway.doctor.configuration_checks import names_of_settings
from gateway.doctor.findings import Level
from gateway.doctor.first_steps import NAME, first_steps, program_here, shown
from gateway.process.release import version
from gateway.repository.audit import shell_actor
from gateway.repository.keys import keys_ever_made, load_keys
from gateway.settings import Settings, flaw_of_workers
from gateway.sign_in.links import is_set_up, link_url
from gateway.store.database import transaction
from gateway.store.identity import place_of

_ANYWHERE = ("0.0.0.0", "::")


def with_workers(settings: Settings, count: int | None) -> Settings:
    """The settings with as many workers as were asked for, which go first."""
    if count is None:
        return settings
    if flaw := flaw_of_workers(count, settings.database_url, settings.port):
        raise click.UsageError(flaw)
    return replace(settings, workers=count)


def start_screen(settings: Settings, *, on_terminal: bool) -> Callable[[int], str]:
    """The lines of a start, once the port is known; the database is read now.

    Only a terminal gets the first user's link: what a service prints is kept.
    """
    with opened_database(settings, is_served=False) as opened:
        accounts = stored_accounts(secrets_of(settings))
        keys = len(load_keys()) if keys_ever_made() else None
        is_first, token = not is_set_up(), ""
        if is_first and on_terminal and settings.dashboard != "off":
            with transaction(opened.database):
                token = link_for(None, shell_actor()).token.reveal()
    steps = first_steps(settings, [row["state"] for row in accounts], keys)

    wrong = [
        f"  {'ignored':<9} {finding.message}"
        for finding in names_of_settings(os.environ, Path(".env"))
        if finding.level is Level.FAIL
    ]

    def lines(port: int) -> str:
        host = "127.0.0.1" if settings.host in _ANYWHERE else settings.host
        url = (
            settings.public_url
            or f"http://{f'[{host}]' if ':' in host else host}:{port}"
        )
        rows = {
            "address": url,
            "accounts": steps["accounts"],
            "keys": steps["keys"],
            "dashboard": f"{url}/dashboard/",
            "data": str(settings.data_dir),
            "database": place_of(settings.database_url),
            "next": steps["next"],
        }
        if settings.dashboard == "off":
            rows["dashboard"] = "off"
        elif token:
            rows["dashboard"] = link_url(settings.public_url, port, token)
        elif is_first:
            command = f"{program_here()} dashboard link"
            rows["dashboard"] = f"`{command}` prints the link for its first user"
        return "\n".join([f"{NAME} {version()}", shown(rows), *wrong])

    return lines
