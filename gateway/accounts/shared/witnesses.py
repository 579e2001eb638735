"""Witnesses: who met the same failure, here or at another process. Pure.

Times are unix seconds.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gateway.accounts.health import Mark
from gateway.protocol.failure_kind import Blame

MAX_WITNESSES = 8  # of one scope
MAX_SCOPES = 10_000

Client = int | str  # the id of an API key, or a network where there are no keys


class Scope(NamedTuple):
    """What a failure speaks against: an account, or a base URL, or its model."""

    blame: Blame
    subject: int | str
    model: str | None = None


class Witness(NamedTuple):
    """Who met a failure."""

    client: Client
    conversation: str = ""


class Sighting(NamedTuple):
    """A failure that somebody met, and until when it speaks."""

    scope: Scope
    witness: Witness
    kind: str
    until: float
    evidence: str = ""

    def mark(self, now: float, until: float) -> Mark:
        """Of an account that two clients met it at."""
        return Mark(self.kind, "two clients", self.evidence, now, until, True)


class Witnesses:
    """The sightings without a success between; what others are to hear of them."""

    def __init__(self) -> None:
        self.is_shared = False  # whether there are others
        self.news: dict[tuple[Scope, Client, str], Sighting] = {}
        self.cleared: dict[Scope, None] = {}  # by a success here, for the others
        self._met: dict[Scope, list[Sighting]] = {}
        self._heard: dict[Scope, list[Sighting]] = {}

    def agree(self, met: Sighting, now: float, *, is_alone: bool) -> bool:
        """Whether another one has met the same kind of it, and it still speaks.

        Another client; or where there is only one, another conversation of its own.
        """
        scope, witness = met.scope, met.witness
        held = [one for one in self._met.pop(scope, []) if one.until > now]
        others = (one for one in self._all(scope, held) if one.until > now)
        is_same = (
            one.kind == met.kind
            and (
                one.witness != witness
                if is_alone and not self.is_shared
                else one.witness.client != witness.client
            )
            for one in others
        )
        has_agreed = any(is_same)
        kept = [one for one in held if (one.witness, one.kind) != (witness, met.kind)]
        self._met[scope] = [*kept[-MAX_WITNESSES + 1 :], met]
        if len(self._met) > MAX_SCOPES:
            del self._met[next(iter(self._met))]
        if self.is_shared:
            self.news[scope, witness.client, met.kind] = met
        return has_agreed

    def clear(self, *scopes: Scope) -> None:
        """A request went well there."""
        if not (self._met or self._heard):
            return
        for scope in scopes:
            met, heard = self._met.pop(scope, None), self._heard.pop(scope, None)
            if self.is_shared and (met or heard):
                self.cleared[scope] = None
                for one in met or ():
                    self.news.pop((scope, one.witness.client, one.kind), None)

    def hear(self, told: Iterable[Sighting], now: float) -> Iterator[Sighting]:
        """Take all that others have met; gives what is new, and not only one's word."""
        known = {one for held in self._heard.values() for one in held}
        self._heard = {}
        for one in told:
            if one.until > now and one.scope not in self.cleared:
                self._heard.setdefault(one.scope, []).append(one)
        for scope, heard in self._heard.items():
            for new in (one for one in heard if one not in known):
                if any(
                    one.kind == new.kind and one.witness.client != new.witness.client
                    for one in self._all(scope, self._met.get(scope, []))
                    if one.until > now
                ):
                    yield new

    def _all(self, scope: Scope, met: list[Sighting]) -> list[Sighting]:
        return [*met, *self._heard.get(scope, ())]
