"""What a member and the database tell each other of grants, in one transaction.

All of it runs in the caller's transaction, on its thread's connection.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.cluster.shares import (
    Ask,
    Grant,
    ResourceRows,
    ShareDecision,
    decide_share,
    reported,
)
from gateway.keys.shared.share import Holding, Resource, Share
from gateway.store.models import database
from gateway.store.shared import grants as rows
from gateway.store.shared.calling import call_out
from gateway.store.shared.grants import GrantKey, Known, StoredAsk, StoredGrant
from gateway.store.shared.tables import database_now_ms

CALL = "grants"  # somebody lacks something, or has given it back


class Answer(NamedTuple):
    """What one exchange with the database told."""

    shares: dict[Resource, Share]
    asked: dict[Resource, float]  # by others, since then (time.monotonic)
    asking: frozenset[Resource]  # what is lacking here


def write_holdings(
    member: int, holdings: Sequence[Holding], *, is_alone: bool = False
) -> None:
    """Write what a member has used and holds; alone, no more is granted to it."""
    if holdings:
        now = database_now_ms(database.obj)
        written = [(_key(one), _row(one)) for one in holdings]
        rows.write_grants(member, written, now, decided=is_alone)


def exchange_grants(
    member: int, holdings: Sequence[Holding], asking: frozenset[Resource]
) -> Answer:
    """Write it, ask for what is wanted and give back what is frozen."""
    if holdings:
        rows.lock(member, (_key(one) for one in holdings if one.want or one.is_frozen))
    known = rows.read_grants([_key(one) for one in holdings])
    decisions = {one.resource: _decide(member, one, known) for one in holdings}
    decided = [
        (_key_of(resource), StoredGrant(*one.grant[:4]))
        for resource, one in decisions.items()
    ]
    if decided:
        rows.write_grants(member, decided, known.now, decided=True)
    asks = {
        resource: StoredAsk(_key_of(resource), member, one.ask.amount, one.ask.since)
        for resource, one in decisions.items()
        if one.ask is not None
    }
    if asks or asking:
        rows.replace_asks(member, asks.values(), known.now)
    if asks.keys() - asking or _has_given_back(member, decisions, known):
        call_out(CALL)
    asked: dict[Resource, float] = {}
    for ask in known.asks:
        if ask.member != member:
            since = known.at - (known.now - ask.since) / 1000
            resource = Resource(ask.resource[0], ask.resource[1] // 1000)
            asked[resource] = min(since, asked.get(resource, since))
    shares = {resource: one.share for resource, one in decisions.items()}
    return Answer(shares, asked, frozenset(asks))


def _has_given_back(
    member: int, decisions: Mapping[Resource, ShareDecision], known: Known
) -> bool:
    return any(
        row.granted > one.grant.granted
        for resource, one in decisions.items()
        for row in known.grants.get(_key_of(resource), ())
        if row.member == member
    )


def _decide(member: int, holding: Holding, known: Known) -> ShareDecision:
    key = _key(holding)
    grants = [
        Grant(*one, is_ended=one.member not in known.living)
        for one in known.grants.get(key, ())
    ]
    asks = [
        Ask(one.since, one.member, one.amount)
        for one in known.asks
        if one.resource == key
    ]
    held = ResourceRows(grants, asks, known.past.get(key, 0))
    if member not in known.living:
        return reported(member, holding, held)
    waited = max(0.0, known.at - holding.began)
    return decide_share(member, holding, held, known.now - round(waited * 1000))


def _row(holding: Holding) -> StoredGrant:
    floor = holding.used + holding.held
    return StoredGrant(0, floor, holding.used, holding.held)


def _key(holding: Holding) -> GrantKey:
    return _key_of(holding.resource)


def _key_of(resource: Resource) -> GrantKey:
    return resource.name, resource.window * 1000
