"""Notices: what was told, by which channel, and what became of it."""

from typing import Any

from gateway.admin.entities import PLACE
from gateway.admin.entity import Field, entity, similar_fields
from gateway.store.notices import StoredNotice, latest_notices

MOST_NOTICES = 1_000
STATES = ("told", "waiting", "given up")

NOTICE = entity(
    "Notice",
    Field("id", int),
    Field("at", float, description="when it was found to hold"),
    *similar_fields("event title text"),
    Field("channel"),
    Field("state", choices=STATES),
    Field("attempts", int),
    Field("answer", description="the channel's last, or why there is none"),
    *similar_fields("told_at next_at", float, nullable=True),
    Field("is_over", bool, description="what it tells holds no more"),
)
NOTICE_LIST = entity("NoticeList", Field("notices", NOTICE, many=True, required=True))
NOTICE_QUERY = entity(
    "NoticeQuery",
    Field("limit", int, default=100, bounds=(1, MOST_NOTICES), is_query=True),
    *PLACE,
)
_TRIED = entity(
    "TriedChannel",
    *similar_fields("channel answer", required=True),
    Field("ok", bool, required=True),
)
TRIED_LIST = entity("TriedChannels", Field("tried", _TRIED, many=True, required=True))


def list_notices(most: int) -> list[dict[str, Any]]:
    """The newest first; one for each channel."""
    return page_of_notices(most, None, None)


def page_of_notices(
    most: int, before: int | None, after: int | None
) -> list[dict[str, Any]]:
    """The same of those before or next after a row's `id`."""
    return [_shown(row) for row in latest_notices(most, before, after)]


def _shown(row: StoredNotice) -> dict[str, Any]:
    is_waiting, is_told = row["next_at"] is not None, row["told_at"] is not None
    return NOTICE.shown(
        None,
        **{name: row[name] for name in ("id", "event", "title", "text", "channel")},
        at=row["created_at"] / 1000,
        state="waiting" if is_waiting else "told" if is_told else "given up",
        attempts=row["attempts"],
        answer=row["answer"],
        told_at=_seconds(row["told_at"]),
        next_at=_seconds(row["next_at"]),
        is_over=row["over_at"] > 0,
    )


def _seconds(moment: int | None) -> float | None:
    return None if moment is None else moment / 1000
