"""What a start tells the owner: the address, what there is, what to do next."""

from collections.abc import Callable
from urllib.parse import urlsplit

from gateway.admin.views import stored_accounts
from gateway.cli.base import run_query, secrets_of, version
from gateway.doctor.first_steps import NAME, first_steps, shown
from gateway.repository.keys import keys_ever_made, load_keys
from gateway.settings import Settings
from gateway.store.database import sqlite_path

_ANYWHERE = ("", "0.0.0.0", "::")


def start_screen(settings: Settings) -> Callable[[int], str]:
    """The lines of a start, once the port is known; the database is read now."""
    accounts = run_query(settings, stored_accounts, secrets_of(settings))
    ever_made = run_query(settings, keys_ever_made)
    keys = len(run_query(settings, load_keys)) if ever_made else None
    steps = first_steps(settings, [row["state"] for row in accounts], keys)

    def lines(port: int) -> str:
        host = "127.0.0.1" if settings.host in _ANYWHERE else settings.host
        url = (
            settings.public_url
            or f"http://{f'[{host}]' if ':' in host else host}:{port}"
        )
        rows = {
            "address": url,
            "accounts": steps["accounts"],
            "keys": steps["keys"],
            "data": str(settings.data_dir),
            "database": _database(settings.database_url),
            "next": steps["next"],
        }
        return f"{NAME} {version()}\n{shown(rows)}"

    return lines


def _database(url: str) -> str:
    """The database without its password."""
    path = sqlite_path(url)
    if path is not None:
        return str(path)
    parts = urlsplit(url)
    return f"PostgreSQL {parts.path.strip('/')} at {parts.hostname or 'a local socket'}"
