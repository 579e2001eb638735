"""PostgreSQL's URLs: one server or several, of which one takes writes at a time.

As libpq reads them, but for a password: of special characters only `/`, `?` and `#`
have to be percent-encoded there.
"""

import re
from urllib.parse import parse_qsl, unquote

_NO_HOSTS = "Host or port of the PostgreSQL URL is none; a / is %2F there"
_OTHER_SCHEME = "The database URL must begin with sqlite:/// or postgresql"
_DEFAULT_PORT = "5432"
# What a URL does not say otherwise. A server that is gone is noticed in half a minute;
# of several hosts each gets the whole of connect_timeout.
_USUAL = {
    "connect_timeout": "5",
    "client_encoding": "UTF8",  # texts of an SQL_ASCII one, too
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",  # ms, of what was sent
}
_URL = re.compile(
    r"postgres(?:ql)?://"
    r"(?:(?P<user>[^/?#:]*)(?::(?P<password>[^/?#]*))?@)?"
    r"(?P<hosts>[^/?#]*)(?:/(?P<database>[^?#]*))?(?:\?(?P<query>[^#]*))?(?:#.*)?"
)
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:@\[\]]*))(?::([0-9]{0,5}))?")


def read_postgresql_url(url: str) -> dict[str, str]:
    """Its settings, by libpq's names.

    Raises ValueError, whose words hold no part of the password.
    """
    if url.partition(":")[0] not in ("postgres", "postgresql"):
        raise ValueError(_OTHER_SCHEME)
    told = _URL.fullmatch(url)
    if told is None:
        raise ValueError(_NO_HOSTS)
    servers = [_HOST.fullmatch(one) for one in told["hosts"].split(",")]
    if None in servers:
        raise ValueError(_NO_HOSTS)
    each = [(one[1] or one[2], one[3] or "") for one in servers if one]
    hosts, ports = (",".join(column).lower() for column in zip(*each, strict=True))
    given = {
        "user": unquote(told["user"] or ""),
        "password": unquote(told["password"] or ""),
        "host": hosts,
        "port": ports if ports.strip(",") else "",
        "dbname": unquote(told["database"] or ""),
    }
    asked = dict(parse_qsl(told["query"] or "", keep_blank_values=True))
    return {name: text for name, text in given.items() if text} | asked


def connection_settings(url: str) -> dict[str, str]:
    """With what is usual, where the URL says nothing of it. Raises ValueError."""
    return _USUAL | read_postgresql_url(url)


def servers_of(url: str) -> list[str]:
    """Its servers for people, the usual port left out. Raises ValueError."""
    settings = read_postgresql_url(url)
    hosts = settings.get("host", "a local socket").split(",")
    ports = settings.get("port", _DEFAULT_PORT).split(",")
    if len(ports) < len(hosts):
        ports = ports[:1] * len(hosts)
    return [
        f"{host}:{port or _DEFAULT_PORT}".removesuffix(f":{_DEFAULT_PORT}")
        for host, port in zip(hosts, ports, strict=False)
    ]
