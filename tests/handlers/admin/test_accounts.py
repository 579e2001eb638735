"""Accounts over the admin API."""

import asyncio

import pytest

from gateway.demo.events import ScriptedTurn
from tests.handlers.admin.operators import audit

pytestmark = pytest.mark.gen_test(timeout=20)


# --- accounts


async def test_accounts_are_shown_with_their_state_and_no_secret(serving, operator):
    listed = await operator.call("GET", "/api/accounts")
    one, two = listed.json["accounts"]
    assert (one["name"], one["state"], one["kind"]) == ("one", "active", "chatgpt")
    assert two["in_flight"] == 0
    account = serving.upstream.accounts["one"]
    for secret in (account.access_token, account.refresh_token, account.id_token):
        assert secret.encode() not in listed.body


async def test_a_paused_account_gets_no_next_request(serving, operator):
    assert (await operator.post("/api/accounts/one/pause")).json["state"] == "paused"
    assert (await serving.ask()).status == 200
    assert serving.upstream.of("responses")[-1].account == "two"
    assert (await operator.post("/api/accounts/one/resume")).json["state"] == "active"
    assert await audit(serving) == [
        ("api", "account.pause", "one"),
        ("api", "account.resume", "one"),
    ]


async def test_an_api_key_account_is_added_changed_and_removed(serving, operator):
    made = await operator.post(
        "/api/accounts",
        {"name": "p/a b", "base_url": "https://api.example/v1/", "api_key": "sk-fake"},
    )
    assert made.status == 201
    assert made.json["base_url"] == "https://api.example/v1"
    assert b"sk-fake" not in made.body
    path = "/api/accounts/p%2Fa%20b"
    wanted = {"priority": 3, "name": "paid", "residency": "eu", "chat_parameters": True}
    changed = await operator.patch(path, wanted)
    assert wanted.items() <= changed.json.items()
    number = changed.json["id"]
    gone = await operator.call("DELETE", f"/api/accounts/{number}")
    assert (gone.json["name"], gone.json["after"]) == ("paid", {"state": "removed"})
    assert serving.account("paid") is None
    assert (await operator.call("GET", "/api/accounts/paid")).status == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"base_url": "https://a.example", "api_key": "k"}, "name"),
        ({"name": "x", "base_url": "ftp://a.example", "api_key": "k"}, "base_url"),
        (
            {"name": "x", "base_url": "https://u:p@a.example", "api_key": "k"},
            "base_url",
        ),
        ({"name": "x", "base_url": "https://a.example", "api_key": ""}, "api_key"),
        ({"name": "\n", "base_url": "https://a.example", "api_key": "k"}, "name"),
        (
            {"name": "x", "base_url": "https://a.e", "api_key": "k", "priority": "1"},
            "priority",
        ),
    ],
)
async def test_an_account_that_could_not_work_is_refused(operator, body, param):
    answered = await operator.post("/api/accounts", body)
    assert answered.status == 400
    assert answered.error["param"] == param


async def test_a_name_is_given_once(operator):
    body = {"name": "one", "base_url": "https://a.example", "api_key": "k"}
    answered = await operator.post("/api/accounts", body)
    assert (answered.status, answered.error["code"]) == (409, "conflict")


async def test_a_login_is_imported_and_a_second_import_updates_it(serving, operator):
    account = serving.upstream.add_account("three")
    body = {"auth": account.auth_document()}
    first = await operator.post("/api/accounts/import", body)
    assert first.json == {
        "name": "three@demo.example",
        "is_new": True,
        "kept_newer": False,
    }
    account.lifetime *= 2
    account.issue()
    second = await operator.post(
        "/api/accounts/import", {"auth": account.auth_document(), "name": "drei"}
    )
    assert second.json["is_new"] is False
    held = serving.account("drei").credentials
    assert held.access_token.reveal() == account.access_token


async def test_an_older_login_does_not_replace_newer_tokens(serving, operator):
    account = serving.upstream.accounts["one"]
    newer = account.access_token
    account.lifetime = 60
    account.issue()
    body = {"auth": account.auth_document()}
    assert (await operator.post("/api/accounts/import", body)).json["kept_newer"]
    await serving.restart()  # it is the database that must have kept them
    assert serving.account("one").credentials.access_token.reveal() == newer


async def test_a_login_that_is_none_says_why(operator):
    answered = await operator.post("/api/accounts/import", {"auth": {"tokens": {}}})
    assert answered.status == 400
    assert "access token" in answered.error["message"]


async def test_a_probe_is_one_real_request_at_that_account(serving, operator):
    await operator.post("/api/accounts/two/pause")
    probed = (await operator.post("/api/accounts/two/probe")).json
    assert probed["ok"], probed
    (sent,) = serving.upstream.of("responses")
    assert (sent.account, sent.payload["model"]) == ("two", probed["model"])
    assert probed["first_event_ms"] <= probed["duration_ms"]
    assert probed["residency_hint"] is None
    serving.upstream.accounts["two"].routing = "US"
    probed = (await operator.post("/api/accounts/two/probe")).json
    assert probed["residency_hint"] == "US"
    assert serving.account("two").residency == ""
    assert serving.account("two").in_flight == 0


async def test_a_probe_that_fails_says_so_and_the_pool_hears_of_it(serving, operator):
    from gateway.demo import faults
    from gateway.demo.script import ScriptRule

    serving.upstream.script.add(ScriptRule(faults.usage_limit(), account="one"))
    body = {"model": "gpt-5.5"}
    probed = (await operator.post("/api/accounts/one/probe", body)).json
    assert (probed["ok"], probed["status"], probed["state"]) == (False, 429, "limited")


@pytest.mark.settings(idle_timeout=0.3)
async def test_a_probe_gives_up_on_an_account_that_falls_silent(serving, operator):
    serving.upstream.answer(
        ScriptedTurn().text("hi").completed().events[0], asyncio.Event()
    )
    body = {"model": "gpt-5.5"}
    probed = (await operator.post("/api/accounts/one/probe", body)).json
    assert (probed["ok"], probed["code"]) == (False, "stream_idle_timeout")
    assert serving.account("one").in_flight == 0
