"""What is soaked: a gateway process with accounts and keys, before an upstream."""

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tests.faults.process import FaultyProcess
from tests.soak import upstream as upstreams
from tests.soak.figures import Metrics

# One key without limits, and three whose limits a tenth of two hundred clients reach
# again and again: a window of requests, one of tokens, turns at a time and a rate.
KEYS = {
    "free": (),
    "counted": ("--limit", "requests 120/1m"),
    "metered": ("--limit", "tokens 30k/1m", "--limit", "cost 500/1d"),
    "narrow": ("--concurrency", "3", "--rpm", "200"),
}


@dataclass(frozen=True, slots=True)
class Stand:
    """A running gateway, and what a soak needs of it."""

    upstream: upstreams.UpstreamProcess
    process: FaultyProcess
    session: aiohttp.ClientSession
    admin_token: str
    keys: dict  # name → token

    async def metrics(self):
        headers = {"authorization": f"Bearer {self.admin_token}"}
        url = self.process.url + "/metrics"
        async with self.session.get(url, headers=headers) as response:
            return Metrics.of(await response.text())

    async def held_by(self, key):
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
async def built(folder, accounts, keys=()):
    """A Stand, taken down at the end; `keys` are names of KEYS."""
    upstream = await upstreams.start(folder / "auth", accounts)
    process = FaultyProcess(folder, upstream.url)
    try:
        for file in upstream.files:
            await process.run("accounts", "import", file)
        tokens = {name: await make_key(process, name) for name in keys}
        token = (await process.run("admin", "token")).strip()
        await process.start()
        # The clients of a soak share nothing, their connections neither.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=5)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Stand(upstream, process, session, token, tokens)
    finally:
        await process.stop()
        await upstream.stop()


async def make_key(process, name):
    output = await process.run("keys", "create", "--name", name, *KEYS[name])
    return re.search(r"sk-cgw-[\w-]+", output)[0]
