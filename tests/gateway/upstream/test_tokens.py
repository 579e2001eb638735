"""Refreshes and logins against a token endpoint on a real socket."""

import asyncio
import base64
import contextlib
import json
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.account import Account, Credentials
from gateway.secret import Secret
from gateway.upstream import UpstreamFault
from gateway.upstream.auth_json import claims, parse_login, read_login
from gateway.upstream.device_login import DeviceLogin
from gateway.upstream.tokens import CLIENT_ID, TokenSource


def jwt(**about):
    encoded = base64.urlsafe_b64encode(json.dumps(about).encode()).rstrip(b"=")
    return f"e30.{encoded.decode()}.sig"


def document(account_id="acc", lifetime=86_400, refresh_token="file-token"):
    about = {
        "email": "a@example.com",
        "https://api.openai.com/auth": {
            "chatgpt_account_id": account_id,
            "chatgpt_plan_type": "pro",
            "chatgpt_user_id": "user-1",
        },
    }
    return {
        "tokens": {
            "id_token": jwt(**about),
            "access_token": jwt(exp=int(time.time() + lifetime)),
            "refresh_token": refresh_token,
            "account_id": account_id,
        },
        "last_refresh": "2026-01-02T03:04:05.123456789Z",
    }


def credentials(lifetime, refresh_token="rt-1"):
    return Credentials(
        access_token=Secret(f"at-{refresh_token}-{lifetime}"),
        refresh_token=Secret(refresh_token),
        expires_at=time.time() + lifetime,
    )


def account(lifetime=-10, **fields):
    fields.setdefault("credentials", credentials(lifetime))
    return Account(id=1, name="a", chatgpt_account_id="acc", **fields)


class Endpoint:
    """The token endpoint: rotates, and refuses a token that was spent."""

    def __init__(self):
        self.requests = []
        self.spent = set()
        self.answer = None  # (status, body) instead of tokens
        self.pending = 0  # device polls that are answered "not yet"
        self.gate = None
        self.arrived = asyncio.Event()

    async def token(self, request):
        text = await request.text()
        self.requests.append((request.content_type, text))
        self.arrived.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.answer is not None:
            return web.json_response(self.answer[1], status=self.answer[0])
        if request.content_type == "application/x-www-form-urlencoded":
            return web.json_response(document()["tokens"])
        used = json.loads(text)["refresh_token"]
        if used in self.spent:
            return web.json_response(
                {"error": {"code": "refresh_token_reused"}}, status=401
            )
        self.spent.add(used)
        return web.json_response(
            {
                "access_token": jwt(exp=int(time.time() + 3_600), n=len(self.spent)),
                "refresh_token": f"{used}+",
            }
        )

    async def usercode(self, request):
        assert (await request.json()) == {"client_id": CLIENT_ID}
        return web.json_response(
            {
                "device_auth_id": "dev",
                "user_code": "AB-12",
                "interval": "0.01",
                "expires_in": 60,
            }
        )

    async def device_token(self, request):
        assert (await request.json()) == {"device_auth_id": "dev", "user_code": "AB-12"}
        if self.pending:
            self.pending -= 1
            return web.json_response({"error": "not yet"}, status=403)
        return web.json_response(
            {"authorization_code": "code-1", "code_verifier": "verifier-1"}
        )


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

    async def save_credentials(self, account_id, credentials):
        await asyncio.sleep(0)
        self.stored = credentials
        self.log.append(credentials.refresh_token.reveal())

    async def load_credentials(self, account_id):
        await asyncio.sleep(0)
        return self.stored


@asynccontextmanager
async def serving(endpoint):
    app = web.Application()
    app.router.add_post("/oauth/token", endpoint.token)
    app.router.add_post("/api/accounts/deviceauth/usercode", endpoint.usercode)
    app.router.add_post("/api/accounts/deviceauth/token", endpoint.device_token)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession() as session:
            yield session, f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


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
        async def save_credentials(self, account_id, credentials):
            assert mine.credentials.refresh_token.reveal() == "rt-1"
            await super().save_credentials(account_id, credentials)

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
        assert await tokens.refresh_after_401(mine)

    assert len(run(scenario).requests) == 1


def test_two_processes_refresh_once():
    endpoint, database = Endpoint(), Database()

    async def main():
        async with serving(endpoint) as (session, url):
            both = [
                TokenSource(session, url, database, lambda *_: None) for _ in range(2)
            ]
            mine = [account(), account()]
            endpoint.gate = asyncio.Event()
            tasks = [
                asyncio.create_task(tokens.ensure_fresh(one))
                for tokens, one in zip(both, mine, strict=True)
            ]
            await endpoint.arrived.wait()
            endpoint.gate.set()
            await asyncio.gather(*tasks)
            assert mine[0].credentials == mine[1].credentials

    asyncio.run(main())
    assert len(endpoint.requests) == 1


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
        assert not await tokens.refresh_after_401(account())
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


def test_token_of_another_process_is_taken_instead_of_refreshing():
    async def scenario(tokens, database, seen):
        mine = account()
        await tokens.ensure_fresh(mine)
        assert mine.credentials is database.stored

    endpoint = run(scenario, database=Database(credentials(3_600, "rt-2")))
    assert not endpoint.requests


def test_token_that_codex_rotated_in_its_file_is_taken(tmp_path):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(document()))

    async def scenario(tokens, database, seen):
        mine = account(source_path=str(path))
        await tokens.ensure_fresh(mine)
        assert mine.credentials.refresh_token.reveal() == "file-token"
        assert database.log == ["file-token"]

    assert not run(scenario).requests


def test_file_of_another_account_is_left_alone(tmp_path):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(document(account_id="other")))

    async def scenario(tokens, database, seen):
        await tokens.ensure_fresh(account(source_path=str(path)))
        assert database.log == ["rt-1+"]

    run(scenario)


def test_spent_token_is_forgiven_when_the_file_has_a_newer_one(tmp_path):
    path = tmp_path / "auth.json"
    endpoint = Endpoint()
    endpoint.spent.add("rt-1")
    path.write_text(json.dumps(document(lifetime=10)))  # newer, and old already

    async def scenario(tokens, database, seen):
        mine = account(source_path=str(path))
        await tokens.ensure_fresh(mine)
        assert mine.credentials.refresh_token.reveal() == "file-token+"

    run(scenario, endpoint)


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
        assert not await tokens.refresh_after_401(keyed)
        with pytest.raises(UpstreamFault):
            await tokens.ensure_fresh(account(credentials=Credentials()))

    assert not run(scenario).requests


def test_device_login_waits_for_its_confirmation():
    endpoint = Endpoint()
    endpoint.pending = 2

    async def main():
        async with serving(endpoint) as (session, url):
            login = DeviceLogin(session, url)
            code = await login.start()
            assert (code.user_code, code.verification_url) == (
                "AB-12",
                f"{url}/codex/device",
            )
            granted = await login.finish(code)
            assert granted.chatgpt_account_id == "acc"
            assert granted.email == "a@example.com"
            (_, text), *_ = endpoint.requests
            assert "code_verifier=verifier-1" in text
            assert "grant_type=authorization_code" in text
            assert "%2Fdeviceauth%2Fcallback" in text

    asyncio.run(main())


def test_both_spellings_of_auth_json_are_read(tmp_path):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(document()))
    snake = read_login(path)
    tokens = document()["tokens"]
    camel = parse_login(
        json.dumps(
            {
                "tokens": {
                    "idToken": tokens["id_token"],
                    "accessToken": tokens["access_token"],
                    "refreshToken": tokens["refresh_token"],
                    "accountId": "acc",
                },
                "lastRefreshAt": "2026-01-02T03:04:05Z",
            }
        )
    )
    assert snake.plan == camel.plan == "pro"
    assert snake.chatgpt_user_id == "user-1"
    assert abs(snake.refreshed_at - camel.refreshed_at) < 1
    assert "file-token" not in repr(snake)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "has no tokens"),
        ('{"OPENAI_API_KEY": "sk-secret"}', "accounts add"),
        ('{"tokens": {}}', "has no access token"),
        ('{"tokens": {"access_token": "secret"}}', "has no refresh token"),
        (
            '{"tokens": {"access_token": "secret", "refresh_token": "secret"}}',
            "does not say which",
        ),
    ],
)
def test_bad_files_are_explained_without_being_quoted(content, words):
    with pytest.raises(ValueError, match=words) as caught:
        parse_login(content)
    assert "secret" not in str(caught.value)


@given(st.binary() | st.text())
def test_any_file_is_read_or_explained(content):
    with contextlib.suppress(ValueError):
        parse_login(content)


@given(st.text() | st.builds("a.{}.b".format, st.text()))
def test_any_token_has_claims_or_none(token):
    assert isinstance(claims(token), dict)
