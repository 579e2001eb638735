"""Keys, requests and the access rules under test."""

from dataclasses import replace
from ipaddress import ip_network

from gateway.admission.client_address import (
    AccessPolicy,
    RequestFacts,
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
    allowed_hosts=frozenset({"codex.lan"}),
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


def bearer(token, **fields):
    return facts(authorization=f"Bearer {token}", **fields)
