"""`run.py database …` and `run.py restore`: what is done while no gateway runs."""

from pathlib import Path

import click

from gateway.cli.base import Commands, local_settings_and_json, secrets_of
from gateway.cli.guide.help_page import Command
from gateway.cli.output import print_result
from gateway.cli.progress import Progress, waiting
from gateway.cli.running.alone import without_gateway
from gateway.cli.running.connection import opened_database
from gateway.repository.accounts import load_accounts
from gateway.settings import Settings
from gateway.store.database import (
    StoreUnavailable,
    UnusableDatabase,
    cause_of,
    close_all,
    migrate,
    open_database,
    sqlite_path,
    translated_errors,
)
from gateway.store.encryption import KEY_FILE
from gateway.store.identity import place_of
from gateway.store.transfer.database_copy import CopyFailed, copy_rows
from gateway.store.transfer.restore import RestoreFailed, restore_backup


@click.group(cls=Commands)
def database() -> None:
    """The database as a whole, with the gateway stopped."""


@database.command("migrate")
@local_settings_and_json
def migrate_database(settings: Settings, as_json: bool) -> None:
    """Bring the database up to date, as the gateway's next start would."""
    place = place_of(settings.database_url)
    with (
        waiting("Migrating", quiet=as_json),
        without_gateway(settings, "database migrate"),
        opened_database(settings, is_served=False) as opened,
    ):
        steps = list(opened.applied)
    told = f"{', '.join(steps)} applied" if steps else "it was up to date"
    row = {"database": place, "steps": steps}
    print_result(row, f"{place}: {told}.", as_json=as_json)


@database.command("copy")
@click.argument("url")
@local_settings_and_json
def copy_database(settings: Settings, url: str, as_json: bool) -> None:
    """Copy all rows to another, empty database.

    SQLite and PostgreSQL, both ways. URL as in GATEWAY_DATABASE_URL. Leave its
    password to ~/.pgpass or PGPASSWORD: a command line is visible to others.
    """
    try:
        source, target = place_of(settings.database_url), place_of(url)
        if source == target:
            raise click.ClickException(f"{source} is the database itself")
        with without_gateway(settings, "database copy", url):
            unread = _unreadable(settings)
            counted = _copied(settings, url, quiet=as_json)
    except UnusableDatabase as error:
        raise click.ClickException(str(error)) from error  # no setting's
    except StoreUnavailable as error:  # either of both: the driver's words say which
        told = f"{cause_of(error)}. Nothing was copied."
        raise click.ClickException(told) from error
    rows = sum(counted.values())
    key = settings.data_dir / KEY_FILE
    reads = "GATEWAY_ENCRYPTION_KEY" if settings.encryption_key else key
    told = _told(unread) if unread else f"{reads} reads the credentials in it."
    print_result(
        {"from": source, "to": target, "rows": counted, "unreadable": unread},
        f"Copied {rows:,} rows from {source} to {target}, counted on both sides.\n"
        f"Now set GATEWAY_DATABASE_URL to it and start the gateway, with the same "
        f"GATEWAY_DATA_DIR: {told}",
        as_json=as_json,
    )


def _copied(settings: Settings, url: str, *, quiet: bool) -> dict[str, int]:
    path = sqlite_path(url)
    is_new = path is not None and not path.exists()
    target = open_database(url)
    try:
        with (
            opened_database(settings, is_served=False) as (origin, _),
            translated_errors(),
            target.connection_context(),
            Progress("Copying", unit="rows", quiet=quiet) as progress,
        ):
            migrate(target)
            return copy_rows(origin, target, progress.update)
    except CopyFailed as error:
        if is_new and path is not None:
            path.unlink()
        raise click.ClickException(f"{error}. Nothing was copied.") from error
    finally:
        close_all(target)


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@local_settings_and_json
def restore(settings: Settings, file: Path, as_json: bool) -> None:
    """Put a backup in the place of the SQLite database.

    The one that was there is kept aside. The file is checked first, and brought up
    to date.
    """
    path = sqlite_path(settings.database_url)
    if path is None:
        raise click.ClickException(
            f"{place_of(settings.database_url)} is restored with pg_restore: see "
            "docs/operating.md"
        )
    with without_gateway(settings, "restore"):
        try:
            with Progress("Restoring", unit="pages", quiet=as_json) as progress:
                counted, aside = restore_backup(file, path, progress.update)
        except RestoreFailed as error:
            raise click.ClickException(str(error)) from error
        unread = _unreadable(settings)
    told = ", ".join(f"{number} {name}" for name, number in counted.items() if number)
    sentence = f"{path}: {told or 'an empty database'}, checked."
    if aside is not None:
        sentence += f"\nThe one that was there is {aside}."
    if unread:
        sentence += f"\n{_told(unread)}"
    row = {"file": str(path), "rows": counted, "aside": aside and str(aside)}
    print_result(row | {"unreadable": unread}, sentence, as_json=as_json)


def _told(unread: list[str]) -> str:
    return (
        f"The credentials of {', '.join(unread)} cannot be read with the "
        "encryption key in use: put the key of that time back, or log in again."
    )


def _unreadable(settings: Settings) -> list[str]:
    """Accounts whose credentials another key encrypted."""
    with opened_database(settings, is_served=False):
        accounts = load_accounts(secrets_of(settings))
    return [one.name for one in accounts if one.credentials.bearer is None]
