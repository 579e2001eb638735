"""`run.py demo`: the gateway before an upstream that ships with it, no login needed."""

import os
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import aiohttp
import orjson

from gateway.admin.accounts import save_login
from gateway.app import Gateway
from gateway.demo.upstream import ScriptedUpstream
from gateway.protocol.sse import events
from gateway.settings import Settings
from gateway.upstream.logins.auth_json import parse_login
from handlers.process import StopSignals, run
from handlers.server import Server

ACCOUNTS = ("ada", "grace")
PROMPT = "Say hello from behind the gateway."
CONFIG = """\
# ~/.codex/config.toml
model = "gpt-5.5"
model_provider = "gateway"

[model_providers.gateway]
name = "gateway"
base_url = "http://127.0.0.1:{port}/backend-api/codex"
wire_api = "responses"
supports_websockets = true
"""


def run_demo(
    port: int, show: Callable[[str], None] = print, *, lenient: bool = False
) -> int:
    """Serve until SIGINT or SIGTERM on `port` (0: any); the exit status."""
    return run(_demo(port, show, lenient))


async def _demo(port: int, show: Callable[[str], None], lenient: bool) -> int:
    async with AsyncExitStack() as started:
        folder = started.enter_context(
            tempfile.TemporaryDirectory(prefix="codex-gateway-demo-")
        )
        signals = StopSignals()
        upstream = ScriptedUpstream(lenient=lenient)
        started.push_async_callback(upstream.stop)
        await upstream.start()
        settings = _settings(port, Path(folder), upstream.url)
        server = Server(await Gateway.start(settings))
        started.push_async_callback(server.stop)
        server.listen()
        await _add_accounts(server.gateway, upstream)
        show(f"The gateway listens on http://127.0.0.1:{server.port}; for Codex:\n")
        show(CONFIG.format(port=server.port))
        await _show_turn(server.port, show)
        show("Ctrl-C ends it.")
        await signals.first.wait()
    return 0


def _settings(port: int, folder: Path, upstream_url: str) -> Settings:
    """Nothing of the owner's own database, key, accounts or network."""
    return replace(
        Settings.from_env(dotenv=os.devnull),
        host="127.0.0.1",
        port=port,
        data_dir=folder,
        database_url=f"sqlite:///{folder / 'gateway.db'}",
        upstream_base_url=f"{upstream_url}/backend-api",
        auth_base_url=upstream_url,
        encryption_key=None,
        websockets=True,
    )


async def _add_accounts(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    for name in ACCOUNTS:
        account = upstream.add_account(name)
        login = parse_login(orjson.dumps(account.auth_document()))
        await gateway.store.write(save_login, login, gateway.secrets, "demo")
    await gateway.reload()


async def _show_turn(port: int, show: Callable[[str], None]) -> None:
    """One streamed turn, as a client sees it."""
    url = f"http://127.0.0.1:{port}/v1/responses"
    payload = {"model": "gpt-5.5", "input": PROMPT, "stream": True}
    show(f"POST {url}\n> {PROMPT}")
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(url, json=payload) as response,
    ):
        body = await response.read()
    for event in events(body):
        if event.type == "response.output_text.delta":
            show(f"< {event.type}  {orjson.loads(event.data)['delta']!r}")
        elif event.type:
            show(f"< {event.type}")
    show("")
