"""Which requests are admitted: addresses, Host, origins and keys."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.access import Access
from gateway.admission.client_address import (
    AccessPolicy,
    RequestFacts,
    client_address,
    is_https,
    is_local,
)
from gateway.errors import (
    ForbiddenOrigin,
    GatewayError,
    InvalidApiKey,
)
from gateway.keys.key import KeyRing
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


@pytest.fixture
def open_door():
    """No key was ever made."""
    return Access(SETTINGS, KeyRing())


hostile = st.text() | st.sampled_from(
    [
        "127.0.0.1",
        "[",
        "[::1",
        "http://[",
        "http://[::1]:",
        ",,,",
        "%",
        "::ffff:1.2.3.4",
    ]
)
names = st.sampled_from(
    [
        "host",
        "origin",
        "sec-fetch-site",
        "authorization",
        "x-api-key",
        "x-forwarded-for",
        "x-forwarded-proto",
        "forwarded",
    ]
)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:2455", "[::1]:2455", "[::1]", "::1"]
)
def test_before_any_key_a_local_client_is_served(open_door, peer, host):
    assert open_door.admit(facts(peer, host), NOW) is None


@pytest.mark.parametrize(
    "request_facts",
    [
        facts(peer="203.0.113.9"),
        facts(peer="::ffff:203.0.113.9"),
        facts(peer=""),
        facts(peer="unix:"),
        facts(host=None),
        facts(host=""),
        facts(host="gw.example"),
        facts(host="localhost.evil.example"),
        facts(host="localhost:80@evil"),
        facts(host="localhost,evil"),
        facts(host="127.0.0.1.evil:2455"),
        facts(x_forwarded_for="127.0.0.1"),
        facts(x_forwarded_for=""),
        facts(x_forwarded_host="localhost"),
        facts(x_forwarded_proto="https"),
        facts(forwarded="for=127.0.0.1"),
        facts(x_real_ip="127.0.0.1"),
        facts(true_client_ip="127.0.0.1"),
        facts(cf_connecting_ip="127.0.0.1"),
        facts(via="1.1 tunnel"),
        facts(peer="192.168.1.1", x_forwarded_for="192.168.1.2"),
        facts(peer="10.1.1.1", x_forwarded_for="127.0.0.1"),
    ],
)
def test_before_any_key_everybody_else_is_refused(open_door, request_facts):
    with pytest.raises(InvalidApiKey, match="must be configured before remote access"):
        open_door.admit(request_facts, NOW)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "192.168.0.1:2455",
        "[fd00::1]:2455",
        "gw.example",  # of the public URL
        "GW.example.:2455",
        socket.gethostname(),
        f"{socket.gethostname().partition('.')[0]}.local:2455",
        "codex.lan:80",
    ],
)
@pytest.mark.parametrize("peer", ["192.168.3.4", "::ffff:192.168.3.4"])
def test_before_any_key_listed_networks_are_served_under_known_names(
    open_door, peer, host
):
    assert open_door.admit(facts(peer, host), NOW) is None


@pytest.mark.parametrize(
    "host",
    [
        "pages.evil.example",
        "codex.lan.evil.example",
        "localhost.evil.example:2455",
        "192.168.0.1.evil.example",
        "192.168.0.1@evil",
        "codex.lan,evil",
        "127.1",
        "",
        None,
    ],
)
def test_a_page_that_gave_its_own_name_a_listed_address_is_refused(open_door, host):
    with pytest.raises(InvalidApiKey) as caught:
        open_door.admit(facts("192.168.3.4", host), NOW)
    assert f"'{host or ''}'" in str(caught.value)
    assert "GATEWAY_ALLOWED_HOSTS" in str(caught.value)


def test_a_refused_host_is_named_within_bounds_and_without_what_steers_a_terminal(
    open_door,
):
    with pytest.raises(InvalidApiKey) as caught:
        open_door.admit(facts("192.168.3.4", "\x1b[2J" + "h" * 60_000), NOW)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://192.168.0.1:8080"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_listed_networks_are_refused_a_foreign_origin(open_door, headers):
    with pytest.raises(ForbiddenOrigin):
        open_door.admit(facts("192.168.3.4", "192.168.0.1:2455", **headers), NOW)


def test_a_route_that_always_needs_a_key_needs_it_before_any_was_made(open_door):
    with pytest.raises(InvalidApiKey, match="Missing API key"):
        open_door.admit(facts(route=AccessPolicy.KEY_REQUIRED), NOW)


def test_once_a_key_was_made_local_clients_and_listed_networks_need_one(door):
    for request_facts in (facts(), facts("192.168.3.4", "gw.example")):
        with pytest.raises(InvalidApiKey, match=r"^Missing API key in Authorization"):
            door.admit(request_facts, NOW)


def test_keys_are_needed_after_the_last_one_is_gone():
    ring = make_ring()
    ring.replace([])
    with pytest.raises(InvalidApiKey, match="Missing API key"):
        Access(SETTINGS, ring).admit(facts(), NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {GOOD}"},
        {"authorization": f"bearer   {GOOD} "},
        {"x_api_key": GOOD},
        {"x_api_key": f" {GOOD} ", "authorization": "Bearer a.chatgpt.login"},
        {"x_api_key": " ", "authorization": f"Bearer {GOOD}"},
    ],
)
def test_a_key_comes_as_bearer_or_x_api_key(door, headers):
    assert door.admit(facts("203.0.113.9", "gw.example", **headers), NOW).id == 1


def test_a_wrong_x_api_key_is_not_saved_by_a_good_bearer(door):
    with pytest.raises(InvalidApiKey, match=r"^Invalid API key$"):
        door.admit(bearer(GOOD, x_api_key="wrong"), NOW)


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", f"Basic {GOOD}", GOOD])
def test_an_authorization_without_a_bearer_token_is_a_missing_key(door, value):
    with pytest.raises(InvalidApiKey, match=r"^Missing API key"):
        door.admit(facts(authorization=value), NOW)


@pytest.mark.parametrize(
    "token", ["sk-cgw-unknown", DISABLED, EXPIRED, "ü" * 50, "x" * 100_000]
)
def test_wrong_disabled_and_expired_keys_are_refused_alike(door, token):
    with pytest.raises(InvalidApiKey, match=r"^Invalid API key$") as caught:
        door.admit(bearer(token), NOW)
    assert caught.value.status == 401


def test_a_change_of_the_ring_holds_for_the_next_request():
    ring = make_ring()
    door = Access(SETTINGS, ring)
    assert door.admit(bearer(GOOD), NOW).id == 1
    ring.replace([])
    with pytest.raises(InvalidApiKey):
        door.admit(bearer(GOOD), NOW)


def test_side_calls_need_no_key_and_know_a_good_one(door):
    side = {"route": AccessPolicy.SIDE, "peer": "203.0.113.9", "host": "gw.example"}
    assert door.admit(facts(**side), NOW) is None
    assert door.admit(bearer("a.chatgpt.login", **side), NOW) is None
    assert door.admit(bearer(EXPIRED, **side), NOW) is None
    assert door.admit(bearer(DISABLED, **side), NOW) is None
    assert door.admit(bearer(GOOD, **side), NOW).id == 1


@given(
    hostile,
    st.dictionaries(names, hostile),
    st.sampled_from(AccessPolicy),
    st.booleans(),
    st.booleans(),
)
def test_whatever_is_sent_only_gateway_errors_come_out(
    peer, headers, route, is_upgrade, with_keys
):
    request_facts = RequestFacts(peer, headers, route, is_upgrade)
    door = Access(SETTINGS, make_ring() if with_keys else KeyRing())
    is_https(request_facts, SETTINGS)
    assert len(client_address(request_facts, SETTINGS)) <= 64
    try:
        key = door.admit(request_facts, NOW)
    except GatewayError:
        return
    assert key is None
    assert route is AccessPolicy.SIDE or (not with_keys and is_local(request_facts))
