"""Names of keys and accounts for the Tab key: soon or never, and without a word."""

import re
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

import click

from gateway.settings import Settings
from gateway.store.database import open_database, sqlite_path
from gateway.store.models import AccountRow, ApiKeyRow, BaseModel

LONGEST_WAIT = 0.5  # seconds: somebody sits there, with a finger on the key
_TABLES: dict[str, type[BaseModel]] = {"keys": ApiKeyRow, "accounts": AccountRow}
# The scripts of the shells take other names apart.
_ONE_WORD = re.compile(r"[\w@.+:/#-]+")

Completer = Callable[[click.Context, click.Parameter, str], list[str]]


def names_of(what: str) -> Completer:
    """Completes the names of `keys` or `accounts`."""

    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
        found: list[str] = []
        reading = Thread(target=_read, args=(_TABLES[what], found), daemon=True)
        reading.start()
        reading.join(LONGEST_WAIT)
        return [name for name in list(found) if name.startswith(incomplete)]

    return complete


def _read(table: type[BaseModel], found: list[str]) -> None:
    # Whatever it is: a shell that completes is no place for errors.
    with suppress(Exception):
        settings = Settings.from_env()
        path = sqlite_path(settings.database_url)
        if path is not None and not path.exists():
            return  # opening would make it
        database = open_database(settings.database_url, lock_timeout=LONGEST_WAIT)
        with database.connection_context():
            names = f"SELECT name FROM {table._meta.table_name} ORDER BY name"
            cursor = database.execute_sql(names)  # type: ignore[no-untyped-call]
            rows = cursor.fetchall()
        found += [name for (name,) in rows if _ONE_WORD.fullmatch(name)]
