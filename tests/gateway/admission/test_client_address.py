"""The client's address and scheme behind trusted proxies."""

import pytest

from gateway.admission.client_address import (
    RequestFacts,
    client_address,
    is_https,
)
from tests.gateway.admission.requests import (
    SETTINGS,
)

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
