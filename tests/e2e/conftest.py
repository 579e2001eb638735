"""Real processes: the gateway, the Codex CLI, nginx."""

import os

import pytest
from openai import AsyncOpenAI

from tests.e2e.codex_cli import NEWEST, CodexCli, find_binary
from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.nginx import find_nginx


def missing(what):
    """A client that is not there: skip at home, fail where nothing may be skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; nothing is skipped when CI=true")
    pytest.skip(what)


@pytest.fixture
def account(upstream):
    """The ChatGPT account that the gateway has."""
    return upstream.add_account("one")


@pytest.fixture
def start_gateway(io_loop, upstream, account, tmp_path):
    """Starts gateways over the account: `await start_gateway(KEEPALIVE_INTERVAL="60")`.

    They are stopped when the test ends; the log of a failing one is shown by pytest.
    """
    started = []

    async def start(*, before_start=None, **settings):
        folder = tmp_path / f"gateway{len(started)}"
        folder.mkdir()
        gateway = GatewayProcess(folder, upstream.url, **settings)
        started.append(gateway)
        auth_file = account.write_auth_file(folder / "auth")
        await gateway.run("accounts", "import", str(auth_file))
        if before_start is not None:
            await before_start(gateway)
        await gateway.start()
        return gateway

    yield start
    for gateway in started:
        io_loop.run_sync(gateway.stop)
        print(gateway.log())


@pytest.fixture
def gateway(io_loop, start_gateway):
    """A running gateway with one account."""
    return io_loop.run_sync(start_gateway)


@pytest.fixture
def codex(tmp_path):
    """Makes a Codex CLI with a fresh home: `codex()`; every call makes another."""
    made = []

    def make(*, newest=False):
        binary = str(NEWEST) if newest and NEWEST.exists() else find_binary()
        if binary is None or (newest and not NEWEST.exists()):
            missing("no Codex CLI: npm ci, or set CODEX_BIN")
        made.append(CodexCli(binary, tmp_path / f"codex{len(made)}"))
        return made[-1]

    return make


@pytest.fixture
def nginx_binary():
    found = find_nginx()
    if found is None:
        missing("no nginx on this machine")
    return found


@pytest.fixture
def pair(io_loop, upstream, start_gateway, tmp_path):
    """A running gateway with the accounts "one" and "two"; the first goes first."""

    async def add_second(gateway):
        file = upstream.add_account("two").write_auth_file(tmp_path / "second")
        await gateway.run("accounts", "import", str(file))
        await gateway.run("strategy", "fill_first")

    return io_loop.run_sync(lambda: start_gateway(before_start=add_second))


@pytest.fixture
def user(pair, codex):
    """Makes a CLI that talks to `pair`: `user(websockets=True)`."""

    def make(*, websockets, newest=False):
        cli = codex(newest=newest)
        cli.login_with_key("sk-fake-users-own-key")
        cli.configure(pair.url + "/backend-api/codex", websockets=websockets)
        return cli

    return make


@pytest.fixture
def client(gateway):
    """An async client; the SDK's own retries off, so that errors are ours."""
    return AsyncOpenAI(base_url=gateway.url + "/v1", api_key="none", max_retries=0)
