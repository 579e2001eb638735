"""Pages of other origins in a real Chromium, against a gateway on this machine that
asks for no key: whoever gets through to it is served."""

import asyncio
import json
import re

import aiohttp
import pytest

from tests.e2e.conftest import missing
from tests.hostile import wire
from tests.hostile.browser import (
    ALL_REPORTS,
    Attacker,
    Browser,
    Rebinding,
    Trusting,
    find_chromium,
)
from tests.hostile.bytes_of import CODEX, TURN, length, send, turn

pytestmark = pytest.mark.hostile

# Where the pages come from: this machine, another name of it, and another machine (all
# names lead here). None of them is the gateway's own origin.
ORIGINS = {
    "another port": "http://127.0.0.1:{port}",
    "another port of localhost": "http://localhost:{port}",
    "another site": "http://evil.example:{port}",
}
REBOUND = "rebound.example"
# Whose answers only a page of the same origin may read.
UNREADABLE = {
    *("text, answer unseen", "text from nowhere", "text that outlives the page"),
    *("fields", "text to the public surface", "text to chat", "text to pictures"),
    *("beacon", "form", "form without an origin", "frame", "object", "picture"),
    *("script", "module", "style"),
}


class Visit:
    """One browser's way over all pages, and what came of it."""

    def __init__(self, outside):
        self.outside = outside
        self.gateway = outside.sites["keyless"].gateway
        self.attacker = Attacker()
        self.trusting = Trusting()
        self.rebinding = None
        self.browser = None

    async def start(self, binary, folder):
        await self.attacker.start()
        await self.trusting.start()
        self.rebinding = Rebinding(self.attacker.port, self.gateway.port)
        await self.rebinding.start()
        self.trusted = f"http://127.0.0.1:{self.trusting.port}"
        self.targets = [self.gateway.url, f"http://localhost:{self.gateway.port}"]
        self.rebound = f"http://{REBOUND}:{self.gateway.port}"
        pages = {
            name: (
                origin.format(port=self.attacker.port),
                [self.trusted, *self.targets],
            )
            for name, origin in ORIGINS.items()
        }
        pages["rebound"] = (self.rebound, [self.rebound])
        urls = [f"{origin}/page/{n}" for n, (origin, _) in enumerate(pages.values())]
        self.attacker.pages = [
            {
                "page": name,
                "report": f"http://127.0.0.1:{self.attacker.port}/report",
                "targets": targets,
                "next": following,
            }
            for (name, (_, targets)), following in zip(
                pages.items(), [*urls[1:], None], strict=True
            )
        ]
        rules = (
            f"MAP {REBOUND} 127.0.0.1:{self.rebinding.port}, "
            "MAP evil.example 127.0.0.1, MAP * ~NOTFOUND, "
            "EXCLUDE localhost, EXCLUDE 127.0.0.1"
        )
        self.browser = Browser(binary, folder, rules)
        await self.use_the_account()
        self.refused_before = await self.refusals()
        await self.browser.start(urls[0])
        await asyncio.wait_for(self.attacker.complete.wait(), ALL_REPORTS)
        self.received = self.outside.received()
        self.refused = await self.refusals() - self.refused_before

    async def stop(self):
        if self.browser is not None:
            await self.browser.stop()
        for server in (self.rebinding, self.trusting, self.attacker):
            if server is not None:
                await server.stop()

    async def use_the_account(self):
        """A client of this machine is served; the account has windows from then on."""
        local = f"localhost:{self.gateway.port}"
        request = send(
            TURN, length(turn()), "Connection: close", host=local, body=turn()
        )
        (answer,) = await wire.talk(self.gateway.port, request)
        assert answer.status == 200
        assert [one.path for one in self.outside.received()] == [CODEX]

    async def refusals(self):
        """How many requests of foreign origins the gateway has turned away."""
        async with aiohttp.ClientSession(self.gateway.url) as session:
            text = await (await session.get("/metrics")).text()
        found = re.search(r'refusals_total\{code="forbidden_origin"\} (\d+)', text)
        return int(found[1]) if found else 0


@pytest.fixture(scope="module")
def visit(loop, outside, tmp_path_factory):
    binary = find_chromium()
    if binary is None:
        missing("no Chromium on this machine")
    made = Visit(outside)
    try:
        loop.run_until_complete(made.start(binary, tmp_path_factory.mktemp("profile")))
        yield made
    finally:
        loop.run_until_complete(made.stop())


def test_nothing_of_a_page_goes_upstream(visit):
    assert visit.received == []


@pytest.mark.parametrize("page", ORIGINS)
def test_a_page_reads_nothing_and_opens_nothing(visit, page):
    for target in visit.targets:
        outcomes = visit.attacker.reports[page][target]
        assert outcomes == dict.fromkeys(outcomes)


def test_what_the_pages_sent_was_turned_away_by_the_gateway_itself(visit):
    """Some of it a browser does not send at all; by far the most it does."""
    pages, targets = len(ORIGINS), len(visit.targets)
    assert visit.refused >= 20 * pages * targets


@pytest.mark.parametrize("page", ORIGINS)
def test_the_same_page_does_it_all_to_a_server_that_lets_it(visit, page):
    outcomes = visit.attacker.reports[page][visit.trusted]
    assert visit.trusting.attempts == outcomes.keys()
    assert {name for name, outcome in outcomes.items() if not outcome} == UNREADABLE


def test_a_page_whose_name_was_given_our_address_gets_what_strangers_get(visit):
    outcomes = visit.attacker.reports["rebound"][visit.rebound]
    assert "late" not in outcomes.values()
    harmless = {name: outcomes.pop(name) for name in ("health", "windows")}
    assert json.loads(harmless["health"]["body"]) == {"status": "ok"}
    usage = json.loads(harmless["windows"]["body"])
    assert usage["rate_limit"]["primary_window"]["used_percent"] == 0
    refused = {name: outcome for name, outcome in outcomes.items() if outcome}
    assert len(refused) > 10
    for outcome in refused.values():
        assert outcome["status"] in (0, 401, 405)  # 0: a document in a frame
        error = json.loads(outcome["body"])["error"]
        assert error["code"] in (
            "invalid_api_key",
            "admin_token_required",
            "method_not_allowed",
        )
