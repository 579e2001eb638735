"""Moves turns that were just played to past days: rows of the log, and its sums."""

import json
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from gateway.store.database import execute_many, select
from gateway.store.log.conversations import ConversationRow, write_conversations
from gateway.store.log.log_rows import COLUMNS, Sums
from gateway.store.log.minutes import UsageMinute, write_minutes
from gateway.store.models import UsageDay, UsageHour, database

_STRETCHED = ", ".join(
    f"{name} = {name} * ?"
    for name in ("duration_ms", "first_event_ms", "first_output_ms")
)
# What a cached token of most models costs less, in millionths of a micro-dollar.
_DISCOUNT = 1_125_000
_AT_ONCE = 500


class PastTurn(NamedTuple):
    """When a turn is to have been (unix seconds), and how many times as long."""

    request_id: str
    at: float
    slowness: float


def move_to_past(turns: Sequence[PastTurn], models: Collection[str]) -> None:
    """Have the turns been when they say. All rows there are must be of theirs.

    The scripted upstream answers at once: times are stretched to those of a model.
    `models` are those with a name of their own in the sums.
    """
    execute_many(
        database.obj,
        f"UPDATE request_log SET created_at = ?, {_STRETCHED} WHERE request_id = ?",
        [
            (int(turn.at * 1000), *[round(turn.slowness)] * 3, turn.request_id)
            for turn in turns
        ],
    )
    for table in (UsageHour, UsageDay, UsageMinute, ConversationRow):
        table.delete().execute()
    query = f"SELECT {', '.join(COLUMNS)} FROM request_log ORDER BY created_at, id"
    rows = select(database.obj, query)
    model, sums = COLUMNS.index("model"), Sums()
    sums.add(rows, [row[model] in models for row in rows])
    sums.write(database.obj)
    for at in range(0, len(rows), _AT_ONCE):
        some = rows[at : at + _AT_ONCE]
        logged = list(map(_logged, some))
        write_minutes(database.obj, some, logged)
        write_conversations(database.obj, some, logged)


def _logged(row: tuple[Any, ...]) -> dict[str, Any]:
    """What a turn's end tells beside the columns."""
    told = dict(zip(COLUMNS, row, strict=True))
    has_switched = json.loads(told["receipt"]).get("switched_from") is not None
    return {**told, "has_switched": has_switched, "cached_discount": _DISCOUNT}
