"""What every command shares: settings, the database, output, errors."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import click
from click.exceptions import NoArgsIsHelpError

from gateway.admin.entity import Changed
from gateway.cli.admin_client import remote_url, use_url
from gateway.cli.guide.exit_status import ExitStatus
from gateway.cli.guide.help_page import Command, help_page
from gateway.cli.guide.stored_names import names_of
from gateway.cli.guide.usage_errors import UsageLine, one_line
from gateway.cli.output import UNPRINTABLE, OutputRow, error_lines, print_change
from gateway.cli.running.connection import SECRETS as SECRETS  # for commands, too
from gateway.cli.running.connection import apply_change as apply_change
from gateway.cli.running.connection import connected_database as connected_database
from gateway.cli.running.connection import raise_failure
from gateway.cli.running.connection import run_query as run_query
from gateway.cli.running.connection import secrets_of as secrets_of
from gateway.errors import GatewayError
from gateway.process.inherited_sockets import UnusableDescriptor
from gateway.process.lockfile import AlreadyRunning
from gateway.repository.audit import shell_actor
from gateway.settings import PROGRAM, Settings
from gateway.store.database import StoreUnavailable, UnusableDatabase
from gateway.store.encryption import UnusableKey

_LONGEST_REASON = 300
_ONE_WORD = re.compile(r"[!-~]+")
# What is not there, whoever says so, and the command that lists what is.
_LISTED = {
    "There is no API key": "keys list",
    "There is no account": "accounts list",
    "There is no person": "people list",
    "There is no device": "devices list",
    "There is no request": "logs",
}

pass_settings = click.make_pass_decorator(Settings)
_json_option = click.option(
    "--json", "as_json", is_flag=True, help="One object a line."
)


_url_option = click.option(
    "--url",
    expose_value=False,
    callback=use_url,
    help="Of a gateway elsewhere, whose admin token is GATEWAY_ADMIN_TOKEN.",
)


def settings_and_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the settings as its first argument, --json, and --url."""
    return _url_option(local_settings_and_json(command))


def local_settings_and_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """Without --url: for what is about this machine, or has a meaning of its own."""
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
# What an answer ends in whose fields have other types, at `--url`.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Commands(click.Group):
    """A group whose commands fail with one clear line, and help with examples.

    `elsewhere` are commands whose modules are imported once they are asked for, most
    of a command's time being imports: "module:name" in this package, by their names.
    """

    command_class = Command

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

    def get_help(self, ctx: click.Context) -> str:
        return help_page(self, ctx)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _clear_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with _clear_errors():
            done = super().invoke(ctx)
            raise_failure(ctx)
            return done


@contextmanager
def _clear_errors() -> Iterator[None]:
    """What commands are expected to fail with, as one line each."""
    try:
        yield
    except BrokenPipeError:
        raise  # click ends quietly when the reader has gone
    except KeyboardInterrupt:
        click.echo(err=True)  # behind the ^C
        raise click.exceptions.Exit(ExitStatus.INTERRUPTED) from None
    except EXPECTED as error:
        one = _reason(error).replace("\n", UNPRINTABLE)  # of a name in it
        raise click.ClickException(error_lines(one)) from error
    except _UNREADABLE as error:
        if remote_url() is None:
            raise
        told = f"{remote_url()} does not answer as a gateway of this release"
        raise click.ClickException(error_lines(told)) from error
    except click.ClickException as error:
        if isinstance(error, NoArgsIsHelpError):
            raise  # it holds the help
        if isinstance(error, click.UsageError):
            raise one_line(error) from error
        if error.message == error_lines(error.message):
            raise
        kind = UsageLine if isinstance(error, UsageLine) else click.ClickException
        raise kind(error_lines(error.message)) from error


def _reason(error: Exception) -> str:
    """The error, with what the operator may look at."""
    told, cause = str(error), error.__cause__
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, UnusableDatabase):
        return f"{told} (GATEWAY_DATABASE_URL, GATEWAY_DATA_DIR)"
    if isinstance(error, StoreUnavailable) and cause is not None:
        # The driver names host and port only.
        said = " ".join(str(cause).split())[:_LONGEST_REASON]
        return f"{told} (GATEWAY_DATABASE_URL): {said}"
    for missing, command in _LISTED.items():
        if told.startswith(missing) and "did you mean" not in told:
            return f"{told}: `{PROGRAM} {command}` shows those there are"
    return told


class Count(click.ParamType[int | str]):
    """A number, or nothing at all, which takes a rule away; 0 is no such word."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> int | str:
        return "" if value == "" else int(click.INT.convert(value, param, ctx))


class Address(click.ParamType[str]):
    """Where a gateway is, without a slash at its end."""

    name = "url"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        try:
            parts = urlsplit(value)
            is_url = bool(parts.hostname) and parts.scheme in ("http", "https")
            is_bare = parts.port != 0 and not (parts.query or parts.username)
            is_bare &= _ONE_WORD.fullmatch(value) is not None
        except ValueError:  # brackets, or a port, that are none
            is_url = is_bare = False
        if not (is_url and is_bare):
            self.fail(f"'{value}' is no URL as in https://host[:port]", param, ctx)
        return str(value).rstrip("/")


class KeyText(click.ParamType[str]):
    """An API key, which goes into a header; no message has it."""

    name = "key"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        if value and _ONE_WORD.fullmatch(value) is None:
            self.fail("it has characters that no key has", param, ctx)
        return str(value)


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
    @click.argument("name", shell_complete=names_of(group.name or ""))
    @settings_and_json
    def command(settings: Settings, name: str, as_json: bool) -> None:
        changed = apply_change(settings, function, name, shell_actor())
        print_change(changed, sentence.format(changed.name), as_json=as_json, **row)
