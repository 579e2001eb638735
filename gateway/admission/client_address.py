"""The client of a request: its address behind proxies, and whether it is local.

Only what a trusted proxy appended to the forwarding headers is believed.
"""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from gateway.settings import Settings
from gateway.settings.parsers import Network

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
# Who sends one of these, or any X-Forwarded-*, is not the client itself.
_FORWARDING = frozenset(
    {
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-forwarded-for",
        "x-envoy-external-address",
        "true-client-ip",
        "cf-connecting-ip",
        "cf-connecting-ipv6",
        "fastly-client-ip",
        "fly-client-ip",
    }
)
AUTHORITY = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|[^\s:/?#@\[\],]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII
)
# More hops than any real chain of proxies has.
_MOST_HOPS = 32
_LONGEST_ADDRESS = 64  # of the log's column
_LONGEST_HOST = 100  # that a refusal names

_Address = IPv4Address | IPv6Address


class AccessPolicy(StrEnum):
    """What a route requires of its clients."""

    PROXY = "proxy"  # a key once keys are in use; before that, a local client
    SIDE = "side"  # nothing: answered locally, without data of any account
    KEY_REQUIRED = "key-required"  # a valid key, always
    PREFLIGHT = "preflight"  # a trusted page's origin: a browser sends no key with it


@dataclass(slots=True)
class RequestFacts:
    """What the head of a request says about its client."""

    peer: str  # the socket's address; "" for a Unix socket
    headers: Mapping[str, str]  # lower-case names
    policy: AccessPolicy = AccessPolicy.PROXY
    is_upgrade: bool = False
    path: str = ""
    device_id: int | None = None  # that was admitted; set by who admits it

    @property
    def host(self) -> str:
        return self.headers.get("host", "").strip().lower()

    @property
    def host_name(self) -> str:
        """The Host without its port; what is no host stays as it is."""
        match = AUTHORITY.fullmatch(self.host)
        return self.host if match is None else match["host"]


def is_loopback(host: str) -> bool:
    """Whether an address, or the one name for it, is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name may stand for any address, "" for all


def is_local(facts: RequestFacts) -> bool:
    """Whether the client is on this machine, as far as can be known.

    The Host counts as well: a web page may have its own name resolve to our address.
    """
    peer = _address(facts.peer)
    if peer is None or not peer.is_loopback or _is_forwarded(facts.headers):
        return False
    return facts.host_name in _LOCAL_HOSTS


def is_known_without_key(facts: RequestFacts, settings: Settings) -> bool:
    """Whether a client is admitted as long as no key was ever made."""
    return is_local(facts) or (
        _is_listed(facts, settings) and _is_known_host(facts, settings)
    )


def why_key_needed(facts: RequestFacts, settings: Settings) -> str:
    """What to say to a client that is not known without a key, and has none."""
    if not _is_listed(facts, settings):
        return "Proxy authentication must be configured before remote access is allowed"
    shown = "".join(c if c.isprintable() else "?" for c in facts.host[:_LONGEST_HOST])
    return (
        f"The Host '{shown}' is no known name of this gateway: use an address, add "
        "the name to GATEWAY_ALLOWED_HOSTS, or make an API key"
    )


def _is_known_host(facts: RequestFacts, settings: Settings) -> bool:
    """Whether the Host is an address or a name of ours: no page can have either.

    A web page's own name may resolve to our address; the browser then takes us for
    the page's own server and sends no foreign origin.
    """
    name = facts.host_name.removesuffix(".")
    if name in _LOCAL_HOSTS or _address(name.strip("[]")) is not None:
        return True
    public = urlsplit(settings.public_url).hostname
    return name != "" and name in {public, *settings.allowed_hosts, *_own_names()}


def _is_listed(facts: RequestFacts, settings: Settings) -> bool:
    """Whether the socket's peer is in a network that needs no key."""
    return _is_within(
        _address(facts.peer), settings.unauthenticated_cidrs
    ) and not _is_forwarded(facts.headers)


@lru_cache(maxsize=1)
def _own_names() -> frozenset[str]:
    """This machine's names: its own word, no name service's."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return frozenset({name, short, f"{short}.local"})


def client_address(facts: RequestFacts, settings: Settings) -> str:
    """The address for the log: the nearest one that is no trusted proxy's.

    X-Forwarded-For is read right to left: each proxy appends the address it saw,
    and everything further left may be the client's invention.
    """
    forwarded = facts.headers.get("x-forwarded-for")
    address = _address(facts.peer)
    if forwarded is None or address is None:
        return _peer_as_logged(facts.peer)
    chain = forwarded.rsplit(",", _MOST_HOPS)
    for hop in reversed(chain[-_MOST_HOPS:]):
        if not _is_within(address, settings.trusted_proxies):
            break
        seen = _address(_without_port(hop.strip()))
        if seen is None:
            break
        address = seen
    return str(address)[:_LONGEST_ADDRESS]


def is_https(facts: RequestFacts, settings: Settings) -> bool:
    """Whether the client uses TLS, according to a trusted proxy."""
    if not _is_within(_address(facts.peer), settings.trusted_proxies):
        return False
    nearest = facts.headers.get("x-forwarded-proto", "").rsplit(",", 1)[-1]
    return nearest.strip().lower() in {"https", "wss"}


def client_network(facts: RequestFacts, settings: Settings) -> str:
    """The address that attempts are counted by: one IPv6 client has a whole /64."""
    return _network_of(client_address(facts, settings))


@lru_cache(maxsize=1024)
def _network_of(text: str) -> str:
    address = _address(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return text


def _is_forwarded(headers: Mapping[str, str]) -> bool:
    return any(
        name in _FORWARDING or name.startswith("x-forwarded") for name in headers
    )


def is_peer_within(peer: str, networks: tuple[Network, ...]) -> bool:
    """Whether a socket's peer is in one of the networks."""
    return _is_within(_address(peer), networks)


def _is_within(address: _Address | None, networks: tuple[Network, ...]) -> bool:
    return address is not None and any(address in network for network in networks)


def _address(text: str) -> _Address | None:
    """An IPv4 address mapped into IPv6 is the IPv4 address; zones are dropped."""
    return _parsed(text) if len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=1024)
def _parsed(text: str) -> _Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=1024)
def _peer_as_logged(peer: str) -> str:
    address = _address(peer)
    return str(peer if address is None else address)[:_LONGEST_ADDRESS] or "unix"


def _without_port(hop: str) -> str:
    """Drop the port of "1.2.3.4:80" and "[::1]:80", which some proxies write."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
