"""Settings of one process, read once from the environment and a `.env` file."""

import re
import sys
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from environs import Env, EnvError, validate
from yarl import URL

from gateway.secret import Secret

# What an owner types: the package of an installed gateway, or run.py in a clone.
PACKAGE = "codexgate"
PROGRAM = PACKAGE if PACKAGE in sys.modules else "run.py"
COMMAND = PACKAGE if PACKAGE in sys.modules else "python run.py"

Network = IPv4Network | IPv6Network
PROXY_SCHEMES = ("http", "https", "socks5")
MOST_CREDENTIAL_BYTES = 255  # RFC 1929, section 2
UNPRICED = ("dearest", "refuse")
MEBIBYTE = 1024 * 1024
_OWN_FILE = "gateway.db"
_HOST_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:]+\])(?P<port>:[0-9]{1,5})?"
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an owner may set; times in seconds, sizes in bytes."""

    host: str
    port: int
    data_dir: Path
    database_url: str
    database_direct_url: str  # past a pooler; "": the same
    upstream_base_url: str
    auth_base_url: str
    egress_proxy: Secret | None  # a URL with credentials; None: straight
    public_url: str  # https origin as clients see it, or ""
    trusted_proxies: tuple[Network, ...]
    unauthenticated_cidrs: tuple[Network, ...]
    allowed_hosts: frozenset[str]  # names, in lower case
    allowed_origins: frozenset[str]  # of browser apps, as a browser writes them
    max_body_bytes: int  # of one decoded body
    body_budget_bytes: int  # of all bodies being read
    connect_timeout: float
    first_event_timeout: float
    idle_timeout: float  # without a byte from upstream
    keepalive_interval: float
    websockets: bool
    v1_prefers_keys: bool
    sockets_per_key: int
    log_retention_days: int
    prices: Path | None  # an owner's own, before those shipped
    unpriced: str  # what a cost limit makes of it: one of UNPRICED
    metrics_keys: bool  # series with the names of keys
    drain_seconds: float  # that running turns get after SIGTERM
    encryption_key: Secret | None  # None: a key file in the data dir

    @property
    def own_file(self) -> Path:
        """The SQLite file of the data directory: the database, unless one is named."""
        return self.data_dir / _OWN_FILE

    @property
    def names_database(self) -> bool:
        """Whether it is another database than the data directory's own."""
        return self.database_url != f"sqlite:///{self.own_file}"

    @classmethod
    def from_env(cls, dotenv: str = ".env") -> "Settings":
        """Raises EnvValidationError naming every bad variable at once."""
        env = Env(eager=False)
        if Path(dotenv).is_file():
            env.read_env(dotenv, recurse=False)
        env.add_parser("networks", _networks)
        env.add_parser("hosts", _hosts)
        env.add_parser("origins", _origins)
        env.add_parser("proxy", _proxy)
        env.add_parser("secret", lambda text: Secret(text) if text else None)
        with env.prefixed("GATEWAY_"):
            values = _read(env)
        env.seal()  # raises here, before a half-read value is used
        prices = values["prices"]
        values["prices"] = Path(prices).expanduser().absolute() if prices else None
        values["data_dir"] = Path(values["data_dir"]).expanduser().absolute()
        if not values["database_url"]:
            values["database_url"] = f"sqlite:///{values['data_dir'] / _OWN_FILE}"
        for name in ("upstream_base_url", "auth_base_url", "public_url"):
            values[name] = values[name].rstrip("/")
        return cls(**values)


def _read(env: Any) -> dict[str, Any]:
    seconds = validate.Range(min=0, min_inclusive=False)
    positive = validate.Range(min=1)
    http = validate.URL(schemes={"http", "https"}, require_tld=False)
    https = validate.URL(schemes={"https"}, require_tld=False)
    return {
        "host": env.str("HOST", "127.0.0.1"),
        "port": env.int("PORT", 2455, validate=validate.Range(0, 65535)),
        "data_dir": env.str("DATA_DIR", "~/.codex-gateway"),
        "database_url": env.str("DATABASE_URL", ""),
        "database_direct_url": env.str("DATABASE_DIRECT_URL", ""),
        "upstream_base_url": env.str(
            "UPSTREAM_BASE_URL", "https://chatgpt.com/backend-api", validate=http
        ),
        "auth_base_url": env.str(
            "AUTH_BASE_URL", "https://auth.openai.com", validate=http
        ),
        "egress_proxy": env.proxy("EGRESS_PROXY", ""),
        "public_url": env.str(
            "PUBLIC_URL", "", validate=lambda url: url == "" or https(url)
        ),
        "trusted_proxies": env.networks("TRUSTED_PROXIES", ""),
        "unauthenticated_cidrs": env.networks("UNAUTHENTICATED_CIDRS", ""),
        "allowed_hosts": env.hosts("ALLOWED_HOSTS", ""),
        "allowed_origins": env.origins("ALLOWED_ORIGINS", ""),
        "max_body_bytes": env.int("MAX_BODY_BYTES", 128 * MEBIBYTE, validate=positive),
        "body_budget_bytes": env.int(
            "BODY_BUDGET_BYTES", 1024 * MEBIBYTE, validate=positive
        ),
        "connect_timeout": env.float("CONNECT_TIMEOUT", 8.0, validate=seconds),
        "first_event_timeout": env.float(
            "FIRST_EVENT_TIMEOUT", 300.0, validate=seconds
        ),
        "idle_timeout": env.float("IDLE_TIMEOUT", 900.0, validate=seconds),
        "keepalive_interval": env.float("KEEPALIVE_INTERVAL", 15.0, validate=seconds),
        "websockets": env.bool("WEBSOCKETS", True),
        "v1_prefers_keys": env.bool("V1_PREFERS_KEYS", True),
        "sockets_per_key": env.int("SOCKETS_PER_KEY", 256, validate=positive),
        "prices": env.str("PRICES", ""),
        "unpriced": env.str("UNPRICED", UNPRICED[0], validate=validate.OneOf(UNPRICED)),
        "log_retention_days": env.int("LOG_RETENTION_DAYS", 30, validate=positive),
        "metrics_keys": env.bool("METRICS_KEYS", False),
        "drain_seconds": env.float("DRAIN_SECONDS", 300.0, validate=seconds),
        "encryption_key": env.secret("ENCRYPTION_KEY", ""),
    }


def _networks(value: str) -> tuple[Network, ...]:
    """Parse "10.0.0.0/8, ::1/128"; a single address is a network of one."""
    try:
        return tuple(
            ip_network(part.strip()) for part in value.split(",") if part.strip()
        )
    except ValueError as error:
        raise EnvError(str(error)) from error


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
