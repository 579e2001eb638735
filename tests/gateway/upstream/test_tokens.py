"""Refreshes against a token endpoint on a real socket."""

import asyncio
import json
import time

import aiohttp
import pytest

from gateway.accounts.account import Account, Credentials
from gateway.secret import Secret
from gateway.upstream import UpstreamFault
from gateway.upstream.tokens import CLIENT_ID, SHORT_LIVED_SECONDS, TokenSource
from tests.gateway.upstream.token_endpoint import Endpoint, serving


def credentials(lifetime, refresh_token="rt-1"):
    return Credentials(
        access_token=Secret(f"at-{refresh_token}-{lifetime}"),
        refresh_token=Secret(refresh_token),
        expires_at=time.time() + lifetime,
    )


def account(lifetime=-10, **fields):
    fields.setdefault("credentials", credentials(lifetime))
    return Account(id=1, name="a", chatgpt_account_id="acc", **fields)


class Database:
    """The credentials and the claim row that processes share."""

    def __init__(self, stored=None):
        self.stored = stored
        self.claimed = None
        self.log = []

    async def claim(self, account_id, owner, ttl):
        if self.claimed not in (None, owner):
            return False
        self.claimed = owner
        return True

    async def release_claim(self, account_id, owner):
        assert self.claimed == owner
        self.claimed = None

    async def save_credentials(self, account_id, credentials, replaced):
        await asyncio.sleep(0)
        if self.stored is None or self.stored.has_same_tokens(replaced):
            self.stored = credentials
            self.log.append(credentials.refresh_token.reveal())
        return self.stored

    async def load_credentials(self, account_id):
        await asyncio.sleep(0)
        return self.stored


def run(scenario, endpoint=None, database=None):
    """Run `scenario(tokens, database, seen)` with a token source on real sockets."""
    endpoint = endpoint or Endpoint()
    database = database or Database()
    seen = []

    async def main():
        async with serving(endpoint) as (session, url):
            tokens = TokenSource(
                session, url, database, lambda _, failure: seen.append(failure)
            )
            await scenario(tokens, database, seen)
            await tokens.close()

    asyncio.run(main())
    return endpoint


def test_refresh_is_what_codex_sends_and_is_saved_before_use():
    mine = account()

    class Careful(Database):
        async def save_credentials(self, account_id, credentials, replaced):
            assert mine.credentials.refresh_token.reveal() == "rt-1"
            return await super().save_credentials(account_id, credentials, replaced)

    async def scenario(tokens, database, seen):
        await tokens.ensure_fresh(mine)
        assert mine.credentials.refresh_token.reveal() == "rt-1+"
        assert mine.credentials.expires_at > time.time() + 3_000
        assert database.log == ["rt-1+"]

    endpoint = run(scenario, database=Careful())
    (content_type, text), *more = endpoint.requests
    assert content_type == "application/json"
    assert json.loads(text) == {
        "client_id": CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_token": "rt-1",
    }
    assert not more


@pytest.mark.parametrize(("lifetime", "requests"), [(200, 1), (400, 0)])
def test_refresh_begins_five_minutes_before_the_end(lifetime, requests):
    async def scenario(tokens, database, seen):
        await tokens.ensure_fresh(account(lifetime))

    assert len(run(scenario).requests) == requests


def test_fifty_requests_that_race_refresh_once():
    mine = account(lifetime=1_000)

    async def scenario(tokens, database, seen):
        used = mine.credentials.access_token
        results = await asyncio.gather(
            *(tokens.refresh_after_401(mine, used) for _ in range(50))
        )
        assert all(results)
        # A refusal of the old token that comes in late starts no second one.
        assert await tokens.refresh_after_401(mine, used)

    assert len(run(scenario).requests) == 1


@pytest.mark.parametrize("lifetime", [-10, 200, -10 * 86_400])
def test_tokens_that_end_at_once_are_refreshed_now_and_then(lifetime, monkeypatch):
    endpoint, passed = Endpoint(), [0.0]
    endpoint.lifetime = lifetime
    monotonic = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + passed[0])

    async def scenario(tokens, database, seen):
        mine = account()
        for requests in (1, 2):
            for _ in range(20):
                await tokens.ensure_fresh(mine)  # and is used, for want of a better
                used = mine.credentials.access_token
                assert not await tokens.refresh_after_401(mine, used)
            assert len(endpoint.requests) == requests
            passed[0] += SHORT_LIVED_SECONDS
        assert not seen

    run(scenario, endpoint)


def test_a_good_token_that_is_revoked_at_once_is_refreshed_at_once():
    async def scenario(tokens, database, seen):
        mine = account()
        await tokens.ensure_fresh(mine)
        assert await tokens.refresh_after_401(mine, mine.credentials.access_token)
        # Another would not help; after a minute, then two, it is tried again.
        for _ in range(3):
            used = mine.credentials.access_token
            assert not await tokens.refresh_after_401(mine, used)
        at, pause = tokens._renewals[mine.id]
        tokens._renewals[mine.id] = at - 61, pause
        assert await tokens.refresh_after_401(mine, mine.credentials.access_token)
        assert tokens._renewals[mine.id][1] == 120

    assert len(run(scenario).requests) == 3


def test_a_new_token_that_worked_is_renewed_a_minute_later():
    async def scenario(tokens, database, seen):
        mine = account()
        for _ in range(5):
            assert await tokens.refresh_after_401(mine, mine.credentials.access_token)
            assert tokens._renewals[mine.id][1] == 60
            mine.health.succeed(time.time())
            used = mine.credentials.access_token  # once a minute all the same
            assert not await tokens.refresh_after_401(mine, used)
            at, pause = tokens._renewals[mine.id]
            tokens._renewals[mine.id] = at - 61, pause

    assert len(run(scenario).requests) == 5


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "refresh_token_expired", "message": "rt-1 is old"}},
        {"error": "refresh_token_expired"},
        {"code": "refresh_token_expired"},
    ],
)
def test_permanent_failure_ends_the_login(body):
    endpoint = Endpoint()
    endpoint.answer = (401, body)

    async def scenario(tokens, database, seen):
        with pytest.raises(UpstreamFault) as caught:
            await tokens.ensure_fresh(account())
        assert caught.value.failure.code == "refresh_token_expired"
        assert "rt-1" not in str(caught.value)
        lost = account()
        used = lost.credentials.access_token
        assert not await tokens.refresh_after_401(lost, used)
        assert [failure.code for failure in seen] == ["refresh_token_expired"]

    run(scenario, endpoint)


def test_other_failures_pass_and_are_not_repeated_at_once():
    endpoint = Endpoint()
    endpoint.answer = (400, {"error": "invalid_grant"})

    async def scenario(tokens, database, seen):
        for _ in range(3):
            with pytest.raises(UpstreamFault) as caught:
                await tokens.ensure_fresh(account())
            assert caught.value.failure.code == "token_refresh_failed"
        # A token that still works goes on being used.
        await tokens.ensure_fresh(account(lifetime=200))

    assert len(run(scenario, endpoint).requests) == 1


def test_cancelled_request_does_not_lose_the_rotated_token():
    endpoint = Endpoint()

    async def scenario(tokens, database, seen):
        endpoint.gate = asyncio.Event()
        mine = account()
        task = asyncio.create_task(tokens.ensure_fresh(mine))
        await endpoint.arrived.wait()
        task.cancel()
        endpoint.gate.set()
        await tokens.close()
        assert database.log == ["rt-1+"]
        assert mine.credentials.refresh_token.reveal() == "rt-1+"

    run(scenario, endpoint)


def test_unreachable_endpoint_is_a_failure_of_the_refresh_only():
    async def main():
        async with aiohttp.ClientSession() as session:
            tokens = TokenSource(
                session, "http://127.0.0.1:1", Database(), lambda *_: None
            )
            with pytest.raises(UpstreamFault) as caught:
                await tokens.ensure_fresh(account())
            assert caught.value.failure.code == "token_refresh_failed"

    asyncio.run(main())


def test_account_with_a_key_has_nothing_to_refresh():
    async def scenario(tokens, database, seen):
        keyed = account(credentials=Credentials(api_key=Secret("sk")))
        await tokens.ensure_fresh(keyed)
        assert not await tokens.refresh_after_401(keyed, None)
        with pytest.raises(UpstreamFault):
            await tokens.ensure_fresh(account(credentials=Credentials()))

    assert not run(scenario).requests
