"""`run.py accounts login`, `probe`, `rotate-key`: what needs upstream or the key."""

import asyncio
from dataclasses import asdict
from functools import partial
from typing import Any

import click

from gateway.admin import accounts as admin
from gateway.admin.errors import NotThere
from gateway.admin.probe import probe as send_probe
from gateway.app import Gateway
from gateway.cli.admin_client import find_client, path_of, reload_running
from gateway.cli.base import (
    apply_change,
    print_json,
    print_result,
    secrets_of,
    settings_and_json,
    text,
)
from gateway.repository.audit import record, shell_actor
from gateway.settings import Settings
from gateway.store.encryption import SecretBox
from gateway.store.key_rotation import Rotated
from gateway.store.key_rotation import rotate_key as rotate
from gateway.store.store import Store
from gateway.upstream import UpstreamFault
from gateway.upstream.http import open_session
from gateway.upstream.logins.auth_json import Login
from gateway.upstream.logins.device_login import DeviceCode, DeviceLogin

PROBE_SECONDS = 120.0


@click.command()
@click.option("--name", help="What to call the account.")
@settings_and_json
def login(settings: Settings, name: str | None, as_json: bool) -> None:
    """Log in with a code, in any browser: a login of the gateway's own.

    Codex keeps its own login, so that the two never use up each other's tokens.
    """
    try:
        found = asyncio.run(_log_in(settings, as_json))
    except UpstreamFault as fault:
        raise click.ClickException(f"The login failed: {fault}") from fault
    actor, secrets = shell_actor(), secrets_of(settings)
    saved = apply_change(settings, _save, found, secrets, actor, name)
    what = "Added" if saved.is_new else "Updated"
    row = {"name": saved.name, "is_new": saved.is_new}
    print_result(row, f"{what} account '{saved.name}'.", as_json=as_json)


def _save(
    found: Login, secrets: SecretBox, actor: str, name: str | None
) -> admin.Imported:
    return admin.save_login(found, secrets, actor, name=name)


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


@click.command()
@click.argument("name")
@click.option("--model", help="By default a cheap one of the account's.")
@settings_and_json
def probe(settings: Settings, name: str, model: str | None, as_json: bool) -> None:
    """Send one small real request at an account, whatever its state."""
    client = find_client(settings)
    if client is not None:
        path, body = path_of("accounts", name, "probe"), {"model": model}
        found = client.call("POST", path, body, timeout=PROBE_SECONDS)
    else:
        found = asyncio.run(_probe(settings, name, model))
    if found["ok"]:
        sentence = (
            f"'{found['account']}' answered with {found['model']} "
            f"in {found['duration_ms']} ms."
        )
    else:
        status = f" (status {found['status']})" if found["status"] else ""
        sentence = f"'{found['account']}' failed{status}: {found['error']}"
    if hint := found["residency_hint"]:
        sentence += f" Upstream routes its workspace by {hint!a}: see --residency."
    print_result(found, sentence, as_json=as_json)
    if not found["ok"]:
        raise SystemExit(1)


async def _probe(settings: Settings, name: str, model: str | None) -> dict[str, Any]:
    """Without a running gateway: with one that serves nobody."""
    gateway = await Gateway.start(settings)
    try:
        account = gateway.pool.find(name)
        if account is None:
            raise NotThere("account", name)
        return asdict(await send_probe(gateway, account, model))
    finally:
        await gateway.stop()


@click.command("rotate-key")
@settings_and_json
def rotate_key(settings: Settings, as_json: bool) -> None:
    """Encrypt all credentials with a new key; the old one is then destroyed."""
    rotated = asyncio.run(_rotate(settings, secrets_of(settings)))
    reload_running(settings)
    sentence = f"A new key encrypts the credentials of {rotated.resealed} accounts."
    if rotated.unreadable:
        sentence += f" Of {rotated.unreadable} they could not be read; log in again."
    print_result(rotated._asdict(), sentence, as_json=as_json)


async def _rotate(settings: Settings, secrets: SecretBox) -> Rotated:
    store = Store(settings.database_url, secrets=secrets)
    await store.start()
    try:
        rotated = await rotate(store, secrets)
        note = partial(record, accounts=rotated.resealed)
        await store.write(note, shell_actor(), "accounts.rotate_key", "")
    finally:
        await store.stop()
    return rotated
