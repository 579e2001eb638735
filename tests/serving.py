"""A whole gateway on a port of its own, before the scripted upstream.

Its fixture is `serving`; the marker `settings(name=value)` changes its settings.
"""

import asyncio
import io
import json
import os
import time
from dataclasses import dataclass, replace
from functools import partial

import aiohttp

from gateway.admin import keys
from gateway.admin.accounts import (
    ApiKeyAccount,
    add_api_key_account,
    save_login,
    set_paused,
)
from gateway.admin.strategy import set_strategy
from gateway.app import Gateway
from gateway.protocol.sse import events
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.store.log.refusals import refusal_page
from gateway.store.models import RequestLog
from gateway.turns.keepalive import STREAM_TIMING
from gateway.upstream.logins.auth_json import parse_login
from handlers.server import Server
from tests.new_database import lay_new_database

# Seconds for what comes at once, unless the machine is busy or collects garbage.
PATIENCE = 30
CODEX = "/backend-api/codex/responses"
V1 = "/v1/responses"
CHAT = "/v1/chat/completions"
MODEL = "gpt-5.5"
TERMINAL = {"response.completed", "response.incomplete", "response.failed", "error"}


def payload(prompt="hi", **more):
    """A request that every surface takes as it is."""
    return {
        "model": MODEL,
        "instructions": "Be brief.",
        "input": [user(prompt)],
        "store": False,
        "stream": True,
        "prompt_cache_key": "cache-of-the-test",
        **more,
    }


def user(text):
    part = {"type": "input_text", "text": text}
    return {"type": "message", "role": "user", "content": [part]}


@dataclass
class Answered:
    """A whole answer over HTTP."""

    status: int
    headers: dict  # lower-case names
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]

    @property
    def events(self):
        """The JSON events of a stream."""
        return [
            json.loads(event.data)
            for event in events(self.body)
            if event.data and event.type != "[DONE]"
        ]

    @property
    def types(self):
        return [event["type"] for event in self.events]

    @property
    def text(self):
        return output_text(self.events[-1])


def output_text(terminal):
    """The assistant's words in a terminal event."""
    return "".join(
        part.get("text", "")
        for item in terminal["response"]["output"]
        for part in item.get("content", [])
    )


class Serving:
    """Starts, stops and is a client of one gateway; `gateway` is the running one."""

    def __init__(self, upstream, folder, *, pace=STREAM_TIMING, **changes):
        self.upstream = upstream
        self.pace = pace
        self.settings = replace(
            Settings.from_env(dotenv=os.devnull),
            host="127.0.0.1",
            port=0,
            data_dir=folder,
            database_url=f"sqlite:///{folder / 'gateway.db'}",
            upstream_base_url=f"{upstream.url}/backend-api",
            auth_base_url=upstream.url,
            encryption_key=None,
            admin_token=None,
            **changes,
        )

    async def start(self, *names):
        """With accounts of these names, and those that are there."""
        lay_new_database(self.settings.data_dir / "gateway.db")
        self.gateway = await Gateway.start(self.settings, self.pace)
        self.server = Server(self.gateway)
        self.server.listen()
        # The oldest account goes first, as long as nothing speaks against it.
        await self.gateway.store.write(set_strategy, "fill_first", "test")
        for name in names:
            await self._import_account(name)
        await self.gateway.reload()  # once: it takes 9 ms
        self.base_url = f"http://127.0.0.1:{self.server.port}"
        self.session = aiohttp.ClientSession(
            self.base_url, connector=aiohttp.TCPConnector(limit=0)
        )

    async def stop(self):
        await self.session.close()
        await self.server.stop()

    async def restart(self, **changes):
        """A new process on the same data dir, as far as one test can have that."""
        await self.stop()
        self.settings = replace(self.settings, **changes)
        await self.start()

    async def add_account(self, name, **fields):
        """An account of the scripted upstream, imported into the gateway."""
        account = await self._import_account(name, **fields)
        await self.gateway.reload()
        return account

    async def _import_account(self, name, **fields):
        account = self.upstream.accounts.get(name) or self.upstream.add_account(
            name, **fields
        )
        login = parse_login(json.dumps(account.auth_document()))
        write = self.gateway.store.write
        await write(
            lambda: save_login(login, self.gateway.secrets, "test", name=account.name)
        )
        return account

    async def add_api_key_account(self, name="paid", **fields):
        wanted = ApiKeyAccount(
            name, f"{self.upstream.url}/v1", Secret("fake-api-key"), **fields
        )
        gateway = self.gateway
        await gateway.store.write(add_api_key_account, wanted, gateway.secrets, "test")
        await gateway.reload()

    async def add_key(self, name="key", **rules):
        """A new key's token; from now on everybody needs one."""
        made = await self.gateway.store.write(keys.create_key, name, rules, "test")
        await self.gateway.reload()
        return made.token.reveal()

    async def change_key(self, name="key", **rules):
        await self.gateway.store.write(keys.change_key, name, rules, "test")
        await self.gateway.reload()

    async def pause(self, *names):
        for name in names:
            await self.gateway.store.write(
                partial(set_paused, paused=True), name, "test"
            )
        await self.gateway.reload()

    async def resume(self, *names):
        for name in names:
            await self.gateway.store.write(
                partial(set_paused, paused=False), name, "test"
            )
        await self.gateway.reload()

    def limit(self, name, seconds):
        """Let a window of the account be used up, by upstream's own headers."""
        now = time.time()
        self.account(name).health.set_limit(now, "primary", now + seconds)

    def account(self, name):
        """The gateway's own object of an account."""
        held = self.gateway.pool.accounts.values()
        return next((one for one in held if one.name == name), None)

    async def ask(self, path=CODEX, body=None, *, method="POST", **more):
        """Send one request, read its whole answer; `body` is JSON or bytes."""
        body = payload() if body is None and method == "POST" else body
        if isinstance(body, dict | list):
            body = json.dumps(body).encode()
            more["headers"] = {
                "content-type": "application/json",
                **more.get("headers", {}),
            }
        if isinstance(body, bytes) and len(body) > 500_000:
            body = io.BytesIO(body)  # the client library sends large ones in pieces
        async with self.session.request(method, path, data=body, **more) as response:
            found = {name.lower(): value for name, value in response.headers.items()}
            return Answered(response.status, found, await response.read())

    async def get(self, path, **more):
        return await self.ask(path, method="GET", **more)

    def stream(self, path=CODEX, body=None, **more):
        """The response itself, for who reads bit by bit."""
        return self.session.post(path, json=body or payload(), **more)

    async def connect(self):
        """A bare connection: (reader, writer)."""
        return await asyncio.open_connection("127.0.0.1", self.server.port)

    async def raw(self, head, body=b"", *, path=CODEX):
        """All bytes that come back for a request head (`%s` is the path) and body."""
        body = json.dumps(body).encode() if isinstance(body, dict) else body
        reader, writer = await self.connect()
        head = head.replace(b"%s", path.encode())
        if body:
            head += b"Content-Length: %d\r\n" % len(body)
        writer.write(head + b"\r\n" + body)
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()
        return answer

    def socket(self, path=CODEX, **more):
        return self.session.ws_connect(path, **more)

    async def refused(self, count=1):
        """The light rows of what was turned away, oldest first."""
        await self.gateway.flush()
        found = await self.gateway.store.read(refusal_page)
        assert len(found) == count, found
        return found[::-1]

    async def rows(self, count=1):
        """The request log, oldest first, once it has `count` rows."""
        await self.gateway.turns.wait_until_idle()
        await self.gateway.store.flush()
        found = await self.gateway.store.read(
            lambda: list(RequestLog.select().order_by(RequestLog.id).dicts())
        )
        assert len(found) == count, [row["route"] for row in found]
        for row in found:
            row["receipt"] = json.loads(row["receipt"])
            row["changes"] = json.loads(row["changes"])
        return found


async def turn_on(ws, body=None, **more):
    """Send one `response.create`, read until its turn has ended."""
    frame = {"type": "response.create", **(body or payload()), **more}
    await ws.send_json(frame)
    return await rest_of_turn(ws)


async def rest_of_turn(ws):
    seen = []
    while not seen or seen[-1]["type"] not in TERMINAL:
        seen.append(await ws.receive_json(timeout=PATIENCE))
    return seen


async def next_event(response):
    """The next SSE block of a streamed answer."""
    return await asyncio.wait_for(response.content.readuntil(b"\n\n"), PATIENCE)


async def until(fact, seconds=PATIENCE):
    """Return once `fact()` holds, for what nobody gives an event for."""
    async with asyncio.timeout(seconds):
        while not fact():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def accounts(upstream):
    """Names of the accounts that turns were sent as, oldest first."""
    return [received.account for received in upstream.of()]
