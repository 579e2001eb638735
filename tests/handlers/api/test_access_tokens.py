"""Accounts that are access tokens: imported, used, ended and back."""

import pytest

from gateway.process.admin_token import admin_token
from tests.serving import CODEX, turn_on

pytestmark = [pytest.mark.gen_test, pytest.mark.accounts()]


@pytest.fixture
def account(upstream):
    return upstream.add_account("robot")


async def call(serving, method, path, body=None):
    token = admin_token(serving.settings.data_dir).reveal()
    headers = {"authorization": f"Bearer {token}"}
    return await serving.ask(path, body, method=method, headers=headers)


async def put_in(serving, account):
    document = {"auth": account.access_document(), "name": "robot"}
    answered = await call(serving, "POST", "/api/accounts/import", document)
    assert answered.status == 200, answered.body


async def shown(serving):
    answered = await call(serving, "GET", "/api/accounts/robot")
    assert b"at-fake" not in answered.body
    return answered.json


async def test_it_serves_both_transports_and_is_never_refreshed(
    serving, upstream, account
):
    await put_in(serving, account)
    assert (await serving.ask(CODEX)).status == 200
    async with serving.socket() as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    await serving.gateway.usage.poll(serving.account("robot"))
    sent = [
        received
        for route in ("responses", "handshake", "usage")
        for received in upstream.of(route)
        if received.transport == "http"
    ]
    for received in sent:
        token = received.headers["authorization"]
        assert token == f"Bearer {account.personal_access_token}"
        assert received.headers["chatgpt-account-id"] == account.account_id
    told = await shown(serving)
    assert (told["auth"], told["kind"], told["state"]) == (
        "access_token",
        "chatgpt",
        "active",
    )
    assert (told["email"], told["token_expires_at"]) == (account.email, None)
    await serving.gateway.flush()
    for file in serving.settings.data_dir.glob("gateway.db*"):
        assert b"at-fake" not in file.read_bytes()


async def test_it_has_ended_when_our_own_usage_call_says_so(serving, upstream, account):
    await put_in(serving, account)
    upstream.auth.revoked.add(account.personal_access_token)
    refused = await serving.ask(CODEX)
    assert (refused.status, refused.error["code"]) == (400, "login_required")
    told = await shown(serving)
    assert (told["state"], told["until"]) == ("token_ended", None)
    assert told["why"] == "its access token has ended, says its usage"
    sent = len(upstream.of())
    assert (await serving.ask(CODEX)).error["code"] == "login_required"
    assert len(upstream.of()) == sent
    assert upstream.of("refresh") == []
    await serving.gateway.flush()
    await serving.restart()  # it is kept
    assert (await shown(serving))["state"] == "token_ended"


async def test_it_is_back_when_upstream_takes_it_again_or_it_is_imported(
    serving, upstream, account
):
    await put_in(serving, account)
    upstream.auth.revoked.add(account.personal_access_token)
    held, usage = serving.account("robot"), serving.gateway.usage
    await usage.poll(held)
    assert (await shown(serving))["state"] == "token_ended"
    assert not usage.is_due(held, held.health.last_error.at + 240)
    assert usage.is_due(held, held.health.last_error.at + 400)
    upstream.auth.revoked.clear()
    await usage.poll(held)
    assert (await shown(serving))["state"] == "active"
    upstream.auth.revoked.add(account.personal_access_token)
    await usage.poll(held)
    await serving.gateway.flush()
    upstream.auth.revoked.clear()
    await put_in(serving, account)
    assert (await shown(serving))["state"] == "active"
    assert (await serving.ask(CODEX)).status == 200


async def test_a_token_and_a_login_of_one_user_replace_each_other(
    serving, upstream, account
):
    document = {"auth": account.auth_document(), "name": "robot"}
    for _ in range(2):
        await put_in(serving, account)
        assert (await shown(serving))["auth"] == "access_token"
        answered = await call(serving, "POST", "/api/accounts/import", document)
        assert answered.json["kept_newer"] is False
        assert (await shown(serving))["auth"] == "login"
    assert len(serving.gateway.pool.accounts) == 1


async def test_a_token_that_is_none_is_not_imported(serving, upstream):
    body = {"auth": {"personal_access_token": "at-sesame"}}
    answered = await call(serving, "POST", "/api/accounts/import", body)
    assert (answered.status, answered.error["param"]) == (400, "auth")
    assert b"sesame" not in answered.body
    await upstream.stop()
    answered = await call(serving, "POST", "/api/accounts/import", body)
    assert (answered.status, answered.error["origin"]) == (502, "network")
    assert serving.gateway.pool.accounts == {}
