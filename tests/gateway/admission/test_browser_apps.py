"""Browser apps the owner trusts: which origins, where, and only with a key."""

from dataclasses import replace

import pytest
from environs import EnvValidationError

from gateway.admission.access import Access
from gateway.admission.client_address import AccessPolicy
from gateway.admission.origins import cors_headers
from gateway.errors import ForbiddenOrigin, InvalidApiKey
from gateway.keys.key import KeyRing
from gateway.settings import Settings
from tests.gateway.admission.requests import (
    DISABLED,
    EXPIRED,
    GOOD,
    NOW,
    SETTINGS,
    bearer,
    facts,
    make_ring,
)

APP = "https://app.example"
TRUSTING = replace(SETTINGS, allowed_origins=frozenset({APP, "http://localhost:5173"}))


def from_app(made, path="/v1/responses"):
    made.path = path
    return made


@pytest.mark.parametrize("origin", [APP, "http://localhost:5173"])
def test_a_trusted_page_comes_in_with_its_key(origin):
    door = Access(TRUSTING, make_ring())
    page = bearer(GOOD, origin=origin, sec_fetch_site="cross-site")
    assert door.admit(from_app(page), NOW).id == 1


@pytest.mark.parametrize("policy", [AccessPolicy.PROXY, AccessPolicy.SIDE])
@pytest.mark.parametrize("ring", [KeyRing(), make_ring()], ids=["no key made", "keys"])
def test_a_trusted_page_needs_a_key_where_local_clients_need_none(ring, policy):
    door = Access(TRUSTING, ring)
    page = from_app(facts(route=policy, origin=APP))
    with pytest.raises(InvalidApiKey):
        door.admit(page, NOW)
    for token in (EXPIRED, DISABLED, "sk-cgw-unknown"):
        page = from_app(bearer(token, route=policy, origin=APP))
        with pytest.raises(InvalidApiKey):
            door.admit(page, NOW)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/responses",
        "/backend-api/codex/responses",
        "/api/keys",
        "/health",
    ],
)
def test_it_is_foreign_elsewhere(path):
    door = Access(TRUSTING, make_ring())
    with pytest.raises(ForbiddenOrigin):
        door.admit(from_app(bearer(GOOD, origin=APP), path), NOW)


@pytest.mark.parametrize(
    "origin",
    [
        *("http://app.example", "https://app.example:8443", "https://app.example/"),
        *("https://app.example.evil.example", "https://evil-app.example", "null", ""),
        *("https://sub.app.example", "http://localhost:5174", "http://localhost"),
        *("https://app.example, https://evil.example", "https://user@app.example"),
    ],
)
@pytest.mark.parametrize("policy", list(AccessPolicy))
def test_origins_that_look_alike_are_foreign(origin, policy):
    door = Access(TRUSTING, make_ring())
    page = from_app(bearer(GOOD, route=policy, origin=origin))
    with pytest.raises(ForbiddenOrigin):
        door.admit(page, NOW)
    assert cors_headers(page, TRUSTING) == {"vary": "Origin"}


def test_a_page_without_an_origin_is_known_by_where_it_comes_from():
    """As a picture or a script: no answer of theirs is any page's to read."""
    door = Access(TRUSTING, make_ring())
    page = from_app(bearer(GOOD, sec_fetch_site="cross-site"))
    with pytest.raises(ForbiddenOrigin):
        door.admit(page, NOW)


@pytest.mark.parametrize("origin", [APP, "https://evil.example"])
def test_without_the_setting_nothing_is_said_of_origins(origin):
    assert cors_headers(from_app(facts(origin=origin)), SETTINGS) == {}


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", set()),
        (" https://app.example , ", {APP}),
        ("HTTPS://App.Example:443", {APP}),
        ("https://app.example:8443", {"https://app.example:8443"}),
        ("http://localhost:80", {"http://localhost"}),
        ("http://127.0.0.1:3000,http://[::1]:3000", None),
    ],
)
def test_origins_are_read_as_browsers_write_them(monkeypatch, text, origins):
    monkeypatch.setenv("GATEWAY_ALLOWED_ORIGINS", text)
    found = Settings.from_env("/nonexistent").allowed_origins
    assert found == (set(text.split(",")) if origins is None else origins)


@pytest.mark.parametrize(
    "wrong",
    [
        *("*", "https://*", "https://*.app.example", "https://app.example/"),
        *("https://app.example/chat", "app.example", "null", "file://", "ftp://a"),
        *("http://app.example", "http://192.168.1.5:3000", "http://localhost.evil"),
        *("https://user@app.example", "https://app.example:", "https://app.example?"),
        *("https://b\u00fccher.example", "https://a b", "https://app.example:123456"),
    ],
)
def test_what_is_no_exact_origin_is_refused_with_what_to_write(monkeypatch, wrong):
    monkeypatch.setenv("GATEWAY_ALLOWED_ORIGINS", f"{APP},{wrong}")
    with pytest.raises(EnvValidationError) as caught:
        Settings.from_env("/nonexistent")
    (told,) = caught.value.error_messages["GATEWAY_ALLOWED_ORIGINS"]
    assert ascii(wrong) in told
    assert "https" in told
