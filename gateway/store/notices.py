"""Notices: what was told of which event, by which channel; the mark that it was."""

from collections.abc import Collection, Iterable
from typing import Any

import peewee as pw

from gateway.store.models import BaseModel, now_ms

KEPT_DAYS = 90
_DAY_MS = 24 * 3_600_000
# News of so long ago is none.
TOO_LATE_MS = _DAY_MS

StoredNotice = dict[str, Any]  # columns of `notice`, without the number


class NoticeRow(BaseModel):
    """One message to one channel: it waits, was told or was given up."""

    id = pw.AutoField()
    message_id = pw.CharField(max_length=40)
    event = pw.CharField(max_length=40)
    scope = pw.CharField(max_length=200)  # of what: a limit's window, an account
    level = pw.IntegerField()
    channel = pw.CharField(max_length=16)
    title = pw.CharField(max_length=200)
    text = pw.TextField()
    data = pw.TextField(default="{}")  # JSON object
    created_at = pw.BigIntegerField()
    attempts = pw.IntegerField(default=0)
    next_at = pw.BigIntegerField(null=True)  # NULL: told or given up
    told_at = pw.BigIntegerField(null=True)
    answer = pw.CharField(max_length=200, default="")  # the last one
    over_at = pw.BigIntegerField(default=0)  # 0: what it tells still holds

    class Meta:
        table_name = "notice"
        # Of two processes that see an event, the first to write tells it.
        indexes = ((("event", "scope", "level", "channel", "over_at"), True),)


def put_notices(rows: list[StoredNotice]) -> bool:
    """Store what is about to be told; False when another process has."""
    NoticeRow.insert_many(rows).on_conflict_ignore().execute()
    ours = NoticeRow.message_id == rows[0]["message_id"]
    return bool(NoticeRow.select().where(ours).exists())


def settle_notice(message_id: str, channel: str, changes: StoredNotice) -> None:
    """Store what became of an attempt."""
    ours = (NoticeRow.message_id == message_id) & (NoticeRow.channel == channel)
    NoticeRow.update(changes).where(ours).execute()


def take_over_notices(
    channels: Collection[str], overdue_ms: int | None = None
) -> list[StoredNotice]:
    """What an earlier process left to be told, oldest first; gives up what is old.

    `overdue_ms`: others live, who put off what they try again; so late it is nobody's,
    and the first to take it has it.
    """
    is_old = NoticeRow.created_at < now_ms() - TOO_LATE_MS
    old = NoticeRow.update(next_at=None, answer="too late")
    old.where(NoticeRow.next_at.is_null(False) & is_old).execute()
    waiting = NoticeRow.next_at.is_null(False) & NoticeRow.channel.in_(channels)
    if overdue_ms is not None:
        overdue = waiting & (NoticeRow.next_at < now_ms() - overdue_ms)
        taken = NoticeRow.update(next_at=now_ms()).where(overdue).returning(NoticeRow)
        return sorted(taken.dicts(), key=lambda row: int(row["id"]))
    found: Any = NoticeRow.select().where(waiting).order_by(NoticeRow.id).dicts()
    return list(found)


def open_marks() -> list[tuple[str, str, int]]:
    """Event, scope and level of all that was told and is not over."""
    columns = (NoticeRow.event, NoticeRow.scope, NoticeRow.level)
    found: Any = NoticeRow.select(*columns).where(NoticeRow.over_at == 0).distinct()
    return list(found.order_by(NoticeRow.level).tuples())


def end_marks(over: Iterable[tuple[str, str]]) -> None:
    """What these told is over: it may be told again. Removes what is old."""
    now = now_ms()
    for event, scope in over:
        of_it = (NoticeRow.event == event) & (NoticeRow.scope == scope)
        open_ones = of_it & (NoticeRow.over_at == 0)
        NoticeRow.update(over_at=now).where(open_ones).execute()
    cutoff = now - KEPT_DAYS * _DAY_MS
    old = (NoticeRow.over_at > 0) & (NoticeRow.over_at < cutoff)
    NoticeRow.delete().where(old).execute()


def latest_notices(
    most: int, before: int | None = None, after: int | None = None
) -> list[StoredNotice]:
    """The newest first: of all, or of those before or next after a row's number."""
    number = NoticeRow.id
    rows = NoticeRow.select().limit(most)
    if after is not None:
        onward: Any = rows.where(number > after).order_by(number).dicts()
        return list(onward)[::-1]
    if before is not None:
        rows = rows.where(number < before)
    newest: Any = rows.order_by(number.desc()).dicts()
    return list(newest)
