"""An upstream that is polled, and the parts that poll it."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import aiohttp
from aiohttp import web

from gateway.accounts.account import Account, AccountKind, Credentials
from gateway.accounts.pool import Pool
from gateway.polling.catalogues import Catalogues
from gateway.polling.usage import UsagePoller
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.upstream.account_api import AccountCalls
from gateway.upstream.tokens import TokenSource

SETTINGS = Settings.from_env(dotenv="")


class NoStore:
    async def claim(self, account_id, owner, ttl):
        return True

    async def release_claim(self, account_id, owner):
        pass

    async def save_credentials(self, account_id, credentials):
        pass

    async def load_credentials(self, account_id):
        return None


class Upstream:
    def __init__(self):
        self.requests = []
        self.models = [{"slug": "m1", "odd": None}, {"slug": "m2", "priority": 1}]
        self.status = 200
        self.etag = '"e1"'
        self.used = 12.0

    async def answer(self, request):
        self.requests.append(request)
        if self.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.status)
        if request.path.endswith("/wham/usage"):
            return web.json_response(self.usage())
        if request.path.startswith("/own/"):
            return web.json_response({"data": [{"id": "gpt-x"}, {"id": 3}]})
        if request.headers.get("if-none-match") == self.etag == '"e1"':
            return web.Response(status=304)
        return web.json_response({"models": self.models}, headers={"etag": self.etag})

    def usage(self):
        return {
            "plan_type": "pro",
            "rate_limit": {
                "allowed": self.used < 100,
                "limit_reached": self.used >= 100,
                "primary_window": {
                    "used_percent": self.used,
                    "limit_window_seconds": 18_000,
                    "reset_at": time.time() + 900,
                },
                "secondary_window": None,
            },
            "credits": {"has_credits": False, "unlimited": False},
        }


@dataclass
class Parts:
    upstream: Upstream
    pool: Pool
    catalogues: Catalogues
    usage: UsagePoller


@asynccontextmanager
async def parts():
    upstream = Upstream()
    app = web.Application()
    app.router.add_get("/{path:.*}", upstream.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    pool = Pool(SETTINGS)
    token = Credentials(access_token=Secret("at"), refresh_token=Secret("rt"))
    pool.replace(
        [
            Account(1, "a", chatgpt_account_id="acc", credentials=token),
            Account(
                2,
                "k",
                AccountKind.API_KEY,
                base_url=f"{url}/own/",
                priority=100,
                credentials=Credentials(api_key=Secret("sk")),
            ),
        ]
    )
    try:
        async with aiohttp.ClientSession() as session:
            tokens = TokenSource(
                session,
                url,
                NoStore(),
                partial(pool.observer.rule, by="the token endpoint"),
            )
            calls = AccountCalls(session, tokens)
            yield Parts(
                upstream,
                pool,
                Catalogues(pool, calls, f"{url}/backend-api"),
                UsagePoller(pool, calls, f"{url}/backend-api"),
            )
    finally:
        await runner.cleanup()


def run(scenario):
    async def main():
        async with parts() as made:
            await scenario(made)

    asyncio.run(main())
