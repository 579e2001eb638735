"""`run.py dashboard link`"""

import click

from gateway.admin.users.changes import MadeLink, link_for
from gateway.cli.admin_client import find_client, remote_url
from gateway.cli.base import Commands, apply_change, settings_and_json
from gateway.cli.output import format_time, print_json
from gateway.repository.audit import shell_actor
from gateway.settings import Settings
from gateway.sign_in.links import link_url


@click.group(cls=Commands)
def dashboard() -> None:
    """The dashboard's users."""


@dashboard.command()
@click.option("--user", help="Of this name: for a new password, without codes.")
@settings_and_json
def link(settings: Settings, user: str | None, as_json: bool) -> None:
    """Print a link that opens the dashboard once, within 15 minutes.

    Without --user it makes the first user, as long as nobody has a password.
    """
    made = apply_change(settings, link_for, user, shell_actor())
    whose = f"'{made.user}' a new password" if made.user else "the first user"
    show_link(settings, made, f"It makes {whose}", as_json=as_json)


def show_link(settings: Settings, made: MadeLink, told: str, *, as_json: bool) -> None:
    """Print the link alone on standard output, so that it can be piped."""
    url, until = _made_url(settings, made), format_time(made.expires_at)
    if as_json:
        print_json({"url": url, "user": made.user, "expires_at": made.expires_at})
        return
    click.echo(f"{told}, once, until {until}:", err=True)
    click.echo(url)
    why = _opens_for_few(settings, made, url)
    if why and remote_url() is None:  # of another gateway no settings are known here
        click.echo(why, err=True)


def _opens_for_few(settings: Settings, made: MadeLink, url: str) -> str:
    """Why whoever is to get the link may not open it, or ""."""
    if settings.dashboard == "off":
        return "GATEWAY_DASHBOARD is off: nothing answers there."
    if made.user and (settings.dashboard == "local" or url.startswith("http:")):
        return (
            "It opens on this machine alone: one to send needs GATEWAY_PUBLIC_URL "
            "and GATEWAY_DASHBOARD=on."
        )
    return ""


def _made_url(settings: Settings, made: MadeLink) -> str:
    """Where a link leads: to the gateway that made it."""
    client = find_client(settings)
    origin = made.public_url or (client.url if client else settings.public_url)
    return link_url(origin, settings.port, made.token.reveal())
