"""With nothing but the first link, by clicks alone, to a turn of the real Codex CLI."""

import asyncio
import json
import time
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.sign_in import links
from gateway.store.models import RequestLog
from tests.certificates import certificate, pin_of
from tests.dashboard.site import missing_programs
from tests.e2e.codex_cli import CodexCli, find_binary
from tests.e2e.conftest import missing
from tests.e2e.gateway_process import ROOT, free_port
from tests.e2e.nginx import Nginx, find_nginx
from tests.hostile.browser import find_chromium
from tests.serving import Serving

pytestmark = [pytest.mark.dashboard, pytest.mark.gen_test(timeout=120)]

CLICKS = Path(__file__).with_name("first_run.mjs")
# The CLI has to find it by name, as the browser has.
NAME = "localhost"


class FirstRun:
    """A new gateway behind nginx with TLS, of an authority that nobody else knows."""

    def __init__(self, folder, upstream):
        self._folder, port = folder, free_port()
        self.certificate = certificate(folder, NAME)
        self.nginx = Nginx(
            find_nginx(), folder / "nginx", port, certificate=self.certificate
        )
        self.origin = f"https://{NAME}:{self.nginx.port}"
        self.serving = Serving(
            upstream,
            folder,
            dashboard="on",
            public_url=self.origin,
            trusted_proxies=(ip_network("127.0.0.1"),),
        )
        self.serving.settings = replace(self.serving.settings, port=port)

    async def start(self):
        await self.serving.start()
        await self.nginx.start()

    async def stop(self):
        await self.nginx.stop()
        await self.serving.stop()

    async def click_through(self):
        """What the browser found."""
        write = self.serving.gateway.store.write
        token = await write(links.make_link, links.NOBODY, time.time())
        told = {
            "chromium": find_chromium(),
            "origin": self.origin,
            "link": links.link_url(self.origin, 0, token),
            "picture": str(self._folder / "where-it-ended.png"),
            "arguments": [
                "--no-sandbox",  # there is none for root; the only pages are ours
                "--disable-dev-shm-usage",
                f"--ignore-certificate-errors-spki-list={pin_of(self.certificate)}",
            ],
        }
        process = await asyncio.create_subprocess_exec(
            *("node", str(CLICKS)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate(json.dumps(told).encode() + b"\n")
        return json.loads(out), token


@pytest.fixture
def first_run(io_loop, upstream, tmp_path):
    program = missing_programs() or ("" if find_nginx() else "nginx")
    program = program or ("" if find_binary() else "codex (npm ci)")
    if program:
        missing(f"no {program} on this machine")
    upstream.add_account("one")
    made = FirstRun(tmp_path, upstream)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


async def test_who_has_but_the_link_gets_to_a_turn_by_clicks(first_run, tmp_path):
    found, token = await first_run.click_through()
    assert "error" not in found
    assert (found["console"], found["foreign"]) == ([], [])
    assert not [url for url in found["requested"] if token in url]
    (session,) = [one for one in found["cookies"] if one["name"] == "__Host-codexgate"]
    assert session == {
        "name": "__Host-codexgate",
        "secure": True,
        "httpOnly": True,
        "sameSite": "Strict",
    }
    codex = CodexCli(find_binary(), tmp_path / "codex")
    codex.trust(first_run.certificate)
    (codex.home / "config.toml").write_text('model = "gpt-5.5"\n' + found["lines"])
    run = await codex.exec("hello")
    assert run.returncode == 0, run.stderr
    gateway = first_run.serving.gateway
    await gateway.turns.wait_until_idle()
    await gateway.store.flush()
    rows = await gateway.store.read(lambda: list(RequestLog.select()))
    assert {row.status for row in rows} == {"success"}
    (key,) = gateway.ring
    assert {row.api_key_id for row in rows} == {key.id}
