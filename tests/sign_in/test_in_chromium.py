"""Somebody with nothing but Codex and an invitation, in a real browser, through nginx
with TLS: on a machine with a browser, and on one without; and the owner who ends it."""

import asyncio
import re
import ssl
import time

import aiohttp
import pytest

from gateway.oauth.endpoints import DEVICE_GRANT
from gateway.sign_in import links
from tests.dashboard.secure_site import SecureSite, skip_without
from tests.e2e.codex_cli import CodexCli, find_binary
from tests.serving import payload
from tests.sign_in.people import People

pytestmark = [pytest.mark.sign_in, pytest.mark.gen_test(timeout=120)]

ASKED = re.compile(rb"https://\S+/oauth/authorize\?\S+")
USERS_AGENT = "codex-tui/0.171.0 (Debian 12; x86_64) <b>"


@pytest.fixture
def site(io_loop, upstream, tmp_path):
    skip_without((find_binary(), "codex (npm ci)"))
    upstream.add_account("one")
    made = SecureSite(tmp_path, upstream)
    io_loop.run_sync(made.start)
    io_loop.run_sync(lambda: made.serving.add_account("one"))
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def people(io_loop, site):
    made = People(site)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


class Machine:
    """One without a browser, elsewhere than its person."""

    def __init__(self, site):
        trusted = ssl.create_default_context(cafile=str(site.certificate))
        connector = aiohttp.TCPConnector(ssl=trusted, local_addr=("127.0.0.2", 0))
        told = {"user-agent": USERS_AGENT}
        url = site.origin.replace("localhost", "127.0.0.1")
        self._session = aiohttp.ClientSession(url, connector=connector, headers=told)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self._session.close()

    async def ask(self, path, **form):
        """Status and answer of a form that Codex sends."""
        data = {"client_id": "codex", **form}
        async with self._session.post(path, data=data) as answered:
            return answered.status, await answered.json()

    async def turn(self, token):
        headers = {"authorization": f"Bearer {token}"}
        body = payload(stream=False)
        async with self._session.post(
            "/v1/responses", json=body, headers=headers
        ) as got:
            return got.status


async def invited(site, people):
    """The owner and the invited, who is on the own page."""
    write = site.serving.gateway.store.write
    token = await write(links.make_link, links.NOBODY, time.time())
    owner, ada = people("grace"), people("ada")
    await owner.become_owner(links.link_url(site.origin, 0, token))
    await owner.open(f"{site.origin}/dashboard/people/invite")
    assert await owner.judge() == []
    await owner.fill(Name="ada")
    await owner.press("Give a seat and a link")
    seen = await ada.accept(await owner.code("/dashboard/link#"))
    assert seen["url"] == f"{site.origin}/dashboard/my"
    return owner, ada


async def sign_in_here(site, people, ada, codex):
    """On a machine with a browser; a turn follows."""
    assert await ada.judge() == []
    codex.trust(site.certificate)
    lines = await ada.code("model_provider")
    (codex.home / "config.toml").write_text(f'model = "gpt-5.5"\n{lines}')
    command = ("exec", "--skip-git-repo-check", "-C", str(codex.workdir), "hello")
    async with codex.started(*command, stdin=asyncio.subprocess.DEVNULL) as process:
        while (asked := ASKED.search(await process.stderr.readline())) is None:
            pass
        url = asked[0].decode()
        # A link that somebody sent leads to the same page, and a frame to none.
        seen = await ada.follow_in_a_chat(url, "Let Codex sign in as ada?")
        assert "another address" not in seen["text"]
        assert await ada.judge() == []
        assert people.said == []
        assert await people("eve").frame(url) == 0
        people.said.clear()
        await ada.fill(Name_of_the_device="laptop")
        seen = await ada.press("Allow")
        assert seen["url"].startswith("http://127.0.0.1:")
        told, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert told.strip()


async def sign_in_elsewhere(site, ada, machine):
    """On a machine without a browser; its access token, with which it had a turn."""
    _, asked = await machine.ask("/oauth/device", scope="gateway")
    assert asked["verification_uri"] == f"{site.origin}/device"
    seen = await ada.open(asked["verification_uri"])
    assert seen["heading"] == "A code of Codex"
    assert await ada.judge() == []
    await ada.fill(Code="BBBB-BBBB")
    seen = await ada.press("Go on")
    assert "read it again" in seen["text"]
    await ada.fill(Code=asked["user_code"].lower())
    seen = await ada.press("Go on")
    for words in ("another address than yours", "127.0.0.2", USERS_AGENT):
        assert words in seen["text"]
    assert await ada.judge() == []
    await ada.fill(Name_of_the_device="build server")
    seen = await ada.press("Allow")
    assert seen["heading"] == "Allowed"
    form = {"grant_type": DEVICE_GRANT, "device_code": asked["device_code"]}
    status, tokens = await machine.ask("/oauth/token", **form)
    assert (status, tokens["token_type"]) == (200, "Bearer")
    assert await machine.turn(tokens["access_token"]) == 200
    return tokens["access_token"]


async def test_from_an_invitation_to_a_turn_and_its_end(site, people, tmp_path):
    owner, ada = await invited(site, people)
    codex = CodexCli(find_binary(), tmp_path / "codex")
    await sign_in_here(site, people, ada, codex)
    async with Machine(site) as machine:
        token = await sign_in_elsewhere(site, ada, machine)
        # A person ends own devices, and an owner any.
        seen = await ada.open(f"{site.origin}/dashboard/my")
        assert "build server" in seen["text"]
        await ada.press("End build server")
        assert await machine.turn(token) == 401
        kept = (codex.home / "secrets" / "gateway_oauth.json").read_text()
        (token,) = set(re.findall(r"cgat-[\w-]{20,}", kept))
        assert await machine.turn(token) == 200
        seen = await owner.open(f"{site.origin}/dashboard/devices")
        assert "laptop" in seen["text"]
        assert await owner.judge() == []
        await owner.press("End now laptop")
        assert await machine.turn(token) == 401
    # The page of the wrong code was answered 400, which Chromium notes.
    assert [one for one in people.said if "400" not in one] == []
