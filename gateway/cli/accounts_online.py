"""Commands of `accounts` that need upstream, a running gateway or the key."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from gateway.accounts.account import Account
from gateway.admin.logins.batch import (
    NewLogin,
    rotate_encryption_key,
    save_logins,
)
from gateway.admin.names import ACCOUNT_WORD, find_named
from gateway.admin.probe import probe as send_probe
from gateway.admin.resets import shown_resets, use_reset
from gateway.app import Gateway
from gateway.cli.admin_client import find_client, path_of, remote_url
from gateway.cli.base import SECRETS, apply_change, secrets_of, settings_and_json
from gateway.cli.guide.help_page import Command
from gateway.cli.guide.stored_names import names_of
from gateway.cli.output import print_json, print_result, still_holds, text
from gateway.cli.progress import waiting
from gateway.cli.running.alone import without_gateway
from gateway.repository.audit import shell_actor
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.settings.home import at_home
from gateway.store.encryption import SecretBox
from gateway.store.key_rotation import Rotated
from gateway.store.store import Store
from gateway.upstream import UpstreamFault
from gateway.upstream.http import open_session
from gateway.upstream.logins.access_token import identified, parse_import
from gateway.upstream.logins.auth_json import Login, read_login_file
from gateway.upstream.logins.device_login import DeviceCode, DeviceLogin

PROBE_SECONDS = 120.0
STDIN = Path("-")


@click.command("import", cls=Command)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE…",
)
@click.option("--name", help="What to call it; for one file.")
@settings_and_json
def import_logins(
    settings: Settings, files: tuple[Path, ...], name: str | None, as_json: bool
) -> None:
    """Import logins of Codex, or access tokens.

    Logins are the auth.json files that `codex login` writes. An access token
    (`at-…`) comes in an auth.json of `codex login --with-access-token`, or by
    itself; `-` is standard input. All or none: a file that cannot be read leaves
    everything as it was. A second import of a login updates its account.
    """
    if name is not None and len(files) > 1:
        raise click.UsageError("--name is for one file.")
    with waiting("Asking upstream", quiet=as_json):
        found = asyncio.run(_identify(settings, _read_all(files)))
    is_here = remote_url() is None  # else the gateway has other files
    logins = [
        NewLogin(one, name, str(path) if is_here and path != STDIN else None)
        for path, one in found
    ]
    done = apply_change(settings, save_logins, logins, SECRETS, shell_actor())
    for (path, _), saved in zip(found, done, strict=True):
        what = "Added" if saved.is_new else "Updated"
        note = "; its stored tokens are newer and were kept" if saved.kept_newer else ""
        row = {"name": saved.name, "is_new": saved.is_new, "file": str(path)}
        print_result(
            row | {"kept_newer": saved.kept_newer},
            f"{what} account '{saved.name}' from {path}{note}.",
            as_json=as_json,
        )


def _read_all(files: tuple[Path, ...]) -> list[tuple[Path, Login | Secret]]:
    logins, wrong = [], []
    for file in files:
        path, is_stdin = file, file == STDIN
        try:
            path = file if is_stdin else at_home(file).absolute()
            content = sys.stdin.buffer.read() if is_stdin else read_login_file(path)
            logins.append((path, parse_import(content)))
        except OSError as error:
            wrong.append(text(f"{path}: {error.strerror or error}"))
        except ValueError as error:
            wrong.append(text(f"{path}: {error}"))
    if wrong:
        raise click.ClickException("\n".join([*wrong, "Nothing was imported."]))
    return logins


async def _identify(
    settings: Settings, found: list[tuple[Path, Login | Secret]]
) -> list[tuple[Path, Login]]:
    """Ask upstream whose the access tokens are."""
    logins = []
    for path, login in found:
        try:
            logins.append((path, await identified(settings, login)))
        except UpstreamFault as fault:
            text = f"{path}: {fault}\nNothing was imported."
            raise click.ClickException(text) from fault
    return logins


@click.command(cls=Command)
@click.option("--name", help="What to call the account.")
@settings_and_json
def login(settings: Settings, name: str | None, as_json: bool) -> None:
    """Log in with a code, in any browser.

    It is a login of the gateway's own. Codex keeps its own login, so that the two
    never use up each other's tokens.
    """
    try:
        found = asyncio.run(_log_in(settings, as_json))
    except UpstreamFault as fault:
        raise click.ClickException(f"The login failed: {fault}") from fault
    wanted = [NewLogin(found, name)]
    (saved,) = apply_change(settings, save_logins, wanted, SECRETS, shell_actor())
    what = "Added" if saved.is_new else "Updated"
    row = {"name": saved.name, "is_new": saved.is_new}
    print_result(row, f"{what} account '{saved.name}'.", as_json=as_json)


async def _log_in(settings: Settings, as_json: bool) -> Login:
    async with open_session(settings) as session:
        device = DeviceLogin(session, settings.auth_base_url)
        code = await device.start()
        _show_code(code, as_json)
        return await device.finish(code)


def _show_code(code: DeviceCode, as_json: bool) -> None:
    if as_json:
        print_json(
            {"verification_url": code.verification_url, "user_code": code.user_code}
        )
        return
    click.echo(
        f"Open {text(code.verification_url)} in a browser and enter the code\n\n"
        f"    {text(code.user_code)}\n\nWaiting for it …"
    )


@click.command(cls=Command)
@click.argument("name", shell_complete=names_of("accounts"))
@click.option("--model", help="By default a cheap one of the account's.")
@settings_and_json
def probe(settings: Settings, name: str, model: str | None, as_json: bool) -> None:
    """Send one small real request at an account, whatever its state."""

    async def call(gateway: Gateway, account: Account) -> dict[str, Any]:
        return asdict(await send_probe(gateway, account, model))

    client = find_client(settings)
    with waiting("Asking upstream", quiet=as_json):
        if client is not None:
            path, body = path_of("accounts", name, "probe"), {"model": model}
            found = client.call("POST", path, body, timeout=PROBE_SECONDS)
        else:
            with without_gateway(settings, "accounts probe"):
                found = asyncio.run(_alone(settings, name, call))
    if found["ok"]:
        sentence = (
            f"'{found['account']}' answered with {found['model']} "
            f"in {found['duration_ms']} ms.{still_holds(found)}"
        )
    else:
        status = f" (status {found['status']})" if found["status"] else ""
        words = f"'{found['account']}' failed{status}: {found['error']}"
        sentence = words.rstrip(".") + "." + still_holds(found)
    if hint := found["residency_hint"]:
        sentence += f" Upstream routes its workspace by {hint!a}: see --residency."
    print_result(found, sentence, as_json=as_json)
    if not found["ok"]:
        raise SystemExit(1)


async def _alone(
    settings: Settings,
    name: str,
    call: Callable[[Gateway, Account], Awaitable[dict[str, Any]]],
) -> dict[str, Any]:
    """Without a running gateway: with one that serves nobody."""
    gateway = await Gateway.start(settings)
    try:
        held = gateway.pool.accounts.values()
        return await call(gateway, find_named(held, ACCOUNT_WORD, name))
    finally:
        await gateway.stop()


@click.command(cls=Command)
@click.argument("name", shell_complete=names_of("accounts"))
@click.option("--use", is_flag=True, help="Use one: used-up windows begin anew.")
@settings_and_json
def resets(settings: Settings, name: str, use: bool, as_json: bool) -> None:
    """Show an account's banked resets, or use one."""
    client = find_client(settings)
    with waiting("Asking upstream", quiet=as_json):
        if client is not None:
            path = path_of("accounts", name, "resets")
            found = client.call("POST" if use else "GET", path)
        else:
            call = partial(use_reset, actor=shell_actor()) if use else shown_resets
            with without_gateway(settings, "accounts resets"):
                found = asyncio.run(_alone(settings, name, call))
    outcome = f"Upstream says '{found['outcome']}'. " if use else ""
    left = text(found.get("available_count"))
    sentence = f"{outcome}'{found['account']}' has {left} banked."
    print_result(found, sentence, as_json=as_json)
    if use and found["outcome"] != "reset":
        raise SystemExit(1)


@click.command("rotate-key", cls=Command)
@settings_and_json
def rotate_key(settings: Settings, as_json: bool) -> None:
    """Encrypt all credentials with a new key; destroy the old."""
    client = find_client(settings)
    with waiting("Encrypting", quiet=as_json):
        if client is not None:
            path = path_of("accounts", "rotate-key")
            rotated = Rotated(**client.call("POST", path, {}, timeout=PROBE_SECONDS))
        else:
            with without_gateway(settings, "accounts rotate-key"):
                rotated = asyncio.run(_rotate(settings, secrets_of(settings)))
    sentence = f"A new key encrypts the credentials of {rotated.resealed} accounts."
    if rotated.unreadable:
        sentence += f" Of {rotated.unreadable} they could not be read; log in again."
    print_result(rotated._asdict(), sentence, as_json=as_json)


async def _rotate(settings: Settings, secrets: SecretBox) -> Rotated:
    store = Store(settings.database_url, secrets=secrets)
    await store.start()
    try:
        return await rotate_encryption_key(store, secrets, shell_actor())
    finally:
        await store.stop()
