"""The admin API: its token, its settings, the document about it."""

import asyncio
import json

import pytest

from handlers.admin.routes import ADMIN_ROUTES
from tests.handlers.admin.operators import audit

# (path, method) of everything that has a description.
OPERATIONS = [
    (pattern.replace("([^/]+)", "{name}"), method)
    for pattern, handler, _ in ADMIN_ROUTES
    for method in handler.operations
]
pytestmark = pytest.mark.gen_test(timeout=20)


async def head_only(serving, headers):
    """The status of a request whose announced body never comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", serving.server.port)
    lines = ["POST /api/keys HTTP/1.1", "host: localhost", "content-length: 5000000"]
    writer.write("\r\n".join([*lines, *headers, "", ""]).encode())
    status = (await reader.readline()).split()[1]
    writer.close()
    await writer.wait_closed()
    return int(status)


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
    for path, method in OPERATIONS:
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


# --- settings, the document


async def test_the_strategy_changes_while_the_gateway_runs(serving, operator):
    answered = await operator.patch("/api/settings", {"strategy": "round_robin"})
    assert answered.json == {
        "strategy": "round_robin",
        "tools": [],
        "aliases": [],
        "before": {"strategy": "fill_first"},
        "after": {"strategy": "round_robin"},
    }
    assert serving.gateway.pool.strategy == "round_robin"
    wrong = await operator.patch("/api/settings", {"strategy": "lottery"})
    assert (wrong.status, wrong.error["param"]) == (400, "strategy")
    assert await audit(serving) == [("api", "settings.update", "strategy")]


async def test_rules_about_tools_change_while_the_gateway_runs(serving, operator):
    rules = ["pass file_search surface=v1 accounts=api_key", "refuse web_search"]
    answered = await operator.patch("/api/settings", {"tools": rules})
    assert answered.json["tools"] == rules
    wrong = await operator.patch("/api/settings", {"tools": ["allow web_search"]})
    assert (wrong.status, wrong.error["param"]) == (400, "tools")
    assert (await operator.get("/api/settings"))["tools"] == rules
    assert (await operator.patch("/api/settings", {"tools": None})).json["tools"] == []
    assert await audit(serving) == [("api", "settings.update", "rules")] * 2


async def test_the_document_describes_every_operation(operator):
    document = await operator.get("/api/openapi.json")
    assert document["openapi"] == "3.1.0"
    described = {
        (path, method)
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert described == set(OPERATIONS)
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
