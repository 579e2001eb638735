"""The real Codex CLI signs in by itself: from an invitation to a turn, and its end."""

import asyncio
import json
import re
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.handlers.dashboard.browsing import Browser
from tests.sign_in.signing import MODEL, ONCE

pytestmark = [pytest.mark.sign_in, pytest.mark.gen_test(timeout=60)]
LINK = re.compile(rb"http://\S+/oauth/authorize\?\S+")

PASSWORD = {"password": "a very long password", "again": "a very long password"}


async def invited(gateway, session):
    """The browser of a person who has followed an invitation."""
    told = await gateway.run("people", "invite", "ada", "--json")
    token = json.loads(told)["url"].partition("#")[2]
    port = urlsplit(gateway.url).port
    serving = SimpleNamespace(session=session, server=SimpleNamespace(port=port))
    browser = Browser(serving)
    await browser.post("/dashboard/link", {"token": token, **PASSWORD})
    entered = {"name": "ada", "password": PASSWORD["password"]}
    done = await browser.post("/dashboard/sign-in", entered)
    assert done.status == 303
    return browser


async def sign_in(process, browser, session):
    """Allow what the CLI asks for, as its person does in a browser."""
    while (found := LINK.search(await process.stderr.readline())) is None:
        pass
    parts = urlsplit(found[0].decode())
    url = f"{parts.path}?{parts.query}"
    page = await browser.get(url)
    assert "Let Codex sign in as ada?" in page.text
    sent = {**page.fields, "action": "approve", "name": "laptop"}
    done = await browser._send("POST", url, sent, {})
    async with session.get(done.headers["location"]) as answered:
        assert answered.status == 200


@pytest.mark.parametrize(
    "newest", [pytest.param(False, marks=pytest.mark.nightly), True]
)
async def test_from_an_invitation_to_a_turn(gateway, codex, newest):
    cli = codex(newest=newest)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(gateway.url, cookie_jar=jar) as session:
        browser = await invited(gateway, session)
        home = ("--codex-home", str(cli.home))
        await gateway.run("codex-config", "--sign-in", "--write", *home)
        command = ("exec", "--skip-git-repo-check", "-C", str(cli.workdir))
        nothing = asyncio.subprocess.DEVNULL
        asked = (*command, *MODEL, "hello")
        async with cli.started(*asked, stdin=nothing) as process:
            await sign_in(process, browser, session)
            told, _ = await process.communicate()
        assert process.returncode == 0
        assert told.strip()
        # The second run needs no sign-in.
        assert (await cli.exec("once more", *MODEL)).returncode == 0
        device = json.loads(await gateway.run("devices", "list", "--json"))
        assert (device["name"], device["seat"]) == ("laptop", "ada")
        await gateway.run("devices", "sign-out", str(device["id"]), "--now")
        ended = await cli.exec("and now?", *MODEL, *ONCE)
    assert ended.returncode != 0
    assert "gateway_oauth.json" in ended.stderr
