"""Settings of one process, read once from the environment and a `.env` file."""

import errno
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environs import Env, EnvValidationError, validate

from gateway.secret import Secret
from gateway.settings.member_url import ADVICE, is_fit_for_members
from gateway.settings.parsers import PARSERS, Network
from gateway.settings.zones import machine_zone

# What an owner types: the package of an installed gateway, or run.py in a clone.
PACKAGE = "codexgate"
PROGRAM = PACKAGE if PACKAGE in sys.modules else "run.py"
COMMAND = PACKAGE if PACKAGE in sys.modules else "python run.py"

UNPRICED = ("dearest", "refuse")
# Who may ask for the dashboard's pages: nobody, who is on this machine, and who has
# come in by https through a trusted proxy, too.
DASHBOARD = ("off", "local", "on")
MOST_WORKERS = 64
MOST_PORT = 65_535
MEBIBYTE = 1024 * 1024
_OWN_FILE = "gateway.db"
# What one setting needs others for.
_NEEDS = {
    "notify_webhook_url": ("notify_webhook_secret",),
    "notify_ntfy_token": ("notify_ntfy_url",),
    "notify_mail_url": ("notify_mail_from", "notify_mail_to"),
    "sso_user_header": ("sso_peers", "sso_secret"),
    "sso_peers": ("sso_user_header", "sso_secret"),
    "sso_secret": ("sso_user_header", "sso_peers"),
}


class _Unnamed(str):
    """A value that nobody set: it follows from another."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an owner may set; times in seconds, sizes in bytes."""

    host: str
    port: int
    workers: int  # processes under a parent; 0: this one alone
    data_dir: Path
    database_url: str
    database_direct_url: str  # past a pooler; "": the same
    member_url: str  # where the others that serve from the database reach this one
    member_networks: tuple[Network, ...]  # in which that may be http
    upstream_base_url: str
    auth_base_url: str
    egress_proxy: Secret | None  # a URL with credentials; None: straight
    public_url: str  # https origin as clients see it, or ""
    trusted_proxies: tuple[Network, ...]
    unauthenticated_cidrs: tuple[Network, ...]
    allowed_hosts: frozenset[str]  # names, in lower case
    allowed_origins: frozenset[str]  # of browser apps, as a browser writes them
    dashboard: str  # one of DASHBOARD
    sso_user_header: str  # in lower case; "": nobody signs in by a proxy's word
    sso_peers: tuple[Network, ...]  # whose word that is; no other proxy's
    sso_secret: Secret | None  # that it proves to be the proxy with
    time_zone: str  # of what pages show, as `zone_named` takes it
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
    notify_webhook_url: Secret | None  # whoever knows it can often post there
    notify_webhook_secret: Secret | None
    notify_ntfy_url: Secret | None  # its last part is the topic, a kind of password
    notify_ntfy_token: Secret | None
    notify_mail_url: Secret | None  # the server's, with credentials
    notify_mail_from: str
    notify_mail_to: tuple[str, ...]
    metrics_keys: bool  # series with the names of keys
    drain_seconds: float  # that running turns get after SIGTERM
    encryption_key: Secret | None  # None: a key file in the data dir
    admin_token: Secret | None  # None: the one that the database has

    @property
    def own_file(self) -> Path:
        """The SQLite file of the data directory: the database, unless one is named."""
        return self.data_dir / _OWN_FILE

    @property
    def direct_url(self) -> str:
        """The database's own, past any pooler."""
        return self.database_direct_url or self.database_url

    @property
    def names_database(self) -> bool:
        """Whether an owner named one: without, a shell means that of its gateway."""
        return not isinstance(self.database_url, _Unnamed)

    @classmethod
    def from_env(cls, dotenv: str = ".env") -> "Settings":
        """Raises EnvValidationError naming every bad variable at once.

        OSError: the file cannot be read.
        """
        env = Env(eager=False)
        if Path(dotenv).is_file():
            try:
                env.read_env(dotenv, recurse=False)
            except UnicodeDecodeError as error:
                told = "is no text in UTF-8"
                raise OSError(errno.EILSEQ, told, dotenv) from error
        for name, parser in PARSERS.items():
            env.add_parser(name, parser)
        with env.prefixed("GATEWAY_"):
            values = read_settings(env)
        env.seal()  # raises here, before a half-read value is used
        _check_together(values)
        if not values["database_url"]:
            own_file = values["data_dir"] / _OWN_FILE
            values["database_url"] = _Unnamed(f"sqlite:///{own_file}")
        for name in ("upstream_base_url", "auth_base_url", "public_url"):
            values[name] = values[name].rstrip("/")
        return cls(**values)


def read_settings(env: Any) -> dict[str, Any]:
    some_address = validate.Length(min=1, error="Give an address, or leave it out")
    seconds = validate.Range(min=0, min_inclusive=False)
    positive = validate.Range(min=1)
    http = validate.URL(schemes={"http", "https"}, require_tld=False)
    https = validate.URL(schemes={"https"}, require_tld=False)
    return {
        "host": env.str("HOST", "127.0.0.1", validate=some_address),
        "port": env.int("PORT", 2455, validate=validate.Range(0, MOST_PORT)),
        "workers": env.int("WORKERS", 0, validate=validate.Range(0, MOST_WORKERS)),
        "data_dir": env.folder("DATA_DIR", "~/.codex-gateway"),
        "database_url": env.str("DATABASE_URL", ""),
        "database_direct_url": env.str("DATABASE_DIRECT_URL", ""),
        "member_url": env.str("MEMBER_URL", ""),
        "member_networks": env.networks("MEMBER_NETWORKS", ""),
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
        "dashboard": env.str("DASHBOARD", "local", validate=validate.OneOf(DASHBOARD)),
        "sso_user_header": env.header_name("SSO_USER_HEADER", ""),
        "sso_peers": env.networks("SSO_PEERS", ""),
        "sso_secret": env.long_secret("SSO_SECRET", ""),
        "time_zone": env.zone("TIME_ZONE", machine_zone()),
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
        "prices": env.file("PRICES", ""),
        "unpriced": env.str("UNPRICED", UNPRICED[0], validate=validate.OneOf(UNPRICED)),
        "log_retention_days": env.int(
            "LOG_RETENTION_DAYS", 30, validate=validate.Range(1, 36_500)
        ),
        "metrics_keys": env.bool("METRICS_KEYS", False),
        "drain_seconds": env.float("DRAIN_SECONDS", 300.0, validate=seconds),
        "encryption_key": env.secret("ENCRYPTION_KEY", ""),
        "admin_token": env.secret("ADMIN_TOKEN", ""),
        **_read_channels(env),
    }


def _read_channels(env: Any) -> dict[str, Any]:
    """Where operators are told of things."""
    return {
        "notify_webhook_url": env.secret_url("NOTIFY_WEBHOOK_URL", ""),
        "notify_webhook_secret": env.signing("NOTIFY_WEBHOOK_SECRET", ""),
        "notify_ntfy_url": env.topic("NOTIFY_NTFY_URL", ""),
        "notify_ntfy_token": env.secret("NOTIFY_NTFY_TOKEN", ""),
        "notify_mail_url": env.mail_server("NOTIFY_MAIL_URL", ""),
        "notify_mail_from": env.address("NOTIFY_MAIL_FROM", ""),
        "notify_mail_to": env.addresses("NOTIFY_MAIL_TO", ""),
    }


def _check_together(values: dict[str, Any]) -> None:
    """Raise for settings that say nothing, or cannot be, without others."""
    lacking = {
        f"GATEWAY_{needed.upper()}": [f"GATEWAY_{name.upper()} needs it"]
        for name, others in _NEEDS.items()
        for needed in others
        if values[name] and not values[needed]
    }
    named = (values[name] for name in ("workers", "database_url", "port"))
    if flaw := flaw_of_workers(*named):
        lacking["GATEWAY_WORKERS"] = [flaw]
    url, networks = values["member_url"], values["member_networks"]
    if url and not is_fit_for_members(url, networks):
        lacking["GATEWAY_MEMBER_URL"] = [f"It {ADVICE}."]
    if lacking:
        raise EnvValidationError("Settings do not fit", lacking)


def flaw_of_workers(count: int, database_url: str, port: int) -> str:
    """Why there cannot be so many; "" when there can."""
    if count > 1 and not database_url.startswith("postgres"):
        return f"{count} workers need PostgreSQL (GATEWAY_DATABASE_URL): SQLite has one"
    if port + count > MOST_PORT:
        return f"{count} workers need as many ports behind {port} (GATEWAY_PORT)"
    return ""
