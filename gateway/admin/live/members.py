"""The processes that serve from the database, as their rows say."""

from typing import Any

from gateway.admin.entity import Field, entity, similar_fields
from gateway.repository.members import MemberState, living
from gateway.repository.revision import current_revision

MEMBER = entity(
    "Member",
    Field("id", int),
    Field("place", description="data directory, machine and process"),
    Field("version"),
    Field("state", choices=tuple(MemberState)),
    Field("url", nullable=True, description="where the others reach it"),
    Field("started_at", float),
    Field("is_behind", bool, description="has not taken the latest change over"),
    *similar_fields("turns sockets waiting", int, nullable=True),  # null: not reached
)
MEMBER_LIST = entity("Members", Field("members", MEMBER, many=True, required=True))


def list_members() -> list[dict[str, Any]]:
    """Those that have not ended, of the open database, the oldest first."""
    revision = current_revision()
    return [
        {
            "id": row.id,
            "place": row.place,
            "version": row.version,
            "state": row.state,
            "url": row.url,
            "started_at": row.started_at / 1000,
            "is_behind": row.acknowledged < revision,
        }
        for row in living()
    ]
