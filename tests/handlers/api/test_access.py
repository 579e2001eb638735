"""Who may come in, end to end."""

import json
from ipaddress import ip_network

import pytest

from gateway.admin import keys
from gateway.demo.events import ScriptedTurn
from gateway.store.models import ApiKeyRow
from tests.serving import CHAT, CODEX, V1, payload

ANYWHERE = [CODEX, V1, CODEX + "/compact", CHAT, "/backend-api/codex/alpha/search"]


def chat():
    return {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hi"}]}


async def assert_refused(answered, status, code, upstream):
    assert answered.status == status
    assert answered.error["code"] == code
    assert answered.error["request_id"] == answered.headers["x-request-id"]
    assert [r for r in upstream.requests if r.route not in ("models", "usage")] == []


@pytest.mark.parametrize("path", ANYWHERE)
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "gateway.example.com"},
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-proto": "https"},
        {"forwarded": "for=127.0.0.1"},
        {"x-real-ip": "10.1.1.1"},
        {"cf-connecting-ip": "10.1.1.1"},
    ],
)
@pytest.mark.gen_test
async def test_strangers_need_a_key_to_have_been_made(serving, upstream, path, headers):
    answered = await serving.ask(path, headers=headers)
    await assert_refused(answered, 401, "invalid_api_key", upstream)
    assert answered.error["message"] == (
        "Proxy authentication must be configured before remote access is allowed"
    )


@pytest.mark.parametrize("path", [*ANYWHERE, "/v1/models", "/health", "/v1/nope"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.gen_test
async def test_a_web_page_is_refused_on_every_route(serving, upstream, path, headers):
    for method in ("GET", "POST"):
        answered = await serving.ask(path, method=method, headers=headers)
        await assert_refused(answered, 403, "forbidden_origin", upstream)


@pytest.mark.gen_test
async def test_a_page_of_the_gateway_s_own_may_call(serving):
    origin = {"origin": serving.base_url, "sec-fetch-site": "same-origin"}
    assert (await serving.ask(headers=origin)).status == 200


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_a_key_comes_in_by_either_header(serving, upstream, path):
    token = await serving.add_key()
    for headers in (
        {"authorization": f"Bearer {token}"},
        {"x-api-key": token},
        {"x-api-key": token, "authorization": "Bearer the-client-s-own-login"},
        {"x-api-key": token, "x-forwarded-for": "203.0.113.7", "host": "example.com"},
    ):
        assert (await serving.ask(path, headers=headers)).status == 200
    sent = upstream.accounts["one"].access_token
    assert {r.headers["authorization"] for r in upstream.of()} == {f"Bearer {sent}"}
    assert all("x-api-key" not in received.headers for received in upstream.of())
    rows = await serving.rows(4)
    (key,) = serving.gateway.ring
    assert {row["api_key_id"] for row in rows} == {key.id}


@pytest.mark.parametrize("path", ANYWHERE)
@pytest.mark.gen_test
async def test_no_key_is_a_401_once_keys_are_in_use(serving, upstream, path):
    await serving.add_key()
    answered = await serving.ask(path)
    await assert_refused(answered, 401, "invalid_api_key", upstream)
    assert answered.error["type"] == "authentication_error"
    await serving.rows(0)


@pytest.mark.gen_test
async def test_wrong_disabled_expired_and_rotated_keys(serving, upstream):
    token = await serving.add_key()

    async def refused(given=token):
        answered = await serving.ask(headers={"authorization": f"Bearer {given}"})
        await assert_refused(answered, 401, "invalid_api_key", upstream)
        return answered.error["message"]

    assert await refused("sk-cgw-wrong") == "Invalid API key"
    assert await refused(token + "x") == "Invalid API key"
    await serving.change_key(disabled=True)
    assert await refused() == "Invalid API key"
    await serving.change_key(disabled=False)
    await serving.gateway.store.write(
        lambda: ApiKeyRow.update(expires_at=1_000).execute()
    )
    await serving.gateway.reload()
    assert await refused() == "Invalid API key"


@pytest.mark.gen_test
async def test_who_guesses_keys_is_slowed_down_and_a_good_key_is_not(serving):
    token = await serving.add_key()
    wrong = {"authorization": "Bearer sk-cgw-guess"}
    statuses = [(await serving.ask(headers=wrong)).status for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert (await serving.ask(headers={"x-api-key": token})).status == 200


@pytest.mark.gen_test
async def test_the_last_key_gone_keys_are_needed_still(serving, upstream):
    await serving.add_key()
    await serving.gateway.store.write(keys.remove_key, "key", "test")
    await serving.gateway.reload()
    await assert_refused(await serving.ask(), 401, "invalid_api_key", upstream)
    await serving.restart()
    await assert_refused(await serving.ask(), 401, "invalid_api_key", upstream)


@pytest.mark.gen_test
async def test_a_restricted_key_gets_its_models_only(serving, upstream):
    token = await serving.add_key(models=["gpt-5.4*"])
    key = {"x-api-key": token}
    answered = await serving.ask(headers=key)
    await assert_refused(answered, 403, "model_not_allowed", upstream)
    assert answered.error["type"] == "permission_error"
    assert "gpt-5.5" in answered.error["message"]
    allowed = payload(model="gpt-5.4-mini")
    assert (await serving.ask(body=allowed, headers=key)).status == 200
    answered = await serving.ask(CHAT, chat(), headers=key)
    assert (answered.status, answered.error["code"]) == (403, "model_not_allowed")
    listed = await serving.get("/v1/models", headers=key)
    assert {model["id"] for model in listed.json["data"]} <= {"gpt-5.4-mini"}
    image = {"model": "gpt-image-2", "prompt": "x"}
    path = "/backend-api/codex/images/generations"
    answered = await serving.ask(path, image, headers=key)
    assert (answered.status, answered.error["code"]) == (403, "model_not_allowed")
    rows = await serving.rows(4)
    assert {row["error_code"] for row in rows} == {None, "model_not_allowed"}


@pytest.mark.gen_test
async def test_a_second_model_in_the_bytes_does_not_slip_past(serving, upstream):
    token = await serving.add_key(models=["gpt-5.4*"])
    tail = json.dumps(payload(model="gpt-5.4-mini")).encode()[1:]  # nothing to change
    assert tail.startswith(b'"model": "gpt-5.4-mini"')
    for first in ("gpt-5.5", "gpt-5.4-mini"):
        body = b'{"model": "%b", ' % first.encode() + tail
        answered = await serving.ask(body=body, headers={"x-api-key": token})
        assert answered.status == 200
    for received in upstream.of():
        assert received.body.count(b'"model"') == 1
        assert received.payload["model"] == "gpt-5.4-mini"


@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_what_a_key_enforces_is_what_goes_upstream(serving, upstream, path):
    token = await serving.add_key(
        models=["gpt-5.4-mini"],
        enforce_model="gpt-5.4-mini",
        enforce_effort="low",
        enforce_tier="fast",
    )
    body = chat() if path == CHAT else payload(reasoning={"effort": "high"})
    answered = await serving.ask(path, body, headers={"x-api-key": token})
    assert answered.status == 200
    sent = upstream.of()[0].payload
    assert sent["model"] == "gpt-5.4-mini"
    assert sent["reasoning"]["effort"] == "low"
    assert sent["service_tier"] == "priority"
    (row,) = await serving.rows()
    assert row["model"] == "gpt-5.4-mini"
    assert row["requested_model"] == "gpt-5.5"
    assert row["changes"]


@pytest.mark.parametrize(
    ("told", "passes"), [("gpt-5.4-mini", False), ("gpt-5.5", True)]
)
@pytest.mark.gen_test
async def test_codex_hears_of_no_model_that_it_did_not_ask_for(
    serving, upstream, told, passes
):
    token = await serving.add_key(enforce_model="gpt-5.4-mini")
    made = ScriptedTurn().text("hi").completed().answer(headers={"openai-model": told})
    upstream.answer(made)
    answered = await serving.ask(headers={"x-api-key": token})
    assert ("openai-model" in answered.headers) is passes


@pytest.mark.gen_test
async def test_a_key_bound_to_an_account_uses_no_other(serving, upstream):
    token = await serving.add_key(accounts=["two"])
    key = {"x-api-key": token}
    await serving.ask(headers=key)
    assert upstream.of()[0].account == "two"
    await serving.pause("two")
    answered = await serving.ask(headers=key)
    assert (answered.status, answered.error["code"]) == (400, "accounts_paused")


@pytest.mark.gen_test
async def test_networks_that_need_no_key_are_the_socket_s_own(serving, upstream):
    own = (ip_network("127.0.0.0/8"),)
    name = "gateway.example.com"
    await serving.restart(unauthenticated_cidrs=own, allowed_hosts=frozenset({name}))
    remote = {"host": name}
    assert (await serving.ask(headers=remote)).status == 200
    refused = await serving.ask(headers={"host": "pages.example.com"})
    assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
    assert "'pages.example.com'" in refused.error["message"]
    assert "GATEWAY_ALLOWED_HOSTS" in refused.error["message"]
    forwarded = remote | {"x-forwarded-for": "127.0.0.1"}
    assert (await serving.ask(headers=forwarded)).status == 401
    await serving.add_key()
    assert (await serving.ask(headers=remote)).status == 401


@pytest.mark.gen_test
async def test_the_log_has_the_address_a_trusted_proxy_tells(serving):
    await serving.restart(trusted_proxies=(ip_network("127.0.0.1"),))
    key = {"x-api-key": await serving.add_key()}
    await serving.ask(headers=key | {"x-forwarded-for": "10.9.9.9, 203.0.113.7"})
    (row,) = await serving.rows()
    assert row["client_address"] == "203.0.113.7"
    check = await serving.get(
        "/backend-api/wham/accounts/check", headers={"x-forwarded-proto": "https"}
    )
    (account,) = check.json["accounts"]
    assert account["workspace_backend_origin"] == "NO_CONSTRAINT"
