"""A gateway with fourteen days of use, behind the shipped nginx with TLS, and a
Chromium that visits its pages."""

import asyncio
import json
import shutil
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

from gateway.admin.strategy import set_strategy
from gateway.demo.life.life import DemoLife
from gateway.demo.upstream import ScriptedUpstream
from gateway.sign_in.account_rows import add_user
from gateway.sign_in.sessions import BrowserFacts, begin_session, new_token
from gateway.sign_in.users import Role
from gateway.store.log.queries import LogFilter, log_page
from tests.certificates import certificate, pin_of
from tests.e2e.gateway_process import ROOT, free_port
from tests.e2e.nginx import Nginx
from tests.hostile.browser import find_chromium
from tests.serving import Serving, payload

NAME = "gateway.test"
VISITS = Path(__file__).with_name("visits.mjs")
BROWSER = BrowserFacts("127.0.0.1", "127.0.0.1", "Chromium", has_tls=True)
OWNER = "ada"


def missing_programs():
    """What the visits need and this machine has not; "" when all is there."""
    if shutil.which("node") is None:
        return "node"
    if not (ROOT / "node_modules" / "playwright-core").exists():
        return "playwright-core (npm ci)"
    return "" if find_chromium() else "chromium"


# What is used of their windows, of 5 hours and of the week.
ACCOUNTS = {"ada": (34.0, 61.0), "grace": (8.0, 88.0), "linus": (3.0, 24.0)}


# Keys near a limit of theirs: the limit, how often they ask, and for how much.
NEAR = {
    "nightly-build": ("requests 5/1d", 4, "demo:usage(4000; 300; 3000)"),
    "workshop": ("tokens 30k/7d", 1, "demo:usage(24000; 2000; 18000)"),
}
# What runs while pictures are taken.
RUNNING = ("demo:pause(90)", "demo:long(2000)", "demo:pause(80)", "demo:long(3000)")


class BusyLife(DemoLife):
    """With more turns, some of them of the last hour."""

    def _moments(self, now):
        lately = [now - 3500 * (n / 130) ** 1.1 - 20 for n in range(130)]
        return [*super()._moments(now), *super()._moments(now), *lately]


class Site:
    """The gateway runs in the loop that starts it; nginx and Chromium beside it."""

    def __init__(self, folder, nginx_binary):
        self._folder, self._port = folder, free_port()
        self.certificate = certificate(folder, NAME)
        self.nginx = Nginx(
            nginx_binary, folder / "nginx", self._port, certificate=self.certificate
        )
        self.origin = f"https://{NAME}:{self.nginx.port}"
        self.upstream = ScriptedUpstream()
        self.owners_token, self.holders_token = new_token(), new_token()

    async def start(self):
        await self.upstream.start()
        self.serving = Serving(
            self.upstream,
            self._folder,
            dashboard="on",
            public_url=self.origin,
            trusted_proxies=(ip_network("127.0.0.1"),),
            time_zone="Europe/Berlin",
        )
        self.serving.settings = replace(self.serving.settings, port=self._port)
        await self.serving.start()
        for name, (primary, secondary) in ACCOUNTS.items():
            await self.serving.add_account(
                name, primary_percent=primary, secondary_percent=secondary
            )
        write = self.serving.gateway.store.write
        await write(set_strategy, "capacity_weighted", "test")
        await self.serving.gateway.reload()
        life = BusyLife(self.serving.gateway, self.serving.base_url)
        self.key = await life.begin("you")
        await self._come_near_limits()
        await self._sign_in()
        await self.nginx.start()

    async def stop(self):
        await self.nginx.stop()
        await self.serving.stop()
        await self.upstream.stop()

    async def _sign_in(self):
        """The owner, and the holder of a key that has a limit."""
        ring = self.serving.gateway.ring
        holder = next(key for key in ring if key.name == "workshop")

        def make():
            user, now = add_user(OWNER, Role.OWNER, "none that matches"), time.time()
            begin_session(user, self.owners_token, BROWSER, now)
            begin_session(holder, self.holders_token, BROWSER, now, holder.digest)

        await self.serving.gateway.store.write(make)
        await self.serving.gateway.sign_in.load()

    @property
    def holders_cookie(self):
        return self._cookie(self.holders_token)

    def _cookie(self, token):
        return {
            "name": "__Host-codexgate",
            "value": token,
            "url": self.origin,
            "secure": True,
            "httpOnly": True,
            "sameSite": "Strict",
        }

    async def _come_near_limits(self):
        for name, (limit, turns, prompt) in NEAR.items():
            key = await self.serving.add_key(name, limits=[limit])
            for _ in range(turns):
                asked = payload(prompt, prompt_cache_key=name)
                await self.serving.ask(body=asked, headers={"x-api-key": key})

    @asynccontextmanager
    async def running(self):
        """Some turns of the visitor's go on for as long as this lasts."""
        async with AsyncExitStack() as turns:
            for number, prompt in enumerate(RUNNING):
                asked = payload(prompt, prompt_cache_key=f"running {number}")
                headers = {"x-api-key": self.key}
                stream = self.serving.stream(body=asked, headers=headers)
                await turns.enter_async_context(stream)
            yield

    async def large_request(self):
        """The id of an answered turn that used much, the last of them."""
        answered = LogFilter(status="success")
        rows = await self.serving.gateway.store.read(log_page, answered)
        return max(rows, key=lambda row: row["input_tokens"])["request_id"]

    async def visit(self, **wanted):
        """What `visits.mjs` found, a dict a visit."""
        told = {
            "chromium": find_chromium(),
            "origin": self.origin,
            "arguments": [
                "--no-sandbox",  # there is none for root; the only pages are ours
                "--disable-dev-shm-usage",
                f"--host-resolver-rules=MAP {NAME} 127.0.0.1, EXCLUDE 127.0.0.1",
                f"--ignore-certificate-errors-spki-list={pin_of(self.certificate)}",
            ],
            "cookies": [self._cookie(self.owners_token)],
            **wanted,
        }
        process = await asyncio.create_subprocess_exec(
            *("node", str(VISITS)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told_line = json.dumps(told).encode() + b"\n"
        out, errors = await process.communicate(told_line)
        assert process.returncode == 0, errors.decode()
        return [json.loads(line) for line in out.splitlines()]
