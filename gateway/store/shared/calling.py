"""Calling out to the other members: PostgreSQL's NOTIFY; a file has nobody to hear."""

import peewee as pw

from gateway.store import models
from gateway.store.database import select

CHANNEL = "codex_gateway"


def call_out(text: str) -> None:
    """Have every member hear it once the transaction that this is in is committed.

    It may be lost: who must know looks, too. Not from a batch of the log: the server
    commits transactions that call out one after the other.
    """
    if not isinstance(models.database.obj, pw.SqliteDatabase):
        query = "SELECT pg_notify(?, ?)"
        select(models.database.obj, query, (CHANNEL, text))
