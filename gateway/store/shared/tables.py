"""Members, the processes that serve from one database, and what they have claimed."""

import time

import peewee as pw

from gateway.store.database import select
from gateway.store.models import BaseModel

LONGEST_TEXT = 300  # of a place, whose end says most, and of a URL


class MemberRow(BaseModel):
    """A process, from its start until a day after its end.

    Its number is never another's: what it spent is found by it.
    """

    id = pw.AutoField()
    directory = pw.CharField(max_length=100)  # what its data directory is
    place = pw.CharField(max_length=LONGEST_TEXT)  # and where, for people
    url = pw.CharField(max_length=LONGEST_TEXT, null=True)  # of its own
    version = pw.CharField(max_length=40)
    state = pw.CharField(max_length=8)
    heartbeat = pw.BigIntegerField(default=0)
    acknowledged = pw.BigIntegerField(default=0)  # the latest revision it follows
    batch = pw.BigIntegerField(default=0)  # the number of its last batch of the log
    started_at = pw.BigIntegerField()
    ended_at = pw.BigIntegerField(null=True)

    class Meta:
        table_name = "member"


class ClaimRow(BaseModel):
    """Work that one member does for all, until a time of the database's clock."""

    name = pw.CharField(max_length=120, primary_key=True)
    member_id = pw.IntegerField()
    until = pw.BigIntegerField()

    class Meta:
        table_name = "claim"


class SightingRow(BaseModel):
    """A failure that a client met at a member, until a time of the database's clock."""

    scope = pw.TextField()  # JSON: what it speaks against
    client = pw.CharField(max_length=64)
    kind = pw.CharField(max_length=32)
    member_id = pw.IntegerField()
    until = pw.BigIntegerField()
    evidence = pw.CharField(max_length=200)

    class Meta:
        table_name = "sighting"
        primary_key = pw.CompositeKey("scope", "client", "kind")


def database_now_ms(database: pw.Database) -> int:
    """The database's time; SQLite's is this machine's."""
    if isinstance(database, pw.SqliteDatabase):
        return time.time_ns() // 1_000_000
    query = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT"
    return int(select(database, query)[0][0])


class GrantRow(BaseModel):
    """What a member has of a resource: absolute values, written by nobody else.

    But that what a dead member was granted is cut to what it used and held.
    """

    resource = pw.CharField(max_length=40)
    window_start = pw.BigIntegerField()  # unix ms; 0: of a level
    member_id = pw.IntegerField(index=True)
    granted = pw.BigIntegerField()
    used = pw.BigIntegerField()
    held = pw.BigIntegerField()
    written_at = pw.BigIntegerField()

    class Meta:
        table_name = "limit_grant"
        primary_key = pw.CompositeKey("resource", "window_start", "member_id")


class AskRow(BaseModel):
    """A member lacks so much of a resource; void when it is not written anew."""

    resource = pw.CharField(max_length=40)
    window_start = pw.BigIntegerField()
    member_id = pw.IntegerField(index=True)
    amount = pw.BigIntegerField()
    since = pw.BigIntegerField()
    written_at = pw.BigIntegerField()

    class Meta:
        table_name = "limit_ask"
        primary_key = pw.CompositeKey("resource", "window_start", "member_id")
