"""Endpoints are for programs: they take no cookie, no web page, and no plain http."""

from ipaddress import ip_network
from itertools import product

import pytest

from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.oauth.conftest import refused

METADATA = "/.well-known/oauth-authorization-server"
PATHS = ["/oauth/token", "/oauth/device", "/oauth/revoke"]


@pytest.mark.settings(allowed_origins=("https://app.example",))
@pytest.mark.gen_test
async def test_every_web_page_is_refused(client):
    origins = ("https://evil.example", "null", "https://app.example")
    pages = [{"origin": one} for one in (client.serving.base_url, *origins)]
    pages.append({"sec-fetch-site": "cross-site"})
    for path, page in product(PATHS, pages):
        answered = await client.post(path, headers=page)
        assert refused(answered, "invalid_request", 403)
        assert not [name for name in answered.headers if name.startswith("access-")]
    preflight = {**pages[1], "access-control-request-method": "POST"}
    answered = await client.serving.ask(
        PATHS[0], b"", method="OPTIONS", headers=preflight
    )
    assert answered.status == 403


@pytest.mark.gen_test
async def test_a_session_opens_nothing_and_none_is_made(client):
    browser = await signed_in(client.serving, name="owner")
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    answered = await client.token("refresh_token", headers={"cookie": cookies})
    assert refused(answered, "invalid_request")
    assert "set-cookie" not in answered.headers


@pytest.mark.gen_test
async def test_parameters_stand_in_the_body_which_is_small(client):
    for path in PATHS:
        assert refused(await client.post(f"{path}?client_id=codex"), "invalid_request")
        large = await client.post(path, {"token": "x" * 8192})
        assert refused(large, "invalid_request", 413)
        answered = await client.serving.get(path)
        assert refused(answered, "invalid_request", 405)
        assert answered.headers["allow"] == "POST"


@pytest.mark.settings(trusted_proxies=(ip_network("127.0.0.1"),))
@pytest.mark.gen_test
async def test_over_the_network_it_is_https(client):
    plain = {"x-forwarded-for": "192.0.2.1", "x-forwarded-proto": "http"}
    tls = {**plain, "x-forwarded-proto": "https"}
    for path in PATHS:
        assert refused(await client.post(path, headers=plain), "invalid_request", 403)
        assert (await client.post(path, headers=tls)).status in (200, 400)


@pytest.mark.settings(public_url="https://gw.example")
@pytest.mark.gen_test
async def test_the_metadata_name_the_public_url(client):
    told = (await client.serving.get(METADATA)).json
    assert told["issuer"] == "https://gw.example"
    assert told["token_endpoint"] == "https://gw.example/oauth/token"
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["token_endpoint_auth_methods_supported"] == ["none"]
    asked = (await client.begin()).json
    assert asked["verification_uri"] == "https://gw.example/device"
    page = {"origin": "https://gw.example"}
    assert (await client.serving.get(METADATA, headers=page)).status == 403
