"""A person with a seat who lets real clients in, at a gateway within the test."""

import asyncio
import json
import re
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp

from gateway.cli.codex_config import Provider
from gateway.store.models import RequestLog
from tests.devices import add_person
from tests.handlers.dashboard.browsing import Browser, enter

LINK = re.compile(r"http://\S+/oauth/authorize\?\S+")
MODEL = ("-m", "gpt-5.5")
# A client that is refused tries for 14 s; one that does not says the same.
ONCE = (
    *("-c", "model_providers.gateway.stream_max_retries=0"),
    *("-c", "model_providers.gateway.request_max_retries=0"),
)


class Person:
    """Has signed in to the dashboard just now.

    `serving` has a session and a port; of a gateway in another process no more.
    """

    def __init__(self, serving, user_id=None, key_id=None):
        self.serving, self.user_id, self.key_id = serving, user_id, key_id
        self.browser = Browser(serving)

    async def allow(self, link, name="laptop", action="approve"):
        """Decide on a client's link, and follow it back; what that page's status is."""
        parts = urlsplit(link)
        url = f"{parts.path}?{parts.query}"
        page = await self.browser.get(url)
        sent = {**page.fields, "action": action, "name": name}
        done = await self.browser._send("POST", url, sent, {})
        async with (
            aiohttp.ClientSession() as session,
            session.get(done.headers["location"]) as answered,
        ):
            return answered.status

    async def type_code(self, code, name="laptop", action="approve"):
        page = await self.browser.post("/device", {"code": code})
        sent = {**page.fields, "action": action, "name": name}
        done = await self.browser._send("POST", "/device", sent, {})
        assert done.status == 303

    def devices(self):
        return self.serving.gateway.oauth.devices(self.key_id)


async def person_in(serving, name="ada", **rules):
    made = Person(serving, *await add_person(serving, name, **rules))
    await enter(made.browser, made.user_id)
    return made


PASSWORD = {"password": "a very long password", "again": "a very long password"}


@asynccontextmanager
async def invited_to(process):
    """A person who has followed an invitation to the gateway of a process."""
    told = await process.run("people", "invite", "ada", "--json")
    token = json.loads(told)["url"].partition("#")[2]
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(process.url, cookie_jar=jar) as session:
        server = SimpleNamespace(port=process.port)
        ada = Person(SimpleNamespace(session=session, server=server))
        await ada.browser.post("/dashboard/link", {"token": token, **PASSWORD})
        entered = {"name": "ada", "password": PASSWORD["password"]}
        assert (await ada.browser.post("/dashboard/sign-in", entered)).status == 303
        yield ada


def configure(cli, url, **fields):
    """What `codex-config --sign-in` writes."""
    provider = Provider(url, signs_in=True, **fields)
    (cli.home / "config.toml").write_text(provider.text())


@asynccontextmanager
async def asking(cli, prompt="hello", *options):
    """A running `codex exec` that has to sign in, and the link that it shows."""
    command = ("exec", "--skip-git-repo-check", *MODEL, *options, prompt)
    async with cli.started(*command, stdin=asyncio.subprocess.DEVNULL) as process:
        yield process, await shown_link(process)


async def shown_link(process):
    while (found := LINK.search((await process.stderr.readline()).decode())) is None:
        pass
    return found[0]


async def sign_in(cli, person, name="laptop"):
    """Its first turn; what was answered."""
    async with asking(cli) as (process, link):
        await person.allow(link, name)
        said, told = await process.communicate()
    assert process.returncode == 0, told
    return said.decode().strip()


async def devices_of_turns(serving):
    """By number, of all turns that the log has."""
    await serving.gateway.turns.wait_until_idle()
    await serving.gateway.flush()
    read = serving.gateway.store.read
    rows = await read(lambda: list(RequestLog.select(RequestLog.device_id)))
    return {row.device_id for row in rows}


def age(cli, seconds_left):
    """Let the client's access token have so many seconds left, as it sees it."""
    file = cli.home / "secrets" / "gateway_oauth.json"
    kept = json.loads(file.read_text())
    for one in kept.values():
        one["expires_at"] = int(time.time() + seconds_left)
    file.write_text(json.dumps(kept))
