"""An upstream that is polled, and the parts that poll it."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import aiohttp
from aiohttp import web

from gateway.accounts.account import Account, AccountKind, Credentials
from gateway.accounts.pool import Pool
from gateway.polling.catalogues import Catalogues
from gateway.polling.judges import Judges
from gateway.polling.usage import UsagePoller
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.store.database import StoreUnavailable
from gateway.upstream.account_api import AccountCalls
from gateway.upstream.learned_traits import LearnedTraits
from gateway.upstream.tokens import TokenSource
from gateway.upstream.websocket_handshake import UpstreamSockets

SETTINGS = Settings.from_env(dotenv="")


class NoStore:
    is_down = False

    async def claim(self, account_id, owner, ttl):
        if self.is_down:
            raise StoreUnavailable("no database")
        return True

    async def release_claim(self, account_id, owner):
        pass

    async def save_credentials(self, account_id, credentials, replaced):
        return credentials

    async def load_credentials(self, account_id):
        return None


class Upstream:
    def __init__(self):
        self.requests = []
        self.models = [{"slug": "m1", "odd": None}, {"slug": "m2", "priority": 1}]
        self.own_models = [{"id": "gpt-x"}, {"id": 3}]
        self.status = 200
        self.etag = '"e1"'
        self.used = 12.0
        self.page = None  # in place of every answer
        self.error = None
        self.refused = set()  # tokens
        self.has_sockets = True
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()  # refreshes are answered once it is set
        self.gate.set()
        self.answering = asyncio.Event()
        self.answering.set()

    async def refresh(self, request):
        held = (await request.json())["refresh_token"]
        await self.gate.wait()
        return web.json_response({"access_token": f"new-{held}"})

    async def shake_hands(self, request):
        if not self.has_sockets:
            return web.json_response({"error": {"message": "no"}}, status=426)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket

    async def asked(self, count):
        """Return once so many requests have come."""
        async with asyncio.timeout(10):
            while len(self.requests) < count:
                self.arrived.clear()
                await self.arrived.wait()

    async def answer(self, request):
        self.requests.append(request)
        self.arrived.set()
        await self.answering.wait()
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        if request.path.endswith("/codex/responses"):
            return await self.shake_hands(request)
        if request.path.endswith("/wham/usage"):
            return web.json_response(self.usage())
        if request.path.startswith("/own/"):
            return web.json_response({"data": self.own_models})
        if request.headers.get("if-none-match") == self.etag == '"e1"':
            return web.Response(status=304)
        return web.json_response({"models": self.models}, headers={"etag": self.etag})

    def refusal(self, request):
        if self.page is not None:
            return web.Response(text=self.page, status=403, content_type="text/html")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self.refused:
            error = {"error": {"message": "no", "code": "token_expired"}}
            return web.json_response(error, status=401)
        if self.error is not None:
            return web.json_response({"error": self.error}, status=403)
        if self.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.status)
        return None

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
    judges: Judges
    store: NoStore


@asynccontextmanager
async def parts():
    upstream = Upstream()
    app = web.Application()
    app.router.add_get("/{path:.*}", upstream.answer)
    app.router.add_post("/oauth/token", upstream.refresh)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    pool, store = Pool(SETTINGS), NoStore()
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
                store,
                partial(pool.observer.rule, by="the token endpoint"),
            )
            calls = AccountCalls(session, tokens)
            base_url = f"{url}/backend-api"
            catalogues = Catalogues(pool, calls, base_url)
            usage = UsagePoller(pool, calls, base_url)
            settings = replace(SETTINGS, upstream_base_url=base_url)
            sockets = UpstreamSockets(session, settings, LearnedTraits(1_000))
            judges = Judges(pool, tokens, usage, catalogues, sockets, None)
            pool.observer.failure_met.subscribe(judges.note_failure)
            asking = asyncio.create_task(judges.run())
            try:
                yield Parts(upstream, pool, catalogues, usage, judges, store)
            finally:
                asking.cancel()
                await judges.close()
    finally:
        await runner.cleanup()


def run(scenario):
    async def main():
        async with parts() as made:
            await scenario(made)

    asyncio.run(main())
