"""Web pages of another origin are refused, whatever name they give our address."""

from dataclasses import replace

import pytest

from gateway.admission.access import Access
from gateway.admission.client_address import (
    AccessPolicy,
)
from gateway.errors import (
    ForbiddenOrigin,
)
from tests.gateway.admission.requests import (
    GOOD,
    NOW,
    SETTINGS,
    bearer,
    make_ring,
)


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
