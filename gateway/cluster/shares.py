"""Shares: what of a scarce resource a member is granted; pure.

Each member has a row a resource: what it was granted, used and holds. What all rows
claim together is never granted a second time, so that no two members admit turns on the
same rest. Who lacks something leaves a row that asks for it; whoever has more than it
uses and holds gives that back, and what is free goes to who has waited longest.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.keys.shared.share import Holding, Share


class Grant(NamedTuple):
    """A member's row of one resource; all are absolute values."""

    member: int
    granted: int
    used: int
    held: int
    written_at: int = 0  # the database's unix ms
    is_ended: bool = False  # the member: what it held last counts as used

    @property
    def claim(self) -> int:
        """What nobody else can have."""
        return max(self.granted, self.used + self.held)


class Ask(NamedTuple):
    """A member lacks so much of a resource, since then (the database's unix ms)."""

    since: int
    member: int
    amount: int


class ResourceRows(NamedTuple):
    """What the database has of one resource."""

    grants: Sequence[Grant] = ()
    asks: Sequence[Ask] = ()  # of members that live
    past: int = 0  # used by members whose rows have been added up


class ShareDecision(NamedTuple):
    """What a member's rows are to be, and what it is told."""

    grant: Grant
    ask: Ask | None
    share: Share


def decide_share(
    member: int, holding: Holding, held: ResourceRows, since: int
) -> ShareDecision:
    """What a member is granted; `since`: when who waits longest there began to.

    Gives nothing back but of a frozen holding: of others, the member may just now
    admit something more.
    """
    own = next((one for one in held.grants if one.member == member), None)
    others = [one for one in held.grants if one.member != member]
    floor = holding.used + holding.held
    need = floor + holding.want
    granted = own.granted if own else 0
    asks = [ask for ask in held.asks if ask.member != member]
    before = [ask for ask in asks if not holding.want or ask[:2] < (since, member)]
    if holding.is_frozen and asks:
        granted = min(granted, floor if before else need)
    left = holding.maximum - held.past - sum(one.claim for one in others)
    granted = min(granted, max(floor, left))  # the maximum may have been lowered
    free = left - max(granted, floor)
    free -= sum(ask.amount for ask in before)
    if holding.want and free > 0 and granted < need:
        # While nobody else lacks any, enough for the next turns, too: half of what is
        # left, so that slices shrink to one turn towards the end.
        fair = need if asks else max(need, max(granted, floor) + free // 2)
        granted = min(max(granted, floor) + free, fair)
    missing = max(0, need - granted) if holding.want else 0
    share = _share(granted, held, others, since)
    running = holding.held + share.held + share.idle
    is_sole = bool(missing and not before and not running) and granted > holding.used
    share = share._replace(missing=missing, is_sole=is_sole)
    grant = Grant(member, granted, holding.used, holding.held)
    return ShareDecision(grant, Ask(since, member, missing) if missing else None, share)


def reported(member: int, holding: Holding, held: ResourceRows) -> ShareDecision:
    """What is told of a member that the others have taken over from.

    Its turns that run are its own; nothing more is granted.
    """
    floor = holding.used + holding.held
    others = [one for one in held.grants if one.member != member]
    grant = Grant(member, floor, holding.used, holding.held)
    return ShareDecision(grant, None, _share(floor, held, others))


def _share(
    granted: int, held: ResourceRows, others: Sequence[Grant], since: int = 0
) -> Share:
    living = [one for one in others if not one.is_ended]
    return Share(
        granted,
        used=held.past + sum(one.used for one in others),
        lost=sum(one.held for one in others if one.is_ended),
        held=sum(one.held for one in living),
        idle=sum(one.claim - one.used - one.held for one in living),
        is_old=any(one.held and one.written_at < since for one in living),
    )
