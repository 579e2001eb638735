"""Gateways as they are deployed, and everything that must be left untouched by it."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.demo.upstream import ScriptedUpstream
from tests.e2e.conftest import missing
from tests.e2e.gateway_process import GatewayProcess
from tests.e2e.nginx import Nginx, find_nginx, version_of
from tests.hostile import wire
from tests.hostile.bytes_of import TURN, length, send, turn

# The gateway's own: it asks for the catalogue and the windows of its accounts, and
# opens the socket of the first client's upgrade in advance.
OWN_CALLS = ("models", "usage", "refresh", "handshake")


@dataclass
class Site:
    """A gateway process with one account, and the shipped nginx in front of it."""

    gateway: GatewayProcess
    nginx: Nginx
    key: str = ""  # "": none was ever made

    def port(self, *, behind_nginx: bool = True) -> int:
        return self.nginx.port if behind_nginx else self.gateway.port


@dataclass
class Outside:
    """What an attacker sees, and what he is after."""

    folder: Path
    # Lenient: what the gateway lets through is looked at, whatever a real one says.
    upstream: ScriptedUpstream = field(
        default_factory=lambda: ScriptedUpstream(lenient=True)
    )
    sites: dict[str, Site] = field(default_factory=dict)
    lured: list[bytes] = field(default_factory=list)  # what came to `lure`
    nginx_version: str = ""
    lure: str = ""  # host and port of a server that nobody has reason to call
    _server: asyncio.Server | None = None

    async def start(self, nginx_binary: str) -> None:
        self.nginx_version = version_of(nginx_binary)
        await self.upstream.start()
        self.account = self.upstream.add_account("one")
        self._server = await asyncio.start_server(self._note, "127.0.0.1", 0)
        self.lure = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        for name in ("keyless", "keyed"):
            folder = self.folder / name
            folder.mkdir()
            gateway = GatewayProcess(
                folder, self.upstream.url, TRUSTED_PROXIES="127.0.0.1"
            )
            auth_file = self.account.write_auth_file(folder / "auth")
            await gateway.run("accounts", "import", str(auth_file))
            key = await gateway.create_key() if name == "keyed" else ""
            nginx = Nginx(nginx_binary, folder / "nginx", gateway.port)
            self.sites[name] = Site(gateway, nginx, key)
            await gateway.start()
            await nginx.start()

    async def stop(self) -> None:
        for site in self.sites.values():
            await site.nginx.stop()
            await site.gateway.stop()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await self.upstream.stop()

    def received(self):
        """What clients have had sent upstream; and forget it."""
        found = [one for one in self.upstream.requests if one.route not in OWN_CALLS]
        self.upstream.requests.clear()
        return found

    async def serves_its_own(self) -> None:
        """Whoever has a key gets an answer, and it is that to the own request."""
        site = self.sites["keyed"]
        body = turn("demo:say(mine alone)")
        (answer,) = await wire.talk(
            site.port(),
            send(
                TURN,
                f"Authorization: Bearer {site.key}",
                length(body),
                "Connection: close",
                body=body,
            ),
        )
        assert answer.status == 200
        assert b"mine alone" in answer.body
        (received,) = self.received()
        assert received.payload["input"][0]["content"] == "demo:say(mine alone)"

    async def _note(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.lured.append(await reader.read(1024))
        writer.transport.abort()


@pytest.fixture(scope="package")
def loop():
    """One for all attempts: what they are made against keeps running in it."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


@pytest.fixture(scope="package")
def outside(loop, tmp_path_factory):
    binary = find_nginx()
    if binary is None:
        missing("no nginx on this machine")
    made = Outside(tmp_path_factory.mktemp("outside"))
    try:
        loop.run_until_complete(asyncio.wait_for(made.start(binary), 60))
        yield made
    finally:
        loop.run_until_complete(asyncio.wait_for(made.stop(), 60))
