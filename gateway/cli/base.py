"""What every command shares: settings, the database, output, errors."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, TypeVar

import click
import peewee as pw

from gateway.admin.entity import Changed
from gateway.cli.admin_client import reload_running
from gateway.cli.output import OutputRow, print_change, printable
from gateway.errors import GatewayError
from gateway.process.inherited_sockets import UnusableDescriptor
from gateway.process.lockfile import AlreadyRunning
from gateway.repository.audit import shell_actor
from gateway.settings import PACKAGE, PROGRAM, Settings
from gateway.store import models
from gateway.store.database import (
    StoreUnavailable,
    UnusableDatabase,
    migrate,
    open_database,
    transaction,
    translated_errors,
)
from gateway.store.encryption import SecretBox, UnusableKey

T = TypeVar("T")

_LONGEST_REASON = 300

pass_settings = click.make_pass_decorator(Settings)
_json_option = click.option(
    "--json", "as_json", is_flag=True, help="One object a line."
)


def settings_and_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the settings as its first argument, and the option --json."""
    return _json_option(pass_settings(command))


# What a command tells in one line instead of a traceback.
EXPECTED = (
    GatewayError,
    UnusableDatabase,
    UnusableKey,
    UnusableDescriptor,
    AlreadyRunning,
    OSError,
)


class Commands(click.Group):
    """A group whose commands fail with one clear line and status 1.

    `elsewhere` are commands whose modules are imported once they are asked for, most
    of a command's time being imports: "module:name" in this package, by their names.
    """

    def __init__(
        self, *args: Any, elsewhere: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._elsewhere = dict(elsewhere or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self._elsewhere])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = self._elsewhere.get(cmd_name)
        if where is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = where.partition(":")
        found: click.Command = getattr(import_module(f"{__package__}.{module}"), name)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # click ends quietly when the reader has gone
        except EXPECTED as error:
            raise click.ClickException(printable(_reason(error))) from error
        except click.ClickException as error:
            if error.message == printable(error.message):
                raise
            raise click.ClickException(printable(error.message)) from error


def _reason(error: Exception) -> str:
    """The error, and what the database's driver said: it names host and port only."""
    cause = error.__cause__
    if not isinstance(error, StoreUnavailable) or cause is None:
        return str(error)
    said = " ".join(str(cause).split())[:_LONGEST_REASON]
    return f"{error} (GATEWAY_DATABASE_URL): {said}"


@contextmanager
def connected_database(settings: Settings) -> Iterator[pw.Database]:
    """The database, up to date and connected; the tables belong to it meanwhile."""
    database = open_database(settings.database_url)
    try:
        with translated_errors():
            with database.connection_context():
                migrate(database)
            models.database.initialize(database)
            with database.connection_context():
                yield database
    finally:
        models.database.initialize(None)
        if hasattr(database, "close_all"):
            database.close_all()


def run_query(settings: Settings, function: Callable[..., T], *args: Any) -> T:
    """What a function reads from the database."""
    with connected_database(settings):
        return function(*args)


def apply_change(settings: Settings, function: Callable[..., T], *args: Any) -> T:
    """Make a change, whole or not at all; it holds for the next request."""
    with connected_database(settings) as database, transaction(database):
        result = function(*args)
    reload_running(settings)
    return result


def version() -> str:
    """The release, as pyproject.toml has it."""
    if PROGRAM == PACKAGE:
        return metadata.version(PACKAGE)
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    return str(tomllib.loads(project.read_text())["project"]["version"])


def secrets_of(settings: Settings) -> SecretBox:
    key = settings.encryption_key
    return SecretBox.open(settings.data_dir, key.reveal() if key else "")


class Count(click.ParamType[int | str]):
    """A number, or nothing at all, which takes a rule away; 0 is no such word."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        return "" if value == "" else int(click.INT.convert(value, param, ctx))


def given_values(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given; None for one that was given without a value."""
    given = {name: one for name, one in options.items() if one not in (None, ())}
    return {name: None if one == "" else one for name, one in given.items()}


def name_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Take NAME as the argument, or as the option that it was before."""

    def merged(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
        named = ctx.params.pop("named", None)
        if (value is None) == (named is None):
            raise click.UsageError("Give NAME, once.", ctx)
        return value if named is None else named

    command = click.argument("name", required=False, callback=merged)(command)
    return click.option(
        "--name", "named", is_eager=True, expose_value=True, help="The same as NAME."
    )(command)


def add_change_command(
    group: click.Group,
    name: str,
    function: Callable[[str, str], Changed],
    row: OutputRow,
    texts: tuple[str, str],
) -> None:
    """Add a command for a change that takes a name only.

    `texts`: its help, and the sentence for people; `row` is added to the JSON.
    """
    help_text, sentence = texts

    @group.command(name, help=help_text)
    @click.argument("name")
    @settings_and_json
    def command(settings: Settings, name: str, as_json: bool) -> None:
        changed = apply_change(settings, function, name, shell_actor())
        print_change(changed, sentence.format(changed.name), as_json=as_json, **row)
