"""A client of the scripted upstream."""

import json
from contextlib import asynccontextmanager

import aiohttp


def body(prompt="hi", **more):
    fixed = {"instructions": "", "store": False, "stream": True}
    return {"model": "gpt-5.5", "input": prompt, **fixed, **more}


def user(text):
    return {"type": "message", "role": "user", "content": text}


def headers(account):
    return {
        "authorization": f"Bearer {account.access_token}",
        "chatgpt-account-id": account.account_id,
    }


def events_of(text):
    return [
        json.loads(line.removeprefix("data: "))
        for line in text.splitlines()
        if line.startswith("data: ")
    ]


class Client:
    """A client of one account over both transports."""

    def __init__(self, session, upstream, account):
        self.session = session
        self.base = upstream.url + "/backend-api/codex"
        self.account = account

    def post(self, payload, **more):
        return self.session.post(
            self.base + "/responses",
            json=payload,
            headers=headers(self.account),
            **more,
        )

    async def events(self, payload):
        async with self.post(payload) as response:
            return events_of(await response.text())

    async def text(self, payload):
        return output_text((await self.events(payload))[-1])

    def socket(self):
        return self.session.ws_connect(
            self.base + "/responses", headers=headers(self.account)
        )


def output_text(terminal):
    parts = [
        part
        for item in terminal["response"]["output"]
        for part in item.get("content", [])
    ]
    return "".join(part.get("text", "") for part in parts)


@asynccontextmanager
async def client(upstream, name="one"):
    account = upstream.accounts.get(name) or upstream.add_account(name)
    async with aiohttp.ClientSession() as session:
        yield Client(session, upstream, account)
