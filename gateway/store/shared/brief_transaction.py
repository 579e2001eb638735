"""Transactions that other processes may have to wait for, and how long they do."""

from collections.abc import Iterator
from contextlib import contextmanager

import peewee as pw

from gateway.store.database import select, transaction

# A process that is stopped in the middle of one loses its locks; who waits for them
# fails before, so that what it has to do besides goes on.
_LIMITS = (
    "SELECT set_config('lock_timeout', '3s', true), "
    "set_config('idle_in_transaction_session_timeout', '5s', true)"
)


@contextmanager
def brief_transaction(database: pw.Database) -> Iterator[None]:
    """As `transaction`; SQLite's are of one machine, and wait as long as is set."""
    with transaction(database):
        if not isinstance(database, pw.SqliteDatabase):
            select(database, _LIMITS)
        yield
