"""Every route answers; what is none is refused in its surface's envelope."""

import pytest

from tests.serving import CODEX, V1, payload

BASE = "/backend-api/codex"


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/v1",
        "/v1/nope",
        "/v1/responses/nope",
        "/backend-api/nope",
        "/backend-api/codex/v1/v1/responses",
        "/backend-api/codex/responses/../../secrets",
        "/backend-api/codex/responses%2f",
        "/v1/responses/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.gen_test
async def test_an_unknown_path_is_not_found(serving, upstream, path, method):
    answered = await serving.ask(path, payload(), method=method)
    assert answered.status == 404
    assert answered.headers["content-type"] == "application/json"
    assert answered.error["code"] == "not_found"
    assert answered.error["type"] == "invalid_request_error"
    assert answered.error["message"].startswith("Not Found: ")
    assert answered.error["request_id"] == answered.headers["x-request-id"]
    assert upstream.of() == []


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", V1, "POST"),
        ("GET", CODEX, "POST"),
        ("PUT", CODEX, "POST"),
        ("DELETE", V1, "POST"),
        ("PATCH", "/v1/chat/completions", "POST"),
        ("OPTIONS", V1, "POST"),
        ("GET", BASE + "/responses/compact", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("POST", "/v1/models/gpt-5.5", "GET, HEAD"),
        ("POST", BASE + "/models", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("POST", "/backend-api/wham/usage", "GET, HEAD"),
        ("GET", "/backend-api/ps/mcp", "POST"),
        ("BREW", CODEX, "POST"),
    ],
)
@pytest.mark.gen_test
async def test_a_wrong_method_is_not_allowed(serving, method, path, allowed):
    answered = await serving.ask(path, b"{}", method=method)
    assert answered.status == 405
    assert answered.headers["allow"] == allowed
    assert answered.error["code"] == "invalid_request_error"
    assert answered.error["message"] == "Method Not Allowed"


@pytest.mark.parametrize(
    ("path", "status"), [("/nope", 404), ("/v1/models", 405), ("/health", 405)]
)
@pytest.mark.gen_test
async def test_bodies_nobody_wants_are_not_collected(serving, path, status):
    """They are refused by their head alone; the rest is not waited for."""
    reader, writer = await serving.connect()
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
        % path.encode()
    )
    assert b" %d " % status in await reader.readline()
    writer.close()


@pytest.mark.parametrize(
    "path", ["/", "/health", "/health/ready", "/v1/models", "/backend-api/wham/usage"]
)
@pytest.mark.gen_test
async def test_head_is_get_without_a_body(serving, path):
    whole = await serving.get(path)
    head = await serving.ask(path, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-length", "content-type"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.gen_test
async def test_head_opens_no_socket(serving):
    reader, writer = await serving.connect()
    writer.write(
        b"HEAD /v1/responses HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert b" 405 " in await reader.readline()
    assert b"allow: get\r\n" in (await reader.readuntil(b"\r\n\r\n")).lower()
    writer.close()


@pytest.mark.gen_test
async def test_health_says_that_the_process_runs(serving):
    for path in ("/health", "/health/live"):
        answered = await serving.get(path)
        assert (answered.status, answered.json) == (200, {"status": "ok"})


@pytest.mark.gen_test
async def test_ready_says_why_not(serving):
    answered = await serving.get("/health/ready")
    assert (answered.status, answered.json["status"]) == (200, "ok")
    await serving.pause("one", "two")
    answered = await serving.get("/health/ready")
    assert answered.status == 503
    assert answered.json["checks"]["accounts"] == "no account is in service"
    assert answered.json["checks"]["database"] == "ok"
    await serving.gateway.drain(0)
    answered = await serving.get("/health/ready")
    assert answered.json["checks"]["drain"] == "draining"


@pytest.mark.parametrize("path", [BASE + "/models", BASE + "/v1/models"])
@pytest.mark.gen_test
async def test_the_catalogue_is_upstream_s(serving, upstream, path):
    await serving.gateway.catalogues.refresh(serving.account("one"))
    answered = await serving.get(path, params={"client_version": "0.169.0"})
    assert answered.json == {"models": upstream.models}
    given = {"if-none-match": answered.headers["etag"]}
    again = await serving.get(path, headers=given)
    assert (again.status, again.body) == (304, b"")


@pytest.mark.accounts
@pytest.mark.gen_test
async def test_an_unknown_catalogue_is_empty(serving):
    answered = await serving.get(BASE + "/models")
    assert (answered.status, answered.json) == (200, {"models": []})
    answered = await serving.get("/v1/models")
    assert answered.json == {"object": "list", "data": []}


@pytest.mark.gen_test
async def test_sdk_clients_get_the_openai_list_and_codex_its_own(serving, upstream):
    await serving.gateway.catalogues.refresh(serving.account("one"))
    answered = await serving.get("/v1/models")
    assert [model["id"] for model in answered.json["data"]] == [
        "gpt-6.1-sol",
        "gpt-5.5",
        "gpt-5.4-mini",
    ]
    assert answered.json["data"][0]["object"] == "model"
    codex = {"user-agent": "codex_exec/0.169.0 (Debian)"}
    answered = await serving.get("/v1/models", headers=codex)
    assert answered.json == {"models": upstream.models}


@pytest.mark.gen_test
async def test_accounts_check_sends_the_client_where_it_may_go(serving):
    given = {"chatgpt-account-id": "abc"}
    path = "/backend-api/wham/accounts/check"
    answered = await serving.get(path, headers=given)
    (account,) = answered.json["accounts"]
    assert account["id"] == "abc"
    assert account["workspace_backend_origin"] == "https://chatgpt.com"
    assert account["account_routing_override"] == "NO_CONSTRAINT"


@pytest.mark.gen_test
async def test_usage_shows_the_pool_s_windows_only_where_there_are_no_keys(
    serving, upstream
):
    await serving.ask()
    answered = await serving.get("/backend-api/wham/usage")
    window = answered.json["rate_limit"]["primary_window"]
    assert window["limit_window_seconds"] == 18_000
    for stranger in ({"host": "rebound.example"}, {"x-forwarded-for": "127.0.0.1"}):
        seen = await serving.get("/backend-api/wham/usage", headers=stranger)
        assert seen.json["rate_limit"]["primary_window"] != window
    token = await serving.add_key(limits=["tokens 1k/5h"])
    neutral = await serving.get("/backend-api/wham/usage")
    assert neutral.status == 200
    assert neutral.json["rate_limit"]["primary_window"] != window
    own = await serving.get("/backend-api/wham/usage", headers={"x-api-key": token})
    assert own.json["plan_type"] == "api_key"


@pytest.mark.gen_test
async def test_codex_usage_needs_a_login(serving):
    path = "/api/codex/usage"
    answered = await serving.get(path)
    assert (answered.status, answered.error["code"]) == (401, "invalid_api_key")
    answered = await serving.get(path, headers={"authorization": "Bearer x"})
    assert "rate_limit" in answered.json
