"""A client that signs in, as Codex does, and the person who lets it."""

from urllib.parse import urlencode

import pytest

from gateway.oauth.authorization import read_request
from tests.gateway.oauth.conftest import CALLBACK, VERIFIER, link, make_person, told
from tests.handlers.dashboard.browsing import HERE

FORM = {"content-type": "application/x-www-form-urlencoded"}
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Client:
    """Sends forms; `user_id` is the person's, who has a seat."""

    def __init__(self, serving, user_id):
        self.serving, self.user_id = serving, user_id
        self.gateway = serving.gateway

    async def post(self, path, fields=None, *, headers=None, **more):
        sent = urlencode({"client_id": "codex", **(fields or {})}).encode()
        headers = {**FORM, **(headers or {})}
        return await self.serving.ask(path, sent, headers=headers, **more)

    async def token(self, grant, headers=None, **fields):
        sent = {"grant_type": grant, **fields}
        return await self.post("/oauth/token", sent, headers=headers)

    async def code(self):
        """What the browser brings back once the person has approved."""
        oauth = self.gateway.oauth
        handle = await oauth.open_request(read_request(link()), HERE, self.user_id)
        return told(await oauth.approve(handle, self.user_id, "laptop"))["code"]

    async def exchange(self, code, **other):
        fields = {"redirect_uri": CALLBACK, "code_verifier": VERIFIER, **other}
        return await self.token("authorization_code", code=code, **fields)

    async def signed_in(self):
        """The tokens of a new device."""
        return (await self.exchange(await self.code())).json

    async def refresh(self, token, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.token("refresh_token", refresh_token=token, headers=named)

    async def begin(self, **fields):
        return await self.post("/oauth/device", {"scope": "gateway", **fields})

    async def poll(self, device_code):
        return await self.token(DEVICE_GRANT, device_code=device_code)

    async def approve(self, user_code, browser=HERE):
        flow = self.gateway.device_flow
        await flow.approve(user_code, self.user_id, "laptop", browser)

    def device(self):
        (only,) = self.gateway.oauth.devices()
        return only


@pytest.fixture
def client(serving, io_loop):
    async def make():
        user_id, _ = await serving.gateway.store.write(make_person, "ada")
        await serving.gateway.reload()
        return Client(serving, user_id)

    return io_loop.run_sync(make)


def refused(answered, code, status=400):
    """Whether it is the error of an authorization server."""
    return answered.status == status and answered.json["error"] == code
