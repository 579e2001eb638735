"""What is soaked: a gateway process with accounts and keys, before an upstream."""

import asyncio
import re
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tests.faults.process import FaultyProcess
from tests.tools.soak import upstream as upstreams
from tests.tools.soak.figures import Metrics
from tests.tools.soak.upstream import PLAIN

# The library looks for connections to upstream that were kept for 15 s every 15 s.
LET_GO = 40.0
# One key without limits, and three whose limits a tenth of two hundred clients reach
# again and again: a window of requests, one of tokens, turns at a time and a rate.
HOSTILE = "hostile"
KEYS = {
    "free": (),
    "counted": ("--limit", "requests 120/1m"),
    "metered": ("--limit", "tokens 30k/1m", "--limit", "cost 500/1d"),
    "narrow": ("--concurrency", "3", "--rpm", "200"),
    "other": (),
    HOSTILE: (),
}


@dataclass(frozen=True, slots=True)
class Stand:
    """A running gateway, and what a soak needs of it."""

    upstream: upstreams.UpstreamProcess
    process: FaultyProcess
    session: aiohttp.ClientSession  # the operator's
    admin_token: str
    keys: dict  # name → token

    async def metrics(self):
        headers = {"authorization": f"Bearer {self.admin_token}"}
        url = self.process.url + "/metrics"
        async with self.session.get(url, headers=headers) as response:
            return Metrics.of(await response.text())

    async def accounts(self):
        """As the operator sees them."""
        headers = {"authorization": f"Bearer {self.admin_token}"}
        url = self.process.url + "/api/accounts"
        async with self.session.get(url, headers=headers) as response:
            return (await response.json())["accounts"]

    async def left_over(self, before):
        """What is still held when all clients have left, once that stays."""
        deadline = time.monotonic() + LET_GO
        while True:
            held = (await self.metrics()).held(before)
            for name, key in self.keys.items():
                if amount := await self._held_by(key):
                    held[f"limits of {name}"] = amount
            if not held or time.monotonic() >= deadline:
                return held
            await asyncio.sleep(0.5)

    async def _held_by(self, key):
        """What a key's limits hold for running turns, as its owner sees it."""
        headers = {"authorization": f"Bearer {key}"}
        url = self.process.url + "/v1/usage"
        async with self.session.get(url, headers=headers) as response:
            limits = (await response.json())["limits"]
        running = sum(
            row["current_value"] for row in limits if row["limit_type"] == "concurrency"
        )
        return running + sum(row["reserved_value"] for row in limits)


@asynccontextmanager
async def built(folder, accounts, keys=(), *, cap=0, script=PLAIN, **settings):
    """A Stand, taken down at the end; `keys` are names of KEYS.

    `cap` is the number of turns that each account takes at a time, 0 for the usual.
    """
    upstream = await upstreams.start(folder / "auth", accounts, script)
    process = FaultyProcess(folder, upstream.url, **settings)
    try:
        for file in upstream.files:
            await process.run("accounts", "import", file)
        for name in accounts if cap else ():
            name = f"{name}@demo.example"
            await process.run("accounts", "set", name, "--concurrency", str(cap))
        tokens = {name: await make_key(process, name) for name in keys}
        token = (await process.run("admin", "token")).strip()
        await process.start()
        async with aiohttp.ClientSession() as session:
            yield Stand(upstream, process, session, token, tokens)
    finally:
        await process.stop()
        await upstream.stop()


def clients():
    """A session for all clients of a stand, to be closed before it is looked at."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def make_key(process, name):
    output = await process.run("keys", "create", "--name", name, *KEYS[name])
    return re.search(r"sk-cgw-[\w-]+", output)[0]
