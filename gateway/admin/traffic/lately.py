"""The last hour, and conversations, with names in place of numbers; times in seconds.

Run these through `Store.page`.
"""

from typing import Any

from gateway.admin.errors import NotThere
from gateway.admin.reports import row_number, shown_name
from gateway.admin.traffic.locality import Locality, locality_alarm
from gateway.admin.views import account_names, key_names
from gateway.store.log.conversations import conversation_page, find_conversation
from gateway.store.log.log_rows import DAY_MS, HOUR_MS
from gateway.store.log.minutes import (
    MINUTE_MS,
    MINUTE_SUMS,
    minutes_since,
    sum_minutes,
)
from gateway.store.log.queries import Record
from gateway.store.models import ApiKeyRow

_LOCALITY = ("well", "switches", "input_tokens", "cached_tokens")
_MOVED_SHOWN = 10


def last_hour(now: float) -> Record:
    """Sums, also `by_minute` and failures `by_origin`; `moved` conversations.

    `locality` is of the hour, `alarm` what has become worse since the day before.
    """
    until = int(now * 1000) // MINUTE_MS * MINUTE_MS + MINUTE_MS
    since = until - HOUR_MS
    sums = sum_minutes(since, until)
    hour = _locality(sums)
    day = _locality(sum_minutes(since - DAY_MS, since))
    by_minute: dict[int, Record] = {
        start: {"at": start / 1000, "failed": 0, **dict.fromkeys(MINUTE_SUMS, 0)}
        for start in range(since, until, MINUTE_MS)
    }
    by_origin: dict[str, int] = {}
    for row in minutes_since(since, until):
        minute, origin = by_minute[row["start"]], row["origin"]
        for name in MINUTE_SUMS:
            minute[name] += row[name]
        if origin:
            minute["failed"] += row["requests"]
            by_origin[origin] = by_origin.get(origin, 0) + row["requests"]
    moved = conversation_page(has_moved=True, limit=_MOVED_SHOWN)
    return {
        **sums,
        "by_minute": [*by_minute.values()],
        "by_origin": by_origin,
        "moved": _named([one for one in moved if one["last_at"] >= since]),
        "locality": hour,
        "alarm": locality_alarm(hour, day),
    }


def _locality(sums: Record) -> Locality:
    return Locality(*(sums[name] for name in _LOCALITY))


def conversation_rows(
    wanted: dict[str, Any],
    *,
    before: tuple[int, int] | None = None,
    limit: int = 50,
) -> list[Record]:
    """Of a `key`, or with `moved` those that changed their account, the latest first.

    `before` is the `place` of the last row of the page before. Raises NotThere.
    """
    rows = conversation_page(
        api_key_id=row_number(ApiKeyRow, wanted.get("key")),
        has_moved=bool(wanted.get("moved")),
        before=before,
        limit=limit,
    )
    return _named(rows)


def one_conversation(number: int) -> Record:
    """One, by its id. Raises NotThere."""
    found = find_conversation(number)
    if found is None:
        raise NotThere("conversation", str(number))
    return _named([found])[0]


def _named(rows: list[Record]) -> list[Record]:
    keys, accounts = (key_names(), account_names()) if rows else ({}, {})
    return [
        row
        | {
            "place": (row["last_at"], row["id"]),
            "first_at": row["first_at"] / 1000,
            "last_at": row["last_at"] / 1000,
            "key": shown_name(keys, row["api_key_id"]),
            "accounts": [shown_name(accounts, one) for one in row["accounts"]],
            "account": shown_name(accounts, row["account_id"]),
        }
        for row in rows
    ]
