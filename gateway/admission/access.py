"""Who may come in, decided from a request's address and headers alone.

Nothing here reads a body, waits or raises anything but a GatewayError: it runs in
front of everything, on whatever a stranger sends.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from gateway.errors import ForbiddenOrigin, InvalidApiKey, TooManyFailedKeys
from gateway.keys.key import Key, KeyRing
from gateway.settings import Network, Settings

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
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What browsers say of requests that no page of another origin has made; "" is no
# browser. A page on another port of this machine is of another origin, too, and
# for a picture or a script it sends no Origin: "same-site" is all that tells.
_NO_FOREIGN_PAGE = frozenset({"", "same-origin", "none"})
_AUTHORITY = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|[^\s:/?#@\[\],]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII
)
# More hops than any real chain; a longer one is somebody playing.
_MOST_HOPS = 32
_LONGEST_ADDRESS = 64  # of the log's column

# A person who mistypes or a client with a stale key stays below ten a minute.
FAILED_KEYS_PER_MINUTE = 10
# About 1 MB of memory; a flood from more addresses evicts the calmest ones.
_MOST_PEERS = 4096

_Address = IPv4Address | IPv6Address


class AccessPolicy(StrEnum):
    """What a route asks of its callers."""

    PROXY = "proxy"  # a key once keys are in use; before that, a local client
    SIDE = "side"  # nothing: answered locally, with nobody's numbers
    KEY_REQUIRED = "key-required"  # a valid key, always


@dataclass(slots=True)
class RequestFacts:
    """What is known of a request before its body."""

    peer: str  # the socket's address; "" for a Unix socket
    headers: Mapping[str, str]  # lower-case names
    route: AccessPolicy = AccessPolicy.PROXY
    is_upgrade: bool = False

    @property
    def host(self) -> str:
        return self.headers.get("host", "").strip().lower()


class FailedKeys:
    """Wrong keys per peer: a bucket of ten that refills within a minute."""

    def __init__(self, per_minute: int = FAILED_KEYS_PER_MINUTE) -> None:
        self._per_minute = per_minute
        # peer → (attempts left, when that was so), the calmest peer first
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def note(self, peer: str, now: float) -> float:
        """Count one wrong key; seconds the peer is to wait, 0 when it is in time."""
        left, since = self._left.pop(peer, (float(self._per_minute), now))
        rate = self._per_minute / 60
        left = min(self._per_minute, left + max(0.0, now - since) * rate)
        wait = 0.0 if left >= 1 else (1 - left) / rate
        self._left[peer] = (left if wait else left - 1, now)
        if len(self._left) > _MOST_PEERS:
            self._left.popitem(last=False)
        return wait

    def __len__(self) -> int:
        return len(self._left)


class Access:
    """The door: one verdict per request."""

    def __init__(self, settings: Settings, ring: KeyRing) -> None:
        self._settings = settings
        self._ring = ring
        self._failed = FailedKeys()

    def admit(self, facts: RequestFacts, now: float) -> Key | None:
        """The key a request comes with, None where it needs none.

        Raises ForbiddenOrigin, InvalidApiKey or TooManyFailedKeys. `now` is in
        unix seconds.
        """
        check_origin(facts, self._settings)
        if facts.route is AccessPolicy.SIDE:
            return self._present_key(facts, now)
        if facts.route is AccessPolicy.PROXY and not self._ring.ever_made:
            if is_known_without_key(facts, self._settings):
                return None
            raise InvalidApiKey(
                "Proxy authentication must be configured before "
                "remote access is allowed"
            )
        return self._valid_key(facts, now)

    def _present_key(self, facts: RequestFacts, now: float) -> Key | None:
        # The token here is often the client's own ChatGPT login: no failure.
        key = self._ring.find(presented_token(facts.headers) or "")
        return None if key is None or key.disabled or key.is_expired(now) else key

    def _valid_key(self, facts: RequestFacts, now: float) -> Key:
        token = presented_token(facts.headers)
        if token is None:
            raise InvalidApiKey("Missing API key in Authorization header")
        key = self._ring.find(token)
        if key is None:
            # Only after the lookup: a good key passes whatever its neighbours
            # behind the same address present.
            wait = self._failed.note(_counted_as(facts, self._settings), now)
            # A handshake is never answered 429: clients would retry it at once.
            if wait and not facts.is_upgrade:
                raise TooManyFailedKeys(retry_after=wait)
            raise InvalidApiKey
        if key.disabled:
            raise InvalidApiKey
        if key.is_expired(now):
            raise InvalidApiKey("API key has expired")
        return key


def check_origin(facts: RequestFacts, settings: Settings) -> None:
    """Refuse what a web page of another origin makes a browser send."""
    site = facts.headers.get("sec-fetch-site", "").strip().lower()
    if site not in _NO_FOREIGN_PAGE:
        raise ForbiddenOrigin
    text = facts.headers.get("origin")
    if text is None:
        return
    origin = _origin(text.strip().lower())
    if origin is None:  # "null" is the origin of a sandboxed frame or a file
        raise ForbiddenOrigin
    # TLS may end before us, so the scheme of the Host is taken from the Origin.
    if origin == _origin(f"{origin[0]}://{facts.host}"):
        return
    # A proxy may hand on a Host without its port, or one of its own.
    if origin != _origin(settings.public_url.lower()):
        raise ForbiddenOrigin


def presented_token(headers: Mapping[str, str]) -> str | None:
    """What is presented as a key; `x-api-key` wins over a bearer token.

    A client with a ChatGPT login sends its own Authorization in any case.
    """
    token = headers.get("x-api-key", "").strip()
    if token:
        return token
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def is_local(facts: RequestFacts) -> bool:
    """Whether client and gateway are one machine, as far as can be told.

    The Host counts as well: a page may give its own name our address.
    """
    peer = _address(facts.peer)
    if peer is None or not peer.is_loopback or _is_forwarded(facts.headers):
        return False
    match = _AUTHORITY.fullmatch(facts.host)
    host = facts.host if match is None else match["host"]
    return host in _LOCAL_HOSTS


def is_known_without_key(facts: RequestFacts, settings: Settings) -> bool:
    """Whether a client is served as long as no key was ever made."""
    if is_local(facts):
        return True
    return _is_within(
        _address(facts.peer), settings.unauthenticated_cidrs
    ) and not _is_forwarded(facts.headers)


def client_address(facts: RequestFacts, settings: Settings) -> str:
    """The address for the log: the nearest one no trusted proxy has.

    X-Forwarded-For is read right to left, for each proxy appends whom it saw and
    everything further left may be the client's invention.
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
    """Whether the client came over TLS, by a trusted proxy's word."""
    if not _is_within(_address(facts.peer), settings.trusted_proxies):
        return False
    nearest = facts.headers.get("x-forwarded-proto", "").rsplit(",", 1)[-1]
    return nearest.strip().lower() in {"https", "wss"}


def _counted_as(facts: RequestFacts, settings: Settings) -> str:
    """One IPv6 client has a whole /64 to come from."""
    text = client_address(facts, settings)
    address = _address(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return text


def _is_forwarded(headers: Mapping[str, str]) -> bool:
    return any(
        name in _FORWARDING or name.startswith("x-forwarded") for name in headers
    )


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
    """Take "1.2.3.4:80" and "[::1]:80" apart, which some proxies write."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _origin(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a lower-case origin; None when it is not one."""
    scheme, _, authority = text.partition("://")
    match = _AUTHORITY.fullmatch(authority)
    if match is None or scheme not in _DEFAULT_PORTS:
        return None
    port = match["port"]
    return scheme, match["host"], int(port) if port else _DEFAULT_PORTS[scheme]
