"""Tokens, accounts and a token endpoint on a real socket."""

import asyncio
import base64
import json
import time
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from gateway.upstream.tokens import CLIENT_ID


def jwt(**about):
    encoded = base64.urlsafe_b64encode(json.dumps(about).encode()).rstrip(b"=")
    return f"e30.{encoded.decode()}.sig"


def document(account_id="acc", lifetime=86_400, refresh_token="file-token"):
    about = {
        "email": "a@example.com",
        "https://api.openai.com/auth": {
            "chatgpt_account_id": account_id,
            "chatgpt_plan_type": "pro",
            "chatgpt_user_id": "user-1",
        },
    }
    return {
        "tokens": {
            "id_token": jwt(**about),
            "access_token": jwt(exp=int(time.time() + lifetime)),
            "refresh_token": refresh_token,
            "account_id": account_id,
        },
        "last_refresh": "2026-01-02T03:04:05.123456789Z",
    }


class Endpoint:
    """The token endpoint: rotates, and refuses a token that was spent."""

    def __init__(self):
        self.requests = []
        self.spent = set()
        self.answer = None  # (status, body) instead of tokens
        self.code = (
            200,
            {
                "device_auth_id": "dev",
                "user_code": "AB-12",
                "interval": "0.01",
                "expires_in": 60,
            },
        )
        self.pending = 0  # device polls that are answered "not yet"
        self.lifetime = 3_600
        self.gate = None
        self.arrived = asyncio.Event()

    async def token(self, request):
        text = await request.text()
        self.requests.append((request.content_type, text))
        self.arrived.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.answer is not None:
            return web.json_response(self.answer[1], status=self.answer[0])
        if request.content_type == "application/x-www-form-urlencoded":
            return web.json_response(document()["tokens"])
        used = json.loads(text)["refresh_token"]
        if used in self.spent:
            return web.json_response(
                {"error": {"code": "refresh_token_reused"}}, status=401
            )
        self.spent.add(used)
        ends = int(time.time() + self.lifetime)
        return web.json_response(
            {
                "access_token": jwt(exp=ends, n=len(self.spent)),
                "refresh_token": f"{used}+",
            }
        )

    async def usercode(self, request):
        assert (await request.json()) == {"client_id": CLIENT_ID}
        status, told = self.code
        return web.json_response(told, status=status)

    async def device_token(self, request):
        assert (await request.json()) == {"device_auth_id": "dev", "user_code": "AB-12"}
        if self.pending:
            self.pending -= 1
            return web.json_response({"error": "not yet"}, status=403)
        return web.json_response(
            {"authorization_code": "code-1", "code_verifier": "verifier-1"}
        )


@asynccontextmanager
async def serving(endpoint):
    app = web.Application()
    app.router.add_post("/oauth/token", endpoint.token)
    app.router.add_post("/api/accounts/deviceauth/usercode", endpoint.usercode)
    app.router.add_post("/api/accounts/deviceauth/token", endpoint.device_token)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession() as session:
            yield session, f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
