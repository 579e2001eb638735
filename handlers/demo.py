"""`run.py demo`: the gateway before an upstream that ships with it, no login needed."""

import asyncio
import logging
import os
import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import orjson

from gateway.admin.accounts import save_login
from gateway.app import Gateway
from gateway.demo.life.life import PAST_DAYS, DemoLife
from gateway.demo.upstream import ScriptedUpstream
from gateway.doctor.first_steps import program_here
from gateway.process.lockfile import lock_data_dir
from gateway.protocol.sse import events
from gateway.settings import Settings
from gateway.upstream.logins.auth_json import parse_login
from handlers.listening import CannotListen
from handlers.server import Server
from handlers.serving import StopSignals, run

ACCOUNTS = ("ada", "grace")
VISITOR = "you"  # the key of who watches a demo with life
KEY_LINE = 'http_headers = {{ "x-api-key" = "{}" }}\n'
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
    port: int,
    show: Callable[[str], None] = print,
    *,
    lenient: bool = False,
    has_life: bool = False,
) -> int:
    """Serve until SIGINT or SIGTERM on `port` (0: any); the exit status."""
    # What it prints is to be read; that a laptop slept is for a real gateway's log.
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(message)s")
    return run(_demo(port, show, lenient, has_life))


async def _demo(
    port: int, show: Callable[[str], None], lenient: bool, has_life: bool
) -> int:
    signals = StopSignals()  # before there is what has to be taken away
    async with AsyncExitStack() as started:
        folder = started.enter_context(
            tempfile.TemporaryDirectory(prefix="codex-gateway-demo-")
        )
        upstream = ScriptedUpstream(lenient=lenient)
        started.push_async_callback(upstream.stop)
        await upstream.start()
        settings = _settings(port, Path(folder), upstream.url)
        lock = started.enter_context(lock_data_dir(settings.data_dir))
        server = Server(await Gateway.start(settings))
        started.push_async_callback(server.stop)
        _listen(server)
        lock.publish(server.running)
        await _add_accounts(server.gateway, upstream)
        url = f"http://127.0.0.1:{server.port}"
        key = None
        if has_life:
            show(f"Playing {PAST_DAYS} days of use …")
            life = DemoLife(server.gateway, url)
            key = await life.begin(VISITOR)
            living = asyncio.create_task(life.run(upstream.accounts))
            started.push_async_callback(_end, living)
        show(f"The gateway listens on {url}; for Codex:\n")
        show(CONFIG.format(port=server.port) + (KEY_LINE.format(key) if key else ""))
        request_id = await _show_turn(url, key, show)
        await server.gateway.flush()
        show("Meanwhile, in another terminal, in this folder:\n")
        explained = f"explain {request_id[:12]}"
        for words in ("logs", explained, "status", "dashboard link"):
            show(f"  {command_here(settings.data_dir)} {words}")
        show("\nA prompt can choose its answer, as demo:tool(ls) does; see")
        show(f"  {program_here()} demo --help")
        show("Ctrl-C ends it, and takes its data along.")
        await signals.first.wait()
    return 0


def _settings(port: int, folder: Path, upstream_url: str) -> Settings:
    """Nothing of the owner's own database, key, accounts or network."""
    with no_settings():
        # Not the default, for who has no home.
        os.environ["GATEWAY_DATA_DIR"] = str(folder)
        default = Settings.from_env(dotenv=os.devnull)
    return replace(
        default,
        host="127.0.0.1",
        port=port,
        database_url=f"sqlite:///{folder / 'gateway.db'}",
        upstream_base_url=f"{upstream_url}/backend-api",
        auth_base_url=upstream_url,
    )


@contextmanager
def no_settings() -> Iterator[None]:
    """Without the owner's settings in the environment, be they right or wrong."""
    owners = {n: v for n, v in os.environ.items() if n.startswith("GATEWAY_")}
    try:
        for name in owners:
            del os.environ[name]
        yield
    finally:
        os.environ.pop("GATEWAY_DATA_DIR", None)
        os.environ.update(owners)


def _listen(server: Server) -> None:
    try:
        server.listen()
    except CannotListen as error:
        # Its words are for a gateway that is told so by the setting.
        raise OSError(str(error).replace("set GATEWAY_PORT", "give --port")) from error


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


async def _add_accounts(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    for name in ACCOUNTS:
        account = upstream.add_account(name)
        login = parse_login(orjson.dumps(account.auth_document()))
        await gateway.store.write(save_login, login, gateway.secrets, "demo")
    await gateway.reload()


def command_here(folder: Path) -> str:
    """What runs the gateway's commands on a data folder, as its owner types it."""
    # What the owner set for a gateway of his own does not hold for this one.
    names = ("GATEWAY_DATABASE_URL", "GATEWAY_ENCRYPTION_KEY")
    is_set = Path(".env").is_file()
    emptied = [f"{name}=" for name in names if is_set or name in os.environ]
    setting = f"GATEWAY_DATA_DIR={shlex.quote(str(folder))}"
    return " ".join([setting, *emptied, program_here()])


async def _show_turn(
    base_url: str, key: str | None, show: Callable[[str], None]
) -> str:
    """One streamed turn, as a client sees it; its request's id."""
    url = f"{base_url}/v1/responses"
    headers = {"x-api-key": key} if key else {}
    payload = {"model": "gpt-5.5", "input": PROMPT, "stream": True}
    show(f"POST {url}\n> {PROMPT}")
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(url, json=payload, headers=headers) as response,
    ):
        body = await response.read()
        request_id = response.headers["x-request-id"]
    for event in events(body):
        if event.type == "response.output_text.delta":
            show(f"< {event.type}  {orjson.loads(event.data)['delta']!r}")
        elif event.type:
            show(f"< {event.type}")
    show("")
    return request_id
