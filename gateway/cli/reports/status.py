"""`run.py status`: whether all is well, on one screen."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from gateway.cli.admin_client import find_client
from gateway.cli.base import connected_database, secrets_of, settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.output import format_bytes, format_duration, format_time, print_json
from gateway.cli.reports.windows import account_rows, limit_rows_of, window_columns
from gateway.cli.running.connection import note_server
from gateway.cli.screen.columns import Column, columns
from gateway.cli.screen.fitting import Lines, terminal_width
from gateway.cli.screen.lines import print_lines
from gateway.errors import GatewayError
from gateway.settings import Settings

WATCH_SECONDS = 2.0
NEAR_PERCENT = 80.0
MOST_LIMITS_SHOWN = 10

Shown = dict[str, Any]
_FACTS = columns(
    "what is", whole="what is", what={"not ready": "red", "warning": "yellow"}
)
_ACCOUNTS = window_columns("account state turns", "why")
_LIMITS = window_columns("key", "amount")


class Part(NamedTuple):
    """A table of the screen."""

    shown: list[Column]
    rows: list[Shown]
    has_titles: bool = True


@click.command(cls=Command)
@click.option("--watch", is_flag=True, help="Draw it anew every 2 s, until Ctrl-C.")
@settings_and_json
def status(settings: Settings, watch: bool, as_json: bool) -> None:
    """Whether all is well, on one screen.

    Versions, accounts with their windows, keys near their limits, errors of the last
    hour, queues, lag, database. Where no gateway runs, what the database knows.
    """
    if watch and not (as_json or terminal_width()):
        raise click.UsageError("--watch needs a terminal, or --json.")
    try:
        if as_json:
            print_json(_ask(settings))
            while watch:
                time.sleep(WATCH_SECONDS)
                print_json(_ask(settings))
        elif watch:
            # Half of such a command's time, which the others do not spend.
            from gateway.cli.screen.terminal import redraw

            redraw(lambda width: _drawn(settings, width), WATCH_SECONDS)
        else:
            for shown, rows, has_titles in parts_of(_ask(settings), settings):
                if has_titles:
                    click.echo()
                print_lines(shown, rows, sample=len(rows), has_titles=has_titles)
    except KeyboardInterrupt:
        click.echo()


def _ask(settings: Settings) -> Shown:
    client = find_client(settings)
    if client is not None:
        return client.call("GET", "/api/status")
    # With the whole gateway's modules, which one that runs has loaded itself.
    from gateway.admin.live.status import stored_status

    with connected_database(settings) as database:
        note_server(settings, database)
        return stored_status(settings, secrets_of(settings))


def _drawn(settings: Settings, width: int) -> Iterator[tuple[Lines, Shown]]:
    """Each line of the screen; a gateway that restarts is waited for."""
    try:
        told = parts_of(_ask(settings), settings)
    except GatewayError as error:
        told = [Part(_FACTS, [{"what": "not ready", "is": str(error)}], False)]
    for shown, rows, has_titles in told:
        lines = Lines(shown, rows, width)
        if has_titles:
            yield Lines((), (), width), {}  # an empty line
            yield lines, lines.titles
        for row in rows:
            yield lines, row


def parts_of(told: Shown, settings: Settings) -> list[Part]:
    """The screen of an answer of `/api/status`."""
    now, near = told["at"], _near(told)
    facts = [
        {"what": what, "is": words} for what, words in _facts(told, settings) if words
    ]
    parts = [Part(_FACTS, facts, has_titles=False)]
    if told["accounts"]:
        parts.append(Part(_ACCOUNTS, list(account_rows(told["accounts"], now))))
    if near:
        rows = list(limit_rows_of(near[:MOST_LIMITS_SHOWN], now))
        parts.append(Part(_LIMITS, rows))
    return parts


def _near(told: Shown) -> list[Shown]:
    """Limits of keys that are nearly used up, or will be before they reset."""
    return [
        one
        for one in told["limits"]
        if one["used_percent"] >= NEAR_PERCENT or one["runs_out_at"] is not None
    ]


def _facts(told: Shown, settings: Settings) -> Iterator[tuple[str, str]]:
    """What has no table of its own, in sentences of eighty characters."""
    process, database = told["gateway"], told["database"]
    if process is None:
        yield "gateway", f"none runs on {settings.data_dir}; its database knows this:"
    else:
        yield from _running(told, process)
    size = database["bytes"] and f", {format_bytes(database['bytes'])}"
    yield "database", f"{database['place']}{size or ''}"
    members = told.get("members") or ()  # an older release has none
    late = sum(one["is_behind"] for one in members)
    behind = f", {late} of them behind: see `members`" if late else ""
    yield "members", f"{len(members)}{behind}" if len(members) > 1 else ""
    yield "not ready", database["problem"] and f"database: {database['problem']}"
    recording, errors = told["recording"], told["errors"]
    blocked = (
        recording and f"{format_time(recording['at'])}: {recording['what'] or '-'}"
    )
    yield "last block", blocked or "none recorded"
    if errors is not None:
        origins = (f"{whose} {n:,}" for whose, n in errors["by_origin"].items())
        whose = f": {', '.join(origins)}" if errors["failed"] else ""
        asked = f"{errors['failed']:,} of {errors['requests']:,} requests failed"
        yield "last hour", asked + whose
    yield "accounts", "" if told["accounts"] else "none"
    yield "keys", "" if _near(told) else "none is near a limit of its"


def _running(told: Shown, process: Shown) -> Iterator[tuple[str, str]]:
    queues, lag = told["queues"], told["lag"]
    age = format_duration(process["uptime"])
    yield (
        "gateway",
        f"{process['version']}, up {age}, process {process['pid']}; "
        f"Python {process['python']}, asks as Codex {process['codex_version']}",
    )
    yield (
        "load",
        f"{process['turns']:,} turns, {process['sockets']:,} WebSockets; "
        f"{queues['accounts']:,} wait for an account, {queues['keys']:,} for their key",
    )
    lost = f", {queues['lost_rows']:,} lost" if queues["lost_rows"] else ""
    yield (
        "lag",
        f"event loop {1000 * lag['loop']:.0f} ms (worst of a minute), "
        f"writer {lag['writer']:.1f} s, {queues['log']:,} rows wait{lost}",
    )
    for check, words in process["readiness"].items():
        if words != "ok" and check != "database":
            yield "not ready", f"{check}: {words}"
    for subject, words in process["warnings"].items():
        yield "warning", f"{subject}: {words}"
