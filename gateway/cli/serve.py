"""What is checked before the gateway serves."""

import click

from gateway.cli.base import run_query
from gateway.doctor.client import is_loopback
from gateway.repository.keys import keys_ever_made
from gateway.settings import Settings


def refuse_open_door(settings: Settings, no_key: bool) -> None:
    """Raises when others could reach a gateway that has no keys yet."""
    if no_key or is_loopback(settings.host) or run_query(settings, keys_ever_made):
        return
    raise click.ClickException(
        f"The gateway would listen on {settings.host}, where other machines reach it, "
        "and no API key has been made.\nMake one with `run.py keys create --name NAME`"
        ", or start with --no-key to insist: others are refused then, all but those "
        "in GATEWAY_UNAUTHENTICATED_CIDRS."
    )
