"""Where members of one database may talk to each other."""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

from gateway.settings.parsers import Network

_LONGEST = 300
ADVICE = "is https://, or http:// on loopback or in GATEWAY_MEMBER_NETWORKS"


def is_fit_for_members(
    url: str, networks: Sequence[Network], *, is_near: bool = True
) -> bool:
    """Whether nobody else hears them there: https, or http in named networks.

    Or on loopback, for those that are near: on the same machine.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(host) and len(url) <= _LONGEST
    if parts.scheme != "http" or host == "localhost":
        return parts.scheme == "http" and is_near
    try:
        address = ip_address(host)
    except ValueError:
        return False  # a name may lead anywhere
    if address.is_loopback:
        return is_near
    return any(address in network for network in networks)


def with_port(url: str, port: int) -> str:
    """The same host over http, at another port; over https a proxy has one alone."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    here = parts.scheme == "http"
    return urlunsplit(parts._replace(netloc=f"{host}:{port}")) if here else url
