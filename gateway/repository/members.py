"""Rows of members: how a process joins the others, beats, and ends."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from gateway.repository.revision import raise_revision
from gateway.store.models import now_ms
from gateway.store.shared.grants import revoke
from gateway.store.shared.tables import ClaimRow, MemberRow

# A change is made once it holds at all members, or so long after it was.
FOLLOW_SECONDS = 5.0
# Of members that ended: so long a late writer finds its row, and a person the reason.
KEPT_MS = 24 * 3_600_000


class MemberState(StrEnum):
    """What a member does; ENDED: it has left, or the others took over from it."""

    JOINING = "joining"
    SERVING = "serving"
    LEAVING = "leaving"
    ENDED = "ended"


class Identity(NamedTuple):
    """What does not change of a member."""

    directory: str
    place: str
    version: str


class Beat(NamedTuple):
    """What a member writes of itself every two seconds."""

    number: int
    state: MemberState
    acknowledged: int
    url: str | None


def join(who: Identity, *, ends_directory: bool, ends_all: bool) -> int:
    """A new member's number. The others learn of it by the revision.

    `ends_directory`: earlier members of the data directory are known to be dead, for
    its lock was free; `ends_all`: all are, for the database's was.
    """
    is_living = MemberRow.state != MemberState.ENDED
    if ends_all:
        _end(is_living)
    elif ends_directory:
        _end(is_living & (MemberRow.directory == who.directory))
    MemberRow.delete().where(MemberRow.ended_at < now_ms() - KEPT_MS).execute()
    id = MemberRow.insert(
        **who._asdict(), state=MemberState.JOINING, started_at=now_ms()
    ).execute()
    raise_revision(is_of_members=True)
    return int(id)


def mark_of(row: MemberRow) -> str:
    """What tells a start from all others, as `served_by` finds it in its database."""
    return f"{row.id}.{row.started_at}"


def living() -> list[MemberRow]:
    """The members that have not ended, the oldest first."""
    is_living = MemberRow.state != MemberState.ENDED
    return list(MemberRow.select().where(is_living).order_by(MemberRow.id))


def behind(revision: int) -> list[MemberRow]:
    """The living members that have not taken it over yet."""
    return [row for row in living() if row.acknowledged < revision]


def beat(id: int, told: Beat) -> list[MemberRow] | None:
    """Write the beat; the living members, None if this one was taken over from."""
    row = {
        "heartbeat": told.number,
        "state": told.state,
        "acknowledged": told.acknowledged,
        "url": told.url,
    }
    mine = (MemberRow.id == id) & (MemberRow.state != MemberState.ENDED)
    return living() if MemberRow.update(row).where(mine).execute() else None


def come_back(id: int, who: Identity, told: Beat) -> None:
    """Live again, as the same member, after the others have taken over."""
    row = {
        **who._asdict(),
        "heartbeat": told.number,
        "state": told.state,
        "ended_at": None,
    }
    MemberRow.insert(id=id, started_at=now_ms(), **row).on_conflict(
        conflict_target=[MemberRow.id], update=row
    ).execute()
    raise_revision(is_of_members=True)


def end(id: int, beat: int | None = None) -> bool:
    """Whether it was living, and is not any more; with `beat`, only if it is the last.

    What it has claimed is anybody's, and the others learn of it by the revision.
    """
    this = (MemberRow.id == id) & (MemberRow.state != MemberState.ENDED)
    if beat is not None:
        this &= MemberRow.heartbeat == beat
    if not _end(this):
        return False
    ClaimRow.delete().where(ClaimRow.member_id == id).execute()
    raise_revision(is_of_members=True)
    return True


def _end(these: object) -> int:
    ids = [row.id for row in MemberRow.select(MemberRow.id).where(these)]
    ended = {"state": MemberState.ENDED, "ended_at": now_ms()}
    changed = int(MemberRow.update(ended).where(these).execute())
    revoke(ids)
    return changed


def acknowledge(
    id: int, told: Beat, also: Sequence[Callable[[], None]]
) -> list[MemberRow] | None:
    """Beat, and write what others count on once they see the acknowledgement."""
    for write in also:
        write()
    return beat(id, told)
