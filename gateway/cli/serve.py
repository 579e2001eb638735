"""What a start tells the owner: the address, what there is, what to do next."""

from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

from gateway.admin.views import stored_accounts
from gateway.cli.base import run_query, secrets_of, version
from gateway.doctor.client import is_loopback
from gateway.repository.keys import keys_ever_made, load_keys
from gateway.settings import PROGRAM, Settings
from gateway.store.database import sqlite_path

_ANYWHERE = ("", "0.0.0.0", "::")


def start_screen(settings: Settings) -> Callable[[int], str]:
    """The lines of a start, once the port is known; the database is read now."""
    states = Counter(
        row["state"]
        for row in run_query(settings, stored_accounts, secrets_of(settings))
    )
    ever_made = run_query(settings, keys_ever_made)
    keys = len(run_query(settings, load_keys)) if ever_made else None

    def lines(port: int) -> str:
        host = "127.0.0.1" if settings.host in _ANYWHERE else settings.host
        url = (
            settings.public_url
            or f"http://{f'[{host}]' if ':' in host else host}:{port}"
        )
        rows = {
            "address": url,
            "accounts": _counted(states) or "none",
            "keys": "none made: this machine only" if keys is None else str(keys),
            "data": str(settings.data_dir),
            "database": _database(settings.database_url),
            "next": _next(settings, has_accounts=bool(states), keys=keys),
        }
        shown = [f"  {name:<9} {text}" for name, text in rows.items()]
        return "\n".join([f"Codex Gateway {version()}", *shown])

    return lines


def _counted(states: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.most_common())


def _database(url: str) -> str:
    """The database without its password."""
    path = sqlite_path(url)
    if path is not None:
        return str(path)
    parts = urlsplit(url)
    return f"PostgreSQL {parts.path.strip('/')} at {parts.hostname or 'a local socket'}"


def _next(settings: Settings, *, has_accounts: bool, keys: int | None) -> str:
    if not has_accounts:
        return f"`{PROGRAM} accounts login` adds an account"
    if keys is None and not is_loopback(settings.host):
        return (
            f"`{PROGRAM} keys create --name NAME` makes the first key; until then "
            "other machines are refused, but those in GATEWAY_UNAUTHENTICATED_CIDRS"
        )
    return f"`{PROGRAM} codex-config` prints the lines for Codex"
