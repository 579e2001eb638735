"""Who may come in: addresses, Host, origins, keys and their failures."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.access import FAILED_KEYS_PER_MINUTE, Access, FailedKeys
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
    TooManyFailedKeys,
)
from gateway.keys.key import Key, KeyRing, digest, prefix
from gateway.settings import Settings

NOW = 1_764_000_000.0
GOOD, EXPIRED, DISABLED = ("sk-cgw-" + letter * 43 for letter in "ged")
SETTINGS = replace(
    Settings.from_env("/nonexistent"),
    trusted_proxies=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")),
    unauthenticated_cidrs=(ip_network("192.168.0.0/16"),),
    public_url="https://gw.example:8443",
)


def make_ring():
    ring = KeyRing()
    ring.replace(
        [
            Key(1, "good", prefix(GOOD), digest(GOOD), 0),
            Key(2, "expired", prefix(EXPIRED), digest(EXPIRED), 0, expires_at=NOW),
            Key(3, "disabled", prefix(DISABLED), digest(DISABLED), 0, disabled=True),
        ]
    )
    return ring


def facts(peer="127.0.0.1", host="localhost:2455", route=AccessPolicy.PROXY, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if host is not None:
        named["host"] = host
    return RequestFacts(peer, named, route)


@pytest.fixture
def open_door():
    """No key was ever made."""
    return Access(SETTINGS, KeyRing())


@pytest.fixture
def door():
    return Access(SETTINGS, make_ring())


def bearer(token, **fields):
    return facts(authorization=f"Bearer {token}", **fields)


# Before any key


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


def test_before_any_key_listed_networks_are_served_whatever_their_host(open_door):
    assert open_door.admit(facts("192.168.3.4", "gw.example"), NOW) is None
    assert open_door.admit(facts("::ffff:192.168.3.4", "gw.example"), NOW) is None


def test_a_route_that_always_needs_a_key_needs_it_before_any_was_made(open_door):
    with pytest.raises(InvalidApiKey, match="Missing API key"):
        open_door.admit(facts(route=AccessPolicy.KEY_REQUIRED), NOW)


# Keys in use


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
    ("token", "message"),
    [
        ("sk-cgw-unknown", "Invalid API key"),
        (DISABLED, "Invalid API key"),
        (EXPIRED, "API key has expired"),
        ("ü" * 50, "Invalid API key"),
        ("x" * 100_000, "Invalid API key"),
    ],
)
def test_wrong_disabled_and_expired_keys_are_refused(door, token, message):
    with pytest.raises(InvalidApiKey, match=f"^{message}$") as caught:
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


# Web pages


@pytest.mark.parametrize("route", list(AccessPolicy))
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:3000"},
        {"origin": "http://localhost"},
        {"origin": "http://localhost:2455.evil.example"},
        {"origin": "http://user@localhost:2455"},
        {"origin": "http://localhost:2455/"},
        {"origin": "localhost:2455"},
        {"origin": "file://"},
        {"origin": "http://localhost:2455,http://evil.example"},
        {"origin": "http://gw.example:8443"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "Cross-Site ", "origin": "http://localhost:2455"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "of-tomorrow"},
    ],
)
def test_another_origin_is_refused_on_every_route(door, route, headers):
    with pytest.raises(ForbiddenOrigin):
        door.admit(bearer(GOOD, route=route, **headers), NOW)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:2455", "http://localhost:2455"),
        ("localhost:2455", "HTTP://LocalHost:2455"),
        ("gw.example", "https://gw.example"),
        ("gw.example", "http://gw.example:80"),
        ("gw.example:443", "https://gw.example"),
        ("[::1]:2455", "http://[::1]:2455"),
        ("127.0.0.1:2455", "https://gw.example:8443"),  # the public URL
    ],
)
def test_the_own_origin_is_let_in(door, host, origin):
    request_facts = bearer(GOOD, host=host, origin=origin, sec_fetch_site="same-origin")
    assert door.admit(request_facts, NOW).id == 1


def test_without_a_public_url_a_broken_origin_is_still_foreign():
    door = Access(replace(SETTINGS, public_url=""), make_ring())
    for host, origin in [("", "http://"), (None, "http://a"), ("a:99999999", "://")]:
        with pytest.raises(ForbiddenOrigin):
            door.admit(bearer(GOOD, host=host, origin=origin), NOW)


# Failed attempts


def fail(door, times, now=NOW, **fields):
    errors = []
    for number in range(times):
        with pytest.raises(GatewayError) as caught:
            door.admit(bearer(f"wrong-{number}", **fields), now)
        errors.append(type(caught.value))
    return errors


def test_a_peer_with_many_wrong_keys_is_slowed_down_and_recovers(door):
    allowed = [InvalidApiKey] * FAILED_KEYS_PER_MINUTE
    assert fail(door, FAILED_KEYS_PER_MINUTE + 2) == [
        *allowed,
        *[TooManyFailedKeys] * 2,
    ]
    assert fail(door, 2, NOW + 6) == [InvalidApiKey, TooManyFailedKeys]
    assert fail(door, FAILED_KEYS_PER_MINUTE, NOW + 3600) == allowed


def test_the_refusal_says_how_long_to_wait(door):
    fail(door, FAILED_KEYS_PER_MINUTE)
    with pytest.raises(TooManyFailedKeys) as caught:
        door.admit(bearer("wrong"), NOW)
    assert caught.value.headers(codex=False) == {"retry-after": "6"}


def test_a_good_key_behind_the_same_address_still_passes(door):
    fail(door, 100)
    assert door.admit(bearer(GOOD), NOW).id == 1


def test_a_missing_or_expired_key_is_not_a_failed_attempt(door):
    for _ in range(100):
        with pytest.raises(InvalidApiKey):
            door.admit(facts(), NOW)
        with pytest.raises(InvalidApiKey):
            door.admit(bearer(EXPIRED), NOW)


def test_a_handshake_is_answered_401_even_then(door):
    fail(door, 100)
    with pytest.raises(InvalidApiKey):
        door.admit(replace(bearer("wrong"), is_upgrade=True), NOW)


def test_peers_are_told_apart_behind_a_trusted_proxy(door):
    fail(door, 100, peer="10.0.0.1", x_forwarded_for="203.0.113.1")
    assert fail(door, 1, peer="10.0.0.1", x_forwarded_for="203.0.113.2") == [
        InvalidApiKey
    ]


def test_the_addresses_of_one_ipv6_network_count_together(door):
    fail(door, 100, peer="2001:db8::1")
    assert fail(door, 1, peer="2001:db8::2") == [TooManyFailedKeys]
    assert fail(door, 1, peer="2001:db8:0:1::2") == [InvalidApiKey]


def test_a_flood_from_many_addresses_takes_bounded_memory():
    failed = FailedKeys()
    for number in range(10_000):
        failed.count(str(number), NOW)
    assert len(failed._left) == 4096


def test_a_clock_that_steps_back_neither_frees_nor_locks_a_peer():
    failed = FailedKeys(per_minute=1)
    assert failed.count("a", NOW) == 0
    assert 0 < failed.count("a", NOW - 3600) <= 60
    assert failed.count("a", NOW - 3540) == 0


# Behind proxies


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", "1.1.1.1", "203.0.113.9"),  # nobody we trust says so
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9,1.1.1.1:4711", "1.1.1.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("fd00::1%eth0", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "1.1.1.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "1.1.1.1, nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("", "1.1.1.1", "unix"),
        ("x" * 100, None, "x" * 64),
    ],
)
def test_the_client_is_the_nearest_address_no_trusted_proxy_has(
    peer, forwarded, address
):
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    assert client_address(RequestFacts(peer, headers), SETTINGS) == address


@pytest.mark.parametrize(
    ("peer", "proto", "https"),
    [
        ("10.0.0.1", "https", True),
        ("10.0.0.1", "http, HTTPS ", True),
        ("10.0.0.1", "https, http", False),
        ("10.0.0.1", "", False),
        ("203.0.113.9", "https", False),
        ("", "https", False),
    ],
)
def test_only_a_trusted_proxy_can_say_that_the_client_uses_tls(peer, proto, https):
    assert is_https(RequestFacts(peer, {"x-forwarded-proto": proto}), SETTINGS) is https


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
