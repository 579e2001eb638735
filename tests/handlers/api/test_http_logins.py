"""Logins of accounts over HTTP: renewed, ended, paused, doubted."""

import asyncio

import pytest

from gateway.demo import faults
from gateway.polling import judges
from gateway.store import models
from tests.serving import CHAT, CODEX, V1, accounts, payload

BODIES = {
    CODEX: payload(),
    V1: payload(),
    CHAT: {"model": "gpt-5.5", "messages": [{"role": "user", "content": "x"}]},
}


@pytest.mark.gen_test
async def test_an_expired_token_is_refreshed_and_the_request_repeated(
    serving, upstream
):
    upstream.auth.expire("one")
    answered = await serving.ask()
    assert answered.status == 200
    assert upstream.auth.refreshed == ["one"]
    assert accounts(upstream) == ["one", "one"]
    assert (await serving.ask()).status == 200
    assert upstream.auth.refreshed == ["one"]


@pytest.mark.gen_test
async def test_fifty_requests_that_race_do_one_refresh(serving, upstream):
    upstream.auth.expire("one")
    found = await asyncio.gather(*(serving.ask() for _ in range(50)))
    assert {answered.status for answered in found} == {200}
    assert upstream.auth.refreshed == ["one"]


@pytest.mark.gen_test
async def test_a_login_that_has_ended_moves_on_and_is_not_asked_again(
    serving, upstream
):
    upstream.auth.expire("one")
    upstream.auth.spent.add(upstream.accounts["one"].refresh_token)
    for _ in range(2):
        assert (await serving.ask()).status == 200
    assert accounts(upstream) == ["one", "two", "two"]
    assert serving.account("one").health.login_reason == "refresh_token_reused"


async def kept_as_lost(serving, name):
    """Return once the database knows."""
    table = models.AccountRow
    query = table.select().where(
        (table.name == name) & (table.state_kind == "reauth_required")
    )
    async with asyncio.timeout(5):
        while not await serving.gateway.store.read(query.count):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.gen_test
async def test_an_ended_login_serves_again_as_soon_as_it_is_imported(serving, upstream):
    account = upstream.accounts["one"]
    upstream.auth.expire("one")
    upstream.auth.spent.add(account.refresh_token)
    assert (await serving.ask()).status == 200
    await kept_as_lost(serving, "one")
    account.lifetime = 60  # its first use needs a refresh, too
    account.issue()
    account.lifetime = 864_000
    await serving.add_account("one")
    await serving.pause("two")
    assert (await serving.ask()).status == 200
    assert accounts(upstream)[-1] == "one"
    await serving.restart()
    assert (await serving.ask()).status == 200


@pytest.mark.gen_test
async def test_a_401_that_no_judge_confirms_is_no_401_for_the_client(serving, upstream):
    upstream.answer(faults.unauthorized(), times=None)
    answered = await serving.ask()
    assert accounts(upstream) == ["one", "two"]
    assert (answered.status, answered.error["origin"]) == (502, "upstream")
    assert answered.error["message"] == faults.unauthorized().error()["message"]
    (row,) = await serving.rows()
    told = [attempt["then"] for attempt in row["receipt"]["attempts"]]
    assert told == ["elsewhere", "unauthorised: no other account can take the request"]


@pytest.mark.gen_test
async def test_a_login_that_is_only_not_renewed_again_has_not_ended(
    serving, upstream, monkeypatch
):
    """Twice within a minute: the second renewal waits, and time mends that."""
    monkeypatch.setattr(judges, "FIRST_JUDGE_PAUSE", 0.0)
    await serving.pause("two")
    upstream.auth.expire("one")
    assert (await serving.ask()).status == 200
    upstream.auth.expire("one")
    answered = await serving.ask()
    assert (answered.status, answered.error["code"]) == (502, "token_expired")
    assert upstream.auth.refreshed == ["one"]
    answered = await serving.ask()  # says the judge
    assert (answered.status, answered.error["code"]) == (503, "no_accounts")
    assert 0 < int(answered.headers["retry-after"]) <= 60


@pytest.mark.gen_test
async def test_a_login_whose_new_token_is_refused_as_well_is_told(serving, upstream):
    await serving.pause("two")
    upstream.answer(faults.unauthorized(), times=None)
    upstream.answer(faults.unauthorized(), route="usage", times=None)
    for _ in range(2):
        answered = await serving.ask()
        assert (answered.status, answered.error["code"]) == (400, "login_required")
    assert upstream.auth.refreshed == ["one"]


@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_paused_accounts_are_no_reason_to_come_back(serving, upstream, path):
    await serving.pause("one", "two")
    answered = await serving.ask(path, BODIES[path])
    assert (answered.status, answered.error["code"]) == (400, "accounts_paused")
    assert "run.py accounts resume" in answered.error["message"]
    assert "retry-after" not in answered.headers
    assert upstream.of() == []


@pytest.mark.gen_test
async def test_a_usage_endpoint_that_refuses_the_token_stops_no_turn(serving, upstream):
    upstream.answer(faults.unauthorized(), route="usage", times=None)
    for name in ("one", "two"):
        await serving.gateway.usage.poll(serving.account(name))
    assert (await serving.ask()).status == 200


@pytest.mark.gen_test
async def test_a_model_nobody_has_is_named(serving, upstream):
    for name in ("one", "two"):
        await serving.gateway.catalogues.refresh(serving.account(name))
    answered = await serving.ask(body=payload(model="gpt-0"))
    assert answered.status == 400
    assert answered.error["code"] == "model_not_available"
    assert "gpt-0" in answered.error["message"]
    assert upstream.of() == []


@pytest.mark.accounts
@pytest.mark.gen_test
async def test_no_account_at_all_is_told_as_such(serving):
    answered = await serving.ask()
    assert answered.status == 400
    assert answered.error["code"] == "no_accounts_configured"
    assert answered.error["origin"] == "account"
    assert "run.py accounts login" in answered.error["message"]
    assert "retry-after" not in answered.headers
