"""The admin API over sockets: its door, each resource, the document about it."""

import asyncio
import json

import pytest

from gateway.admin.token import admin_token
from gateway.demo.events import ScriptedTurn
from handlers.admin.openapi import all_operations
from handlers.admin.routes import ADMIN_ROUTES
from tests.serving import V1, payload

pytestmark = pytest.mark.gen_test(timeout=20)


class Operator:
    """A client with the admin token."""

    def __init__(self, serving):
        self.serving = serving
        self.token = admin_token(serving.settings.data_dir).reveal()

    async def call(self, method, path, body=None, **headers):
        given = {"authorization": f"Bearer {self.token}", **headers}
        return await self.serving.ask(path, body, method=method, headers=given)

    async def get(self, path):
        answered = await self.call("GET", path)
        assert answered.status == 200, answered.body
        return answered.json

    async def post(self, path, body=None):
        return await self.call("POST", path, body or {})

    async def patch(self, path, body):
        return await self.call("PATCH", path, body)


@pytest.fixture
def operator(serving):
    return Operator(serving)


async def audit(serving):
    """(actor, action, target) of every change, oldest first, without the fixture's."""
    from gateway.store.models import AuditLog

    rows = await serving.gateway.store.read(lambda: list(AuditLog.select()))
    return [(r.actor, r.action, r.target) for r in rows if r.actor != "test"]


# --- the door


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"x-admin-token": ""},
        {"authorization": "Basic dGVzdA=="},
    ],
)
async def test_nobody_comes_in_without_the_token_not_even_from_this_machine(
    serving, headers
):
    for path, method in all_operations(ADMIN_ROUTES):
        answered = await serving.ask(
            path.replace("{name}", "one"), method=method.upper(), headers=headers
        )
        assert answered.status == 401, (method, path)
        assert answered.error["code"] == "admin_token_required"


async def test_an_api_key_is_no_admin_token(serving):
    key = await serving.add_key()
    answered = await serving.get(
        "/api/keys", headers={"authorization": f"Bearer {key}"}
    )
    assert answered.status == 401


async def test_the_token_is_taken_in_its_own_header_too(serving, operator):
    headers = {"x-admin-token": operator.token, "authorization": "Bearer something"}
    assert (await serving.get("/api/settings", headers=headers)).status == 200


async def test_a_web_page_is_refused_even_with_the_token(operator):
    answered = await operator.call("GET", "/api/keys", origin="https://evil.example")
    assert answered.status == 403


async def head_only(serving, headers):
    """The status of a request whose announced body never comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", serving.server.port)
    lines = ["POST /api/keys HTTP/1.1", "host: localhost", "content-length: 5000000"]
    writer.write("\r\n".join([*lines, *headers, "", ""]).encode())
    status = (await reader.readline()).split()[1]
    writer.close()
    await writer.wait_closed()
    return int(status)


async def test_what_cannot_be_taken_is_refused_before_its_body_is_read(
    serving, operator
):
    assert await head_only(serving, []) == 401
    assert await head_only(serving, [f"x-admin-token: {operator.token}"]) == 413


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"[" * 100_000])
async def test_what_is_no_json_object_is_a_clear_error(operator, body):
    answered = await operator.call("POST", "/api/keys", body)
    assert answered.status == 400
    assert answered.error["message"]


async def test_unknown_fields_are_refused_by_name(operator):
    answered = await operator.post("/api/keys", {"name": "a", "modles": ["x"]})
    assert answered.status == 400
    assert answered.error["param"] == "modles"
    unknown = await operator.call("GET", "/api/logs?lmit=3")
    assert (unknown.status, unknown.error["param"]) == (400, "lmit")


async def test_paths_and_methods_that_do_not_exist(operator):
    assert (await operator.call("GET", "/api/nothing")).status == 404
    assert (await operator.call("PUT", "/api/keys", b"{}")).status == 405


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
    changed = await operator.patch(path, {"priority": 3, "name": "paid"})
    assert (changed.json["name"], changed.json["priority"]) == ("paid", 3)
    number = changed.json["id"]
    gone = await operator.call("DELETE", f"/api/accounts/{number}")
    assert gone.json == {"name": "paid"}
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


# --- keys


async def test_a_key_is_shown_once_and_works_at_once(serving, operator):
    made = await operator.post("/api/keys", {"name": "laptop", "rpm": 100})
    assert made.status == 201
    assert made.json["is_first"] is True
    token = made.json["key"]
    assert token.startswith("sk-cgw-")
    listed = await operator.call("GET", "/api/keys")
    assert token.encode() not in listed.body
    assert listed.json["keys"][0]["prefix"] == token[: len("sk-cgw-") + 8]
    refused = await serving.ask(V1)
    assert refused.status == 401
    served = await serving.ask(V1, headers={"x-api-key": token})
    assert served.status == 200


async def test_a_key_that_is_disabled_is_refused_from_the_next_request_on(
    serving, operator
):
    token = (await operator.post("/api/keys", {"name": "a"})).json["key"]
    await operator.patch("/api/keys/a", {"disabled": True})
    headers = {"authorization": f"Bearer {token}"}
    assert (await serving.ask(V1, headers=headers)).status == 401
    await operator.patch("/api/keys/a", {"disabled": False})
    assert (await serving.ask(V1, headers=headers)).status == 200


async def test_a_rotated_key_has_its_rules_and_the_old_token_ends(serving, operator):
    old = (await operator.post("/api/keys", {"name": "a", "rpm": 7})).json["key"]
    new = (await operator.post("/api/keys/a/rotate")).json["key"]
    assert (await serving.ask(V1, headers={"x-api-key": old})).status == 401
    assert (await serving.ask(V1, headers={"x-api-key": new})).status == 200
    assert (await operator.get("/api/keys/a"))["rpm"] == 7


async def test_a_key_shows_what_is_used_of_its_limits(serving, operator):
    rules = {"name": "a", "limits": ["requests 5/1d", "cost 2.50/30d model=gpt-5*"]}
    token = (await operator.post("/api/keys", rules)).json["key"]
    await serving.ask(V1, headers={"x-api-key": token})
    shown = await operator.get("/api/keys/a")
    assert shown["limits"] == ["requests 5/1d", "cost 2.5/30d model=gpt-5*"]
    requests = shown["usage"][0]
    assert (requests["current_value"], requests["max_value"]) == (1, 5)
    # Another maximum keeps what was used, another window does not.
    limits = {"limits": ["requests 9/1d", "tokens 1M/7d"]}
    changed = (await operator.patch("/api/keys/a", limits)).json["usage"]
    assert [(u["current_value"], u["max_value"]) for u in changed] == [
        (1, 9),
        (0, 1_000_000),
    ]


async def test_the_last_key_gone_opens_no_door(serving, operator):
    await operator.post("/api/keys", {"name": "a"})
    await operator.call("DELETE", "/api/keys/a")
    assert (await serving.ask(V1)).status == 401
    again = await operator.post("/api/keys", {"name": "b"})
    assert again.json["is_first"] is False


@pytest.mark.parametrize(
    ("rules", "param"),
    [
        ({"limits": ["tokens lots/7d"]}, "limits"),
        ({"limits": ["tokens 1/7d", "tokens 2/7d"]}, "limits"),
        ({"expires": "yesterday"}, "expires"),
        ({"expires": "2001-01-01"}, "expires"),
        ({"rpm": 0}, "rpm"),
        ({"enforce_effort": "heroic"}, "enforce_effort"),
        ({"enforce_tier": "first class"}, "enforce_tier"),
        ({"models": ["gpt-5*"], "enforce_model": "o3"}, "enforce_model"),
    ],
)
async def test_rules_that_make_no_sense_make_no_key(operator, rules, param):
    answered = await operator.post("/api/keys", {"name": "a", **rules})
    assert answered.status == 400
    assert answered.error["param"] == param
    assert (await operator.get("/api/keys")) == {"keys": []}


async def test_a_key_for_an_account_that_is_not_there_is_not_made(operator):
    answered = await operator.post("/api/keys", {"name": "a", "accounts": ["nobody"]})
    assert answered.status == 404
    assert "nobody" in answered.error["message"]


async def test_the_only_account_of_a_key_is_not_removed(operator):
    await operator.post("/api/keys", {"name": "a", "accounts": ["one"]})
    answered = await operator.call("DELETE", "/api/accounts/one")
    assert answered.status == 409
    assert "keys a" in answered.error["message"]


# --- the record


async def test_the_log_is_paged_filtered_and_named(serving, operator):
    key = await serving.add_key("k")
    for prompt in ("a", "b", "c"):
        await serving.ask(V1, payload(prompt), headers={"x-api-key": key})
    await serving.ask(V1, {"model": "gpt-5.5"}, headers={"x-api-key": key})
    await serving.rows(4)
    first = await operator.get("/api/logs?limit=3&key=k")
    assert len(first["logs"]) == 3
    second = await operator.get(f"/api/logs?limit=3&key=k&before={first['next']}")
    assert (len(second["logs"]), second["next"]) == (1, None)
    assert {row["account"] for row in first["logs"][1:]} == {"one"}
    assert {row["key"] for row in first["logs"]} == {"k"}
    (refused,) = (await operator.get("/api/logs?status=error"))["logs"]
    assert refused["error_origin"] == "client"
    assert (await operator.call("GET", "/api/logs?key=nobody")).status == 404
    assert (await operator.call("GET", "/api/logs?limit=0")).status == 400


async def test_one_request_is_explained_by_its_id_and_by_the_responses(
    serving, operator
):
    answered = await serving.ask()
    await serving.rows(1)
    name = answered.headers["x-request-id"]
    told = await operator.get(f"/api/logs/{name[:8]}")
    assert told["request_id"] == name
    assert told["receipt"]["attempts"][0]["account"] == "one"
    same = await operator.get(f"/api/logs/{told['response_id']}")
    assert same["request_id"] == name
    assert (await operator.call("GET", "/api/logs/ffffffffffff")).status == 404


async def test_usage_is_summed_by_what_was_asked(serving, operator):
    await serving.ask()
    await serving.ask()
    await serving.rows(2)
    (by_account,) = (await operator.get("/api/usage?by=account&since=1d"))["usage"]
    assert (by_account["account"], by_account["requests"]) == ("one", 2)
    (by_model,) = (await operator.get("/api/usage?by=model"))["usage"]
    assert by_model["model"] == "gpt-5.5"
    assert by_model["input_tokens"] == by_account["input_tokens"] > 0
    assert (await operator.call("GET", "/api/usage?by=weather")).status == 400


# --- settings, the document


async def test_the_strategy_changes_while_the_gateway_runs(serving, operator):
    answered = await operator.patch("/api/settings", {"strategy": "round_robin"})
    assert answered.json == {"strategy": "round_robin"}
    assert serving.gateway.pool.strategy == "round_robin"
    wrong = await operator.patch("/api/settings", {"strategy": "lottery"})
    assert (wrong.status, wrong.error["param"]) == (400, "strategy")
    assert await audit(serving) == [("api", "settings.update", "strategy")]


async def test_the_document_describes_every_operation(operator):
    document = await operator.get("/api/openapi.json")
    assert document["openapi"] == "3.1.0"
    described = {
        (path, method)
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert described == set(all_operations(ADMIN_ROUTES))
    text = json.dumps(document)
    for name in {
        part.split('"')[0] for part in text.split("#/components/schemas/")[1:]
    }:
        assert name in document["components"]["schemas"]
    new_key = document["components"]["schemas"]["NewKey"]
    assert new_key["required"] == ["name"]
    assert new_key["additionalProperties"] is False
    query = document["paths"]["/api/logs"]["get"]["parameters"]
    assert {"status", "limit", "before"} <= {one["name"] for one in query}


async def test_every_change_leaves_an_audit_row_without_secrets(serving, operator):
    from gateway.store.models import AuditLog

    body = {"name": "p", "base_url": "https://a.example", "api_key": "sk-secret"}
    await operator.post("/api/accounts", body)
    await operator.patch("/api/accounts/p", {"priority": 1})
    await operator.call("DELETE", "/api/accounts/p")
    token = (await operator.post("/api/keys", {"name": "k"})).json["key"]
    await operator.patch("/api/keys/k", {"rpm": 2})
    await operator.post("/api/keys/k/rotate")
    await operator.call("DELETE", "/api/keys/k")
    assert [action for _, action, _ in await audit(serving)] == [
        *("account.add", "account.update", "account.remove"),
        *("key.create", "key.update", "key.rotate", "key.remove"),
    ]
    rows = await serving.gateway.store.read(lambda: list(AuditLog.select()))
    details = "".join(row.detail for row in rows)
    assert "sk-secret" not in details
    assert token not in details
