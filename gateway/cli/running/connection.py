"""Reading and changing: by the gateway that a command is for, or in the database."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import click
import peewee as pw

from gateway.cli.admin_client import (
    Client,
    GatewayDoesNotAnswer,
    find_client,
    reload_running,
    remote_url,
)
from gateway.cli.running.api_routes import route_of
from gateway.cli.running.database import (
    NeedsRestart,
    check_same,
    describe_change,
    is_same_database,
    note_other,
    say_once,
    warn_of_forgotten_file,
)
from gateway.process.database_lock import places
from gateway.process.lockfile import find_running
from gateway.process.session_locks import holders_of
from gateway.repository.members import FOLLOW_SECONDS, behind
from gateway.repository.revision import current_revision
from gateway.settings import Settings
from gateway.store import models
from gateway.store.database import (
    close_all,
    migrate,
    open_database,
    translated_errors,
)
from gateway.store.encryption import SecretBox
from gateway.store.identity import is_empty
from gateway.store.key_rotation import check_key
from gateway.store.shared.brief_transaction import brief_transaction
from gateway.store.shared.tables import MemberRow
from gateway.store.steps import missing_steps

T = TypeVar("T")

_POLL = 0.1
_FAILURE = "gateway.failure"  # of the command's context
# Among a function's arguments: the box of the data directory, opened where it is used.
SECRETS = object()


class _Opened(NamedTuple):
    database: pw.Database
    applied: Sequence[str]  # steps of the schema that it lacked


@contextmanager
def connected_database(settings: Settings) -> Iterator[pw.Database]:
    """The database, up to date and connected; the tables belong to it meanwhile.

    Raises OtherDatabase where the gateway that runs has another one.
    """
    if remote_url() is not None:
        raise click.ClickException(
            "This needs the database itself: give it where the gateway runs, without "
            "--url"
        )
    running = find_running(settings.data_dir)
    check_same(settings, running)
    with opened_database(settings, running is not None or None) as opened:
        yield opened.database


@contextmanager
def changed_database(settings: Settings) -> Iterator[pw.Database]:
    """The same, for a change in pieces where no gateway runs; its place is told."""
    with connected_database(settings) as database:
        holders = holders_of(database)
        yield database
    if holders:
        say_once(f"Changed in the database of the gateway of {places(holders)}.")
    else:
        say_once(describe_change(settings, (), empty=False))


@contextmanager
def opened_database(settings: Settings, is_served: bool | None) -> Iterator[_Opened]:
    """The same whatever runs; what is served keeps its schema. None: to be seen."""
    database = open_database(settings.database_url)
    try:
        with translated_errors():
            with database.connection_context():
                applied = missing_steps(database)
                if applied and is_served is None:
                    is_served = bool(holders_of(database))
                if applied and is_served:
                    raise NeedsRestart
                migrate(database)
            models.database.initialize(database)
            with database.connection_context():
                warn_of_forgotten_file(settings, database)
                yield _Opened(database, applied)
    finally:
        models.database.initialize(None)
        close_all(database)


def run_query(settings: Settings, function: Callable[..., T], *args: Any) -> T:
    """What a function reads in the database, or in the gateway whose it is."""
    client, route = distant_client(settings), route_of(function)
    if client is not None and route is not None:
        found: T = client.ask(route, *args)
        return found
    with connected_database(settings) as database:
        if SECRETS in args:
            note_server(settings, database)
        return function(*_opened_secrets(settings, args))


def note_server(settings: Settings, database: pw.Database) -> None:
    """Say that what is shown of accounts is for their gateway elsewhere to tell."""
    if holders := holders_of(database):
        say_once(
            f"The gateway of {places(holders)} uses the database, and can read "
            f"credentials that the key in {settings.data_dir} may not: ask it "
            "there, or with --url, for the accounts' states."
        )


def distant_client(settings: Settings) -> Client | None:
    """A client of the gateway whose database these settings do not lead to, if any."""
    client = find_client(settings)
    if client is None or client.running is None:
        return client
    is_at_hand = settings.names_database or is_same_database(settings, client.running)
    return None if is_at_hand else client


def apply_change(settings: Settings, function: Callable[..., T], *args: Any) -> T:
    """Make a change, whole or not at all, by the gateway that it is for.

    It holds for the next request, or the command says at its end that it does not.
    """
    client, route = find_client(settings), route_of(function)
    if client is None:
        return _change_alone(settings, function, args)
    if route is None:
        with connected_database(settings) as database, brief_transaction(database):
            result = function(*_opened_secrets(settings, args))
        try:
            reload_running(settings)
        except GatewayDoesNotAnswer as error:
            _fail_at_end(str(error))
        return result
    if client.running is not None:
        note_other(settings, client.running)
    made: T = client.ask(route, *args)
    try:
        client.check_followed()
    except GatewayDoesNotAnswer as error:
        _fail_at_end(str(error))
    return made


def _change_alone(
    settings: Settings, function: Callable[..., T], args: Sequence[Any]
) -> T:
    """In the database, where no gateway runs on the data directory."""
    with opened_database(settings, None) as (database, applied):
        holders = holders_of(database)
        was_empty = is_empty(database)
        with brief_transaction(database):
            if SECRETS in args:
                check_key(secrets_of(settings))
            result = function(*_opened_secrets(settings, args))
            revision = current_revision()
        if not holders:
            say_once(describe_change(settings, applied, empty=was_empty))
        elif late := _wait_for_members(revision):
            named = ", ".join(f"{one.place} (member {one.id})" for one in late)
            _fail_at_end(
                "The change is in the database, but not taken over within "
                f"{FOLLOW_SECONDS:.0f} s by the gateway of {named}"
            )
        else:
            say_once(f"The gateway of {places(holders)} has taken the change over.")
    return result


def _wait_for_members(revision: int) -> list[MemberRow]:
    """Those that do not follow a change after some seconds, which is none mostly."""
    give_up_at = time.monotonic() + FOLLOW_SECONDS
    while late := behind(revision):
        if time.monotonic() > give_up_at:
            return late
        time.sleep(_POLL)
    return []


def _opened_secrets(settings: Settings, args: Sequence[Any]) -> list[Any]:
    return [secrets_of(settings) if one is SECRETS else one for one in args]


def secrets_of(settings: Settings) -> SecretBox:
    key = settings.encryption_key
    return SecretBox.open(settings.data_dir, key.reveal() if key else "")


def _fail_at_end(message: str) -> None:
    """Have the command fail once it has said what it did."""
    click.get_current_context().meta[_FAILURE] = message


def raise_failure(ctx: click.Context) -> None:
    """Raise what the command ends with, if it is to fail."""
    message = ctx.meta.pop(_FAILURE, None)
    if message is not None:
        raise click.ClickException(message)
