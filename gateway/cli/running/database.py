"""Which database a command works on, and what is said of it."""

from collections.abc import Iterable

import click
import peewee as pw

from gateway.cli.output import printable
from gateway.process.lockfile import RunningGateway
from gateway.settings import Settings
from gateway.store.database import UnusableDatabase
from gateway.store.identity import is_empty, is_full_file, place_of, served_by

_TOLD = "gateway.told"  # of the command's context


class OtherDatabase(UnusableDatabase):
    """The running gateway has another one than the settings name."""


class NeedsRestart(UnusableDatabase):
    """The running gateway is of an older release, and goes first."""

    def __init__(self) -> None:
        super().__init__(
            "The gateway that runs on the database is of an older release: restart it "
            "(SIGHUP, systemctl reload), which brings the database up to date"
        )


def is_same_database(settings: Settings, running: RunningGateway) -> bool:
    """Whether the settings lead to the running gateway's database."""
    url = settings.database_url
    if running.database in ("", place_of(url)):  # "": of a release that did not say
        return True
    return running.database_mark in served_by(url)


def check_same(settings: Settings, running: RunningGateway | None) -> None:
    """Raises OtherDatabase, naming both."""
    if running is not None and not is_same_database(settings, running):
        raise OtherDatabase(
            f"{_both(settings, running)}. Nothing was done: give this command the "
            "gateway's GATEWAY_DATABASE_URL, or another GATEWAY_DATA_DIR"
        )


def note_other(settings: Settings, running: RunningGateway) -> None:
    """Say that the gateway's database counts, where the settings name none."""
    if not is_same_database(settings, running):
        say_once(f"{_both(settings, running)}; the gateway's counts.")


def _both(settings: Settings, running: RunningGateway) -> str:
    return (
        f"The gateway on {settings.data_dir} (process {running.pid}) uses the database "
        f"{running.database}, and these settings name {place_of(settings.database_url)}"
    )


def warn_of_forgotten_file(settings: Settings, database: pw.Database) -> None:
    """Say so when the database is empty, and the data directory's own file is not."""
    is_own = place_of(settings.database_url) == str(settings.own_file.resolve())
    if is_own or not is_empty(database) or not is_full_file(settings.own_file):
        return
    say_once(
        f"Warning: the database {place_of(settings.database_url)} is empty, and "
        f"{settings.own_file} is not: `database copy` takes its rows over."
    )


def describe_change(settings: Settings, applied: Iterable[str], *, empty: bool) -> str:
    """Where a change went that no gateway was there for."""
    made = ", which was just made and is empty" if applied else ", which was empty"
    return (
        f"No gateway runs on {settings.data_dir}: changed in the database "
        f"{place_of(settings.database_url)}{made if empty else ''}."
    )


def say_once(words: str) -> None:
    """On standard error, and not again by the same command."""
    ctx = click.get_current_context(silent=True)
    told = set() if ctx is None else ctx.meta.setdefault(_TOLD, set())
    if words not in told:
        told.add(words)
        click.echo(printable(words), err=True)
