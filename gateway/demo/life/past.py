"""Moves turns that were just played to past days: rows of the log, and its sums."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from gateway.store.database import execute_many, select
from gateway.store.log.log_rows import COLUMNS, Sums
from gateway.store.models import UsageDay, UsageHour, database

_STRETCHED = ", ".join(
    f"{name} = {name} * ?"
    for name in ("duration_ms", "first_event_ms", "first_output_ms")
)


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
    for table in (UsageHour, UsageDay):
        table.delete().execute()
    rows = select(database.obj, f"SELECT {', '.join(COLUMNS)} FROM request_log")
    model, sums = COLUMNS.index("model"), Sums()
    sums.add(rows, [row[model] in models for row in rows])
    sums.write(database.obj)
