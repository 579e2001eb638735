"""What a trusted page's browser gets to see, over real sockets."""

import aiohttp
import pytest

from tests.serving import CHAT, V1, payload, turn_on

APP = "https://app.example"
PAGE = {"origin": APP, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
ASKING = {
    **PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os",
}
trusting = pytest.mark.settings(allowed_origins=frozenset({APP}))


@trusting
@pytest.mark.parametrize("path", [V1, CHAT, "/v1/models", "/v1/nope"])
@pytest.mark.gen_test
async def test_a_preflight_is_answered_without_a_key(serving, upstream, path):
    await serving.add_key()
    answered = await serving.ask(path, b"", method="OPTIONS", headers=ASKING)
    assert (answered.status, answered.body) == (204, b"")
    assert answered.headers["access-control-allow-origin"] == APP
    assert "POST" in answered.headers["access-control-allow-methods"]
    allowed = answered.headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "*"} <= set(allowed)
    assert answered.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answered.headers
    assert upstream.of() == []


@trusting
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/backend-api/codex/responses", {}, 403),
        ("/api/keys", {}, 403),
        ("/health", {}, 403),
        (V1, {"origin": "https://evil.example"}, 403),
        (V1, {"origin": "null"}, 403),
    ],
)
@pytest.mark.gen_test
async def test_other_preflights_are_refused(serving, path, headers, status):
    answered = await serving.ask(
        path, b"", method="OPTIONS", headers={**ASKING, **headers}
    )
    assert answered.status == status
    assert "access-control-allow-origin" not in answered.headers
    assert "access-control-allow-methods" not in answered.headers


@trusting
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.gen_test
async def test_a_turn_of_a_page_may_be_read_by_it(serving, upstream, stream):
    token = await serving.add_key(rpm=10)
    given = {**PAGE, "authorization": f"Bearer {token}"}
    answered = await serving.ask(V1, payload(stream=stream), headers=given)
    assert answered.status == 200
    assert answered.headers["access-control-allow-origin"] == APP
    exposed = answered.headers["access-control-expose-headers"].split(", ")
    seen = {name for name in answered.headers if name.startswith("x-ratelimit-")}
    assert seen | {"x-request-id", "retry-after"} <= set(exposed)
    assert "origin" not in upstream.of()[0].headers


@trusting
@pytest.mark.parametrize(
    ("headers", "status"), [({}, 401), ({"x-api-key": "sk-cgw-wrong"}, 401)]
)
@pytest.mark.gen_test
async def test_a_page_reads_why_it_was_refused(serving, upstream, headers, status):
    """Without a key it is refused even where local clients need none."""
    answered = await serving.ask(V1, headers={**PAGE, **headers})
    assert answered.status == status
    assert answered.error["code"] == "invalid_api_key"
    assert answered.headers["access-control-allow-origin"] == APP
    assert upstream.of() == []


@trusting
@pytest.mark.gen_test
async def test_caches_learn_that_answers_differ_by_origin(serving):
    assert (await serving.get("/v1/models")).headers["vary"] == "Origin"
    assert "vary" not in (await serving.get("/health")).headers


@trusting
@pytest.mark.gen_test
async def test_a_socket_of_a_page_needs_a_key_too(serving):
    token = await serving.add_key()
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await serving.socket(V1, headers=PAGE)
    assert refused.value.status == 401
    async with serving.socket(V1, headers={**PAGE, "x-api-key": token}) as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    foreign = {"origin": "https://evil.example", "x-api-key": token}
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await serving.socket(V1, headers=foreign)
    assert refused.value.status == 403


@pytest.mark.gen_test
async def test_without_the_setting_no_page_is_trusted(serving):
    token = await serving.add_key()
    for method in ("POST", "OPTIONS"):
        given = {**ASKING, "authorization": f"Bearer {token}"}
        answered = await serving.ask(V1, payload(), method=method, headers=given)
        assert answered.status == 403
        assert not {name for name in answered.headers if "access-control" in name}
