"""`run.py turns`: what runs at this moment, and `turns cut`."""

from typing import Any

import click

from gateway.cli.admin_client import Client, find_client, path_of
from gateway.cli.base import Commands, settings_and_json
from gateway.cli.output import format_bytes, format_duration, print_result
from gateway.cli.screen.columns import columns
from gateway.cli.screen.fitting import is_narrow
from gateway.cli.screen.lines import show_table
from gateway.settings import Settings

_PHASES = {"answering": "green", "waiting": "yellow"}
_NUMBERS = "age in out silent"
_COLUMNS = columns(
    f"id {_NUMBERS} phase key account model client member",
    _NUMBERS,
    whole="id phase",
    extra="member",
    phase=_PHASES,
)


@click.group(cls=Commands, invoke_without_command=True)
@settings_and_json
def turns(settings: Settings, as_json: bool) -> None:
    """The turns that run: since when, how far, for whom."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    told = _client(settings).call("GET", "/api/turns")
    rows, unreached = told["turns"], told.get("unreached")  # which older ones lack
    if unreached:
        names = ", ".join(map(str, unreached))
        click.echo(f"Without those of member {names}: not reached.", err=True)
    if not rows and not as_json:
        click.echo("No turn is running.")
        return
    shown = rows if as_json else [_readable(row) for row in rows]
    is_of_many = any(row.get("member") for row in rows)
    show_table(shown, _COLUMNS if is_of_many else _COLUMNS[:-1], as_json=as_json)


@turns.command()
@click.argument("id")
@settings_and_json
def cut(settings: Settings, id: str, as_json: bool) -> None:
    """Stop the turn of a request ID, or of its beginning.

    Its client is told that the operator did it, and Codex does not ask again.
    """
    path = path_of("turns", id, "cut")
    row = _client(settings).call("POST", path, {})
    done = f"Stopped {row['id']}, {row['phase']} for {format_duration(row['age'])}."
    print_result(row, done, as_json=as_json)


def _client(settings: Settings) -> Client:
    client = find_client(settings)
    if client is None:
        raise click.ClickException(
            f"No gateway runs on {settings.data_dir}; --url names one elsewhere."
        )
    return client


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "id": row["id"][: 8 if is_narrow() else 12],
        "age": format_duration(row["age"]),
        "silent": format_duration(row["silence"]),
        "in": format_bytes(row["request_bytes"]),
        "out": format_bytes(row["response_bytes"]),
    }
