"""How settings are written: a parser for each kind, which says what it wants."""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from environs import EnvError
from yarl import URL

from gateway.secret import Secret
from gateway.settings.home import at_home
from gateway.settings.zones import zone_named

Network = IPv4Network | IPv6Network
PROXY_SCHEMES = ("http", "https", "socks5")
MOST_CREDENTIAL_BYTES = 255  # RFC 1929, section 2
# `smtp` with STARTTLS, `smtps` inside TLS from the start, `smtp-plain` without.
MAIL_SCHEMES = ("smtps", "smtp", "smtp-plain")
_ADDRESS = re.compile(r"[!-;=?A-~]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250})")
_HOST_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:]+\])(?P<port>:[0-9]{1,5})?"
)
# Not what every client or proxy sends, which would sign anybody in.
_HEADER_NAME = re.compile(
    r"(?!accept|content|sec-|user-agent|x-gateway-|x-real-ip"
    r"|x-forwarded-(?:for|proto|host|port))[a-z0-9]+(?:-[a-z0-9]+){1,8}"
)
LEAST_SECRET = 32  # characters
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]")


def _networks(value: str) -> tuple[Network, ...]:
    """Parse "10.0.0.0/8, ::1/128"; a single address is a network of one."""
    try:
        return tuple(
            ip_network(part.strip()) for part in value.split(",") if part.strip()
        )
    except ValueError as error:
        raise EnvError(str(error)) from error


def _file(value: str) -> Path | None:
    if not value:
        return None
    try:
        return at_home(Path(value)).absolute()
    except OSError as error:
        raise EnvError(f"{error.filename}: {error.strerror}") from error


def _folder(value: str) -> Path:
    # Nothing would be the folder that happens to be the current one.
    folder = _file(value)
    if folder is None:
        raise EnvError("Give a folder, or leave it out")
    return folder


def _proxy(value: str) -> Secret | None:
    """Parse a proxy's URL. No message has the value: it holds a password."""
    if not value:
        return None
    try:
        url = URL(value)
        has_more = url.query_string or url.fragment or url.path not in ("", "/")
        is_proxy = url.scheme in PROXY_SCHEMES and url.host and not has_more
        if not is_proxy or not url.explicit_port:
            raise ValueError
    except ValueError:
        raise EnvError(
            "Give http, https or socks5://[user:password@]host:port"
        ) from None
    for text in (url.user or "", url.password or ""):
        if len(text.encode()) > MOST_CREDENTIAL_BYTES or not text.isprintable():
            raise EnvError("User and password are printable, of 255 bytes at most")
    return Secret(value)


def _secret_url(*schemes: str) -> Callable[[str], Secret | None]:
    """A parser of URLs that are secrets, or hold one: no message has the value."""

    def parse(value: str) -> Secret | None:
        if not value:
            return None
        try:
            url = URL(value)
            is_good = url.scheme in schemes and url.host and url.port != 0
        except ValueError:
            is_good = False
        if not is_good:
            raise EnvError(f"Give {' or '.join(f'{one}://…' for one in schemes)}")
        if url.scheme == "smtp-plain" and url.user is not None:
            raise EnvError("smtp-plain sends no password: give smtp or smtps")
        return Secret(value)

    return parse


_webhook = _secret_url("https", "http")


def _topic(value: str) -> Secret | None:
    """Parse an ntfy topic's URL."""
    url = _webhook(value)
    if url is not None and not URL(value).name:
        raise EnvError("Give the topic, too, as in https://ntfy.sh/TOPIC")
    return url


def _signing(value: str) -> Secret | None:
    """Parse the secret of a webhook, as Standard Webhooks writes it."""
    if not value:
        return None
    try:
        key = b64decode(value.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not value.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise EnvError("Give whsec_ and the base64 of 24 to 64 random bytes")
    return Secret(value)


def _address(value: str) -> str:
    if value and _ADDRESS.fullmatch(value) is None:
        raise EnvError(f"{value!a} is no address, as in ada@example.com")
    return value


def _addresses(value: str) -> tuple[str, ...]:
    return tuple(_address(part.strip()) for part in value.split(",") if part.strip())


def _hosts(value: str) -> frozenset[str]:
    """Parse "gateway.lan, codex.example": names as a Host header has them."""
    names = {part.strip().lower() for part in value.split(",") if part.strip()}
    for name in names:
        if _HOST_NAME.fullmatch(name) is None:
            raise EnvError(f"{name!a} is no host name (without scheme and port)")
    return frozenset(names)


def _origins(value: str) -> frozenset[str]:
    """Parse "https://app.example, http://localhost:5173" as browsers write origins."""
    return frozenset(_origin(part.strip()) for part in value.split(",") if part.strip())


def _origin(text: str) -> str:
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        raise EnvError(
            f"{text!a} is no origin: write scheme and host, and the port unless it is "
            "the usual one, without wildcard, path or slash: https://app.example"
        )
    if match["scheme"] == "http" and not _LOOPBACK.fullmatch(match["host"]):
        raise EnvError(
            f"{text!a}: http is for this machine only (localhost, 127.0.0.1, [::1]); "
            "others need https"
        )
    port = match["port"] or ""
    if port == _DEFAULT_PORTS[match["scheme"]]:
        port = ""
    return f"{match['scheme']}://{match['host']}{port}"


def _header_name(value: str) -> str:
    """Parse the name of a header that a proxy alone sets, in lower case."""
    name = value.strip().lower()
    if name and _HEADER_NAME.fullmatch(name) is None:
        raise EnvError("Give a header of its own, as in X-SSO-User or Remote-User")
    return name


def _long_secret(value: str) -> Secret | None:
    """Parse a secret that nobody guesses. No message has it."""
    if value and (len(value) < LEAST_SECRET or not _is_word(value)):
        raise EnvError(
            f"Give {LEAST_SECRET} or more letters and digits, as "
            "`openssl rand -hex 32` prints them"
        )
    return Secret(value) if value else None


def _is_word(value: str) -> bool:
    return value.isascii() and value.isprintable() and " " not in value


def _zone(value: str) -> str:
    try:
        zone_named(value)
    except ValueError as error:
        raise EnvError(f"{error}: write Europe/Berlin, UTC or +05:30") from error
    return value


# Values of `env.NAME("SETTING", default)`.
PARSERS: Mapping[str, Callable[[str], Any]] = {
    "file": _file,
    "folder": _folder,
    "networks": _networks,
    "hosts": _hosts,
    "origins": _origins,
    "proxy": _proxy,
    "header_name": _header_name,
    "long_secret": _long_secret,
    "secret": lambda text: Secret(text) if text else None,
    "secret_url": _webhook,
    "topic": _topic,
    "signing": _signing,
    "mail_server": _secret_url(*MAIL_SCHEMES),
    "address": _address,
    "addresses": _addresses,
    "zone": _zone,
}
