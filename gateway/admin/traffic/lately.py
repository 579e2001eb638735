"""Conversations with names in place of numbers, and whether they keep their accounts.

Run these through `Store.page`; times are unix seconds.
"""

from typing import Any

from gateway.admin.errors import NotThere
from gateway.admin.reports import row_number, shown_name
from gateway.admin.traffic.locality import Alarm, Locality, locality_alarm
from gateway.admin.views import account_names, key_names
from gateway.store.log.conversations import conversation_page, find_conversation
from gateway.store.log.log_rows import DAY_MS, HOUR_MS
from gateway.store.log.minutes import MINUTE_MS, sum_minutes
from gateway.store.log.queries import Record
from gateway.store.models import ApiKeyRow

_LOCALITY = ("well", "switches", "input_tokens", "cached_tokens")


def locality_lately(now: float) -> tuple[Locality, Locality, Alarm | None]:
    """The last hour, the day before it, and what has become worse in that hour."""
    until = int(now * 1000) // MINUTE_MS * MINUTE_MS + MINUTE_MS
    since = until - HOUR_MS
    hour = _locality(sum_minutes(since, until))
    day_before = _locality(sum_minutes(since - DAY_MS, since))
    return hour, day_before, locality_alarm(hour, day_before)


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


def one_conversation(name: str) -> Record:
    """One, by its name in the request log. Raises NotThere."""
    found = find_conversation(name)
    if found is None:
        raise NotThere("conversation", name)
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
