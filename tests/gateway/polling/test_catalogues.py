"""What accounts are asked by the gateway itself: catalogues and usage."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.account import Account, AccountKind, Catalogue, Credentials
from gateway.accounts.health import AccountStatus
from gateway.accounts.pool import Pool
from gateway.polling.catalogues import Catalogues, read_codex, read_openai
from gateway.polling.usage import UsagePoller, read_usage
from gateway.secret import Secret
from gateway.settings import Settings
from gateway.upstream.account_api import AccountCalls
from gateway.upstream.api import ApiResponse
from gateway.upstream.tokens import TokenSource

SETTINGS = Settings.from_env(dotenv="")


class NoStore:
    async def claim(self, account_id, owner, ttl):
        return True

    async def release_claim(self, account_id, owner):
        pass

    async def save_credentials(self, account_id, credentials):
        pass

    async def load_credentials(self, account_id):
        return None


class Upstream:
    def __init__(self):
        self.requests = []
        self.models = [{"slug": "m1", "odd": None}, {"slug": "m2", "priority": 1}]
        self.status = 200
        self.used = 12.0

    async def answer(self, request):
        self.requests.append(request)
        if self.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.status)
        if request.path.endswith("/wham/usage"):
            return web.json_response(self.usage())
        if request.path.startswith("/own/"):
            return web.json_response({"data": [{"id": "gpt-x"}, {"id": 3}]})
        if request.headers.get("if-none-match") == '"e1"':
            return web.Response(status=304)
        return web.json_response({"models": self.models}, headers={"etag": '"e1"'})

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


@asynccontextmanager
async def parts():
    upstream = Upstream()
    app = web.Application()
    app.router.add_get("/{path:.*}", upstream.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    pool = Pool(SETTINGS)
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
            tokens = TokenSource(session, url, NoStore(), pool.observe_account_failure)
            calls = AccountCalls(session, tokens)
            yield Parts(
                upstream,
                pool,
                Catalogues(pool, calls, f"{url}/backend-api"),
                UsagePoller(pool, calls, f"{url}/backend-api"),
            )
    finally:
        await runner.cleanup()


def run(scenario):
    async def main():
        async with parts() as made:
            await scenario(made)

    asyncio.run(main())


def test_each_kind_of_account_is_asked_its_own_way():
    async def scenario(made):
        await made.catalogues.refresh_due()
        codex, own = sorted(made.upstream.requests, key=lambda one: one.path)
        assert codex.path == "/backend-api/codex/models"
        assert codex.query["client_version"] == "0.169.0"
        assert codex.headers["chatgpt-account-id"] == "acc"
        assert codex.headers["authorization"] == "Bearer at"
        assert own.path == "/own/models"
        assert own.headers["authorization"] == "Bearer sk"
        assert "chatgpt-account-id" not in own.headers
        assert made.pool.accounts[1].serves("m1", 0)
        assert not made.pool.accounts[1].serves("gpt-x", 0)
        assert made.pool.accounts[2].serves("gpt-x", 0)
        # Nothing is due now.
        await made.catalogues.refresh_due()
        assert len(made.upstream.requests) == 2

    run(scenario)


def test_unchanged_and_failing_answers_keep_what_is_known():
    async def scenario(made):
        account = made.pool.accounts[1]
        await made.catalogues.refresh(account)
        first = account.catalogue
        await made.catalogues.refresh(account)
        assert made.upstream.requests[-1].headers["if-none-match"] == '"e1"'
        assert account.catalogue.entries is first.entries
        for made.upstream.status in (500, 404):
            await made.catalogues.refresh(account)
            assert account.catalogue.entries is first.entries
        assert account.health.status(time.time()) is AccountStatus.ACTIVE

    run(scenario)


def test_newest_client_version_is_passed_on_and_nothing_else_is():
    async def scenario(made):
        for version in ("0.170.1", "0.2.0", "1&x=y", None, "9" * 40):
            made.catalogues.note_client_version(version)
        await made.catalogues.refresh(made.pool.accounts[1])
        assert made.upstream.requests[-1].query_string == "client_version=0.170.1"

    run(scenario)


class Key:
    def __init__(self, accounts=None, models=()):
        self.accounts = accounts
        self.models = models

    def allows(self, model):
        return not self.models or model in self.models


def test_listing_passes_entries_as_they_came_with_a_stable_etag():
    async def scenario(made):
        listing = made.catalogues.listing
        assert listing()[0] == []
        await made.catalogues.refresh_due()
        entries, etag = listing()
        assert entries == made.upstream.models
        assert listing() == (entries, etag)
        assert listing(codex=False)[0] == [*entries, {"slug": "gpt-x"}]
        assert listing(Key(models=("m2",)))[0] == entries[1:]
        assert listing(Key(models=("m2",)))[1] != etag
        assert listing(Key(accounts=frozenset({2})))[0] == []
        made.pool.accounts[1].health.pause()
        assert listing()[0] == []

    run(scenario)


def test_first_account_describes_a_model_that_several_have():
    async def scenario(made):
        first, second = made.pool.accounts.values()
        for account, word in ((second, "later"), (first, "first")):
            account.catalogue = Catalogue(
                frozenset({"m"}), ({"slug": "m", "by": word},), (word.encode(),)
            )
        assert made.catalogues.listing()[0] == [{"slug": "m", "by": "first"}]

    run(scenario)


def test_usage_is_polled_once_a_minute_while_accounts_are_used():
    async def scenario(made):
        account, now = made.pool.accounts[1], time.time()
        assert made.usage.is_due(account, now)  # new
        await made.usage.poll_due()
        seen = account.windows["primary"]
        assert (seen.window.used_percent, seen.window.window_minutes) == (12.0, 300)
        assert not seen.live
        assert account.plan == "pro"
        assert len(made.upstream.requests) == 1  # the account with a key has no usage
        later = time.time() + 70
        assert not made.usage.is_due(account, later)  # idle
        account.last_choice += 1
        assert not made.usage.is_due(account, now + 50)
        assert made.usage.is_due(account, later)

    run(scenario)


def test_limited_account_is_polled_for_its_return():
    async def scenario(made):
        account = made.pool.accounts[1]
        made.upstream.used = 100.0
        await made.usage.poll(account)
        assert account.health.status(time.time()) is AccountStatus.LIMITED
        assert made.usage.is_due(account, time.time() + 70)

    run(scenario)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (401, AccountStatus.COOLING),
        (402, AccountStatus.LIMITED),
        (500, AccountStatus.ACTIVE),
    ],
)
def test_polls_judge_an_account_only_by_what_is_its_own(status, state):
    async def scenario(made):
        account = made.pool.accounts[1]
        made.upstream.status = status
        await made.usage.poll(account)
        assert account.health.status(time.time()) is state

    run(scenario)


WORDS = (
    *("models", "data", "slug", "id", "plan_type", "rate_limit", "credits"),
    *("primary_window", "used_percent", "limit_window_seconds", "reset_at"),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(WORDS),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)


class Told(ApiResponse):
    """An answer with ready-made JSON."""

    def json(self):
        return self.body if isinstance(self.body, dict) else {}


def test_what_could_not_be_said_again_is_left_out_of_a_catalogue():
    entries = b'{"slug":"a"},{"slug":"b","x":' + b"[" * 600 + b"]" * 600 + b"}"
    body = b'{"models":[' + entries + b"]}"
    found = read_codex(ApiResponse(200, {"etag": "\udcff"}, body), 0.0)
    assert found.etag is None
    assert found.models == {"a"}
    assert found.entries == ({"slug": "a"},)


@given(json_values)
def test_any_answer_is_read(value):
    answer = Told(200, {}, value)
    read_usage(answer)
    for read in (read_codex, read_openai):
        found = read(answer, 0.0)
        assert found is None or found.models
