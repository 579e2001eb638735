"""`run.py doctor` and `config check`: what is wrong, and the line to change."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import aiohttp
import click
from environs import EnvValidationError

from gateway.cli.admin_client import Client, Refused, find_client
from gateway.cli.base import (
    Address,
    Commands,
    KeyText,
    local_settings_and_json,
    run_query,
    secrets_of,
)
from gateway.cli.guide.help_page import Command
from gateway.cli.output import print_json, printable
from gateway.cli.progress import Progress, waiting
from gateway.cli.reports.members import all_members
from gateway.cli.running.database import NeedsRestart
from gateway.doctor import client_checks, configuration_checks, local_checks
from gateway.doctor.client import SILENCE, Visit
from gateway.doctor.egress_check import check_egress
from gateway.doctor.findings import Finding, Level, fail, ok, warn
from gateway.doctor.real_turns import REAL_SURFACES, Spent, real_turns
from gateway.pricing.pricing import Prices
from gateway.repository.accounts import load_accounts
from gateway.settings import COMMAND, Settings
from gateway.store.database import StoreUnavailable, UnusableDatabase
from gateway.store.encryption import UnusableKey
from gateway.upstream.http import open_session

DOTENV = Path(".env")
_LONG_WAIT = (
    f"This waits {SILENCE:.0f} s in silence, as a model does that thinks: proxies cut "
    "such connections. --quick leaves it out."
)
_MARKS = {Level.OK: "ok  ", Level.WARN: "WARN", Level.FAIL: "FAIL"}


@click.command(cls=Command)
@click.option("--url", type=Address(), help="The gateway's address as clients have it.")
@click.option(
    "--key",
    "api_key",
    type=KeyText(),
    envvar="GATEWAY_API_KEY",
    help="An API key, for its clients.",
)
@click.option("--quick", is_flag=True, help="Without the 70 seconds of silence.")
@click.option("--real", is_flag=True, help="Send real turns, which cost some tokens.")
@click.option("--yes", is_flag=True, help="Do not ask before that.")
@click.option(
    "--codex-home",
    "home",
    envvar="CODEX_HOME",
    type=click.Path(path_type=Path),
    default=Path("~/.codex"),
    help="Of the Codex on this machine.",
)
@local_settings_and_json
def doctor(
    settings: Settings,
    /,
    url: str | None,
    api_key: str | None,
    home: Path,
    as_json: bool,
    **wanted: bool,
) -> None:
    """Look at the gateway as its clients do.

    Through what stands in between, such as a proxy. Takes 75 seconds, for one check
    is a long silence. No request is sent upstream, unless --real asks for it: one
    tiny turn an account and surface. On the gateway's own machine it comes in by
    itself; elsewhere give it a key.
    """
    client = find_client(settings)
    quick = wanted["quick"]
    names = _consent(client, yes=wanted["yes"]) if wanted["real"] else []
    own = client.url if client is not None else _configured_url(settings)
    url = (url or settings.public_url or own).rstrip("/")
    is_home = settings.data_dir.is_dir()
    found: list[Finding] = []

    def tell(finding: Finding) -> None:
        found.append(finding)
        tell_finding(finding, as_json)

    if is_home:
        for finding in _at_home(settings):
            tell(finding)
    for finding in local_checks.codex_configuration(home, {url, own}):
        tell(finding)
    if not quick and not as_json:
        click.echo(_LONG_WAIT, err=True)
    visiting = _visiting_key(client, api_key)
    with Progress("Waiting", unit="s", quiet=as_json) as progress:
        asked = (url, visiting, settings.sso_user_header)
        asyncio.run(_visit(asked, quick, tell, progress))
    if client is not None and wanted["real"]:
        spent = Spent(Prices(settings.prices).table)
        for name in names:
            visiting, label = _visitor(client, name), f"Asking as {printable(name)}"
            with Progress(label, unit="s", quiet=as_json) as progress:
                asyncio.run(_send_turns((url, visiting), name, spent, tell, progress))
        tell(spent.finding())
    failed = sum(finding.level is Level.FAIL for finding in found)
    warned = sum(finding.level is Level.WARN for finding in found)
    if not as_json:
        click.echo(f"{failed} failed, {warned} to look at, {len(found)} checks.")
    raise SystemExit(1 if failed else 0)


def _at_home(settings: Settings) -> Iterator[Finding]:
    try:
        accounts = run_query(settings, load_accounts, secrets_of(settings))
    except UnusableDatabase as error:  # the gateway's may be another
        yield fail("database", str(error), "GATEWAY_DATABASE_URL=…")
        accounts = []
    yield from local_checks.check_installation(settings, accounts)
    with suppress(UnusableDatabase, Refused):  # of an older release, it has no members
        yield from local_checks.members(all_members(settings))
    yield from asyncio.run(check_egress(settings))


def _configured_url(settings: Settings) -> str:
    host = settings.host if settings.host not in ("", "0.0.0.0", "::") else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _visiting_key(client: Client | None, key: str | None) -> str | None:
    """The key given, else one of the running gateway's for a visitor, else none."""
    return key if key is not None or client is None else _visitor(client, None)


def _visitor(client: Client, account: str | None) -> str:
    """A key that lasts for minutes, and whose requests leave no row."""
    try:
        return str(client.call("POST", "/api/visits", {"account": account})["key"])
    except Refused as error:
        if error.status == 404 and account is None:
            raise NeedsRestart from error  # it knows no visits
        raise


def _consent(client: Client | None, *, yes: bool) -> list[str]:
    """The accounts to send real turns to, once the owner has said yes."""
    if client is None:
        raise click.ClickException(f"--real needs a running gateway: `{COMMAND}`")
    listed = client.call("GET", "/api/accounts")["accounts"]
    names = [one["name"] for one in listed if one["state"] != "paused"]
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("--real spends tokens: say --yes, too")
        turns = len(names) * len(REAL_SURFACES)
        asked = f"Send {turns} tiny turns to upstream? They cost some tokens each."
        click.confirm(asked, abort=True, err=True)
    return names


async def _send_turns(
    visiting: tuple[str, str],
    account: str,
    spent: Spent,
    tell: Callable[[Finding], None],
    progress: Progress,
) -> None:
    async with aiohttp.ClientSession(trust_env=False) as session:
        turns = real_turns(Visit(session, *visiting), account, spent)
        async for finding in progress.wait(turns):
            tell(finding)


async def _visit(
    visiting: tuple[str, str | None, str],
    quick: bool,
    tell: Callable[[Finding], None],
    progress: Progress,
) -> None:
    async with aiohttp.ClientSession(trust_env=False) as session:
        coming = client_checks.check_connection(
            Visit(session, *visiting), is_quick=quick
        )
        whole = None if quick else SILENCE
        async for finding in progress.wait(coming, whole):
            tell(finding)


def tell_finding(finding: Finding, as_json: bool) -> None:
    """A finding as a line and its remedy, or as an object."""
    if as_json:
        print_json(asdict(finding))
        return
    told = f"{finding.check}: {finding.message}"
    click.echo(f"{_MARKS[finding.level]}  {printable(told)}")
    if finding.fix:
        click.echo(f"      change: {printable(finding.fix)}")


@click.group(cls=Commands)
def config() -> None:
    """The settings: GATEWAY_* in the environment and in `.env`."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def check(as_json: bool) -> None:
    """Try the settings: names, values, database, upstreams.

    Status 1 when something failed. Nothing is changed and no token is sent.
    """
    failed = 0
    for finding in _findings(quiet=as_json):
        tell_finding(finding, as_json)
        failed += finding.level is Level.FAIL
    raise SystemExit(1 if failed else 0)


def _findings(*, quiet: bool) -> Iterable[Finding]:
    yield from configuration_checks.names_of_settings(os.environ, DOTENV)
    try:
        settings = Settings.from_env(str(DOTENV))
    except EnvValidationError as error:
        yield from configuration_checks.values_of_settings(error)
        return
    yield ok("values", "every value can be read")
    yield configuration_checks.own_prices(settings.prices)
    urls = {settings.upstream_base_url, settings.auth_base_url}
    try:
        accounts = run_query(settings, load_accounts, secrets_of(settings))
    except NeedsRestart as error:
        yield warn("database", str(error))
    except (UnusableDatabase, StoreUnavailable, UnusableKey) as error:
        yield fail("database", str(error))
    else:
        yield ok("database", f"can be used; {len(accounts)} accounts")
        urls |= {account.base_url for account in accounts if account.base_url}
    with waiting("Asking upstream", quiet=quiet):
        found = asyncio.run(_upstreams(settings, urls))
    yield from found


async def _upstreams(settings: Settings, urls: Iterable[str]) -> list[Finding]:
    """As all connections out: through the egress proxy, where one is set."""
    async with open_session(settings) as session:
        found = await configuration_checks.upstreams(session, urls)
    return [*await check_egress(settings), *found]
