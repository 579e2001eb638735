"""A gateway that is killed, or restarted, while a client signs in or refreshes."""

import asyncio
import signal
import time
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import aiohttp
import pytest

from gateway.oauth import codes, device_flow
from gateway.oauth.authorization import open_request, read_request
from gateway.sign_in.guesses import Guesses
from tests.gateway.oauth.conftest import (
    CALLBACK,
    LAPTOP,
    VERIFIER,
    link,
    make_person,
    told,
)
from tests.gateway.store.store_rows import make_store
from tests.handlers.oauth.conftest import DEVICE_GRANT

pytestmark = [pytest.mark.slow, pytest.mark.failures]

DEVICE = {"grant_type": DEVICE_GRANT}


class Codex:
    """A client, and beside it the person, whose page's work is done at the database."""

    def __init__(self, process):
        self.process = process

    @asynccontextmanager
    async def sent(self, path, **fields):
        body = {"client_id": "codex", **fields}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.process.url + path, data=body) as response,
        ):
            yield response

    async def ask(self, path="/oauth/token", **fields):
        async with self.sent(path, **fields) as response:
            return response.status, await response.json()

    async def poll(self, asked):
        return await self.ask(**DEVICE, device_code=asked["device_code"])

    async def refresh(self, token):
        return await self.ask(grant_type="refresh_token", refresh_token=token)

    async def exchange(self, code):
        return await self.ask(
            grant_type="authorization_code",
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=VERIFIER,
        )

    async def refresh_unheard(self, token):
        """Sends it, and hangs up before the answer."""
        form = {"grant_type": "refresh_token", "client_id": "codex"}
        body = urlencode({**form, "refresh_token": token}).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", self.process.port)
        head = "POST /oauth/token HTTP/1.1\r\nhost: localhost\r\n"
        kind = "content-type: application/x-www-form-urlencoded\r\n"
        length = f"content-length: {len(body)}\r\n\r\n"
        writer.write(f"{head}{kind}{length}".encode() + body)
        await writer.drain()
        return writer

    async def at_database(self, change):
        """What `change(store)` gives, from another process than the gateway's."""
        store = make_store(self.process.folder / "data")
        await store.start()
        try:
            return await change(store)
        finally:
            await store.stop()

    async def kill(self):
        self.process.signal(signal.SIGKILL)
        await self.process.ended()
        await self.process.start()


@pytest.fixture
def codex(io_loop, start):
    async def make():
        made = Codex(await start())
        made.user_id, _ = await made.at_database(
            lambda store: store.write(make_person, "ada")
        )
        return made

    return io_loop.run_sync(make, timeout=60)


def approving(codex, user_code):
    def approve(store):
        flow = device_flow.DeviceFlow(store, Guesses(store))
        return flow.approve(user_code, codex.user_id, "laptop", LAPTOP)

    return approve


def consenting(codex):
    def consent():
        asked, now = read_request(link()), time.time()
        handle = open_request(asked, LAPTOP, codex.user_id, now)
        url = codes.approve(handle, codex.user_id, "laptop", time.time())
        return told(url)["code"]

    return lambda store: store.write(consent)


@pytest.mark.gen_test(timeout=90)
async def test_a_kill_at_any_moment_leaves_a_sign_in_to_be_gone_on_with(codex):
    _, asked = await codex.ask("/oauth/device", scope="gateway")
    assert (await codex.poll(asked))[1]["error"] == "authorization_pending"
    code = await codex.at_database(consenting(codex))
    await codex.kill()
    assert (await codex.poll(asked))[1]["error"] == "authorization_pending"
    status, tokens = await codex.exchange(code)
    assert status == 200
    await codex.at_database(approving(codex, asked["user_code"]))
    writer = await codex.refresh_unheard(tokens["refresh_token"])
    await codex.kill()
    writer.close()
    assert (await codex.poll(asked))[0] == 200
    after = [await codex.refresh(tokens["refresh_token"]) for _ in range(2)]
    assert [status for status, _ in after] == [200, 200]
    assert after[0][1]["refresh_token"] == after[1][1]["refresh_token"]
    # What was used stays used.
    assert (await codex.exchange(code))[1]["error"] == "invalid_grant"
    assert (await codex.poll(asked))[1]["error"] == "slow_down"


@pytest.mark.gen_test(timeout=90)
async def test_a_restart_is_not_seen_by_who_polls_or_refreshes(codex):
    _, asked = await codex.ask("/oauth/device", scope="gateway")
    code = await codex.at_database(consenting(codex))
    _, tokens = await codex.exchange(code)
    seen, is_over = set(), asyncio.Event()

    async def go_on():
        while not is_over.is_set():
            for _, answer in (
                await codex.poll(asked),
                await codex.refresh(tokens["refresh_token"]),
            ):
                seen.add(answer.get("error"))
            await asyncio.sleep(0.05)  # 120 a minute are taken at once

    busy = asyncio.create_task(go_on())
    await codex.process.restart()
    is_over.set()
    await busy
    assert {None, "authorization_pending"} <= seen
    assert seen <= {None, "authorization_pending", "slow_down"}
    await codex.at_database(approving(codex, asked["user_code"]))
    assert (await codex.poll(asked))[0] == 200
