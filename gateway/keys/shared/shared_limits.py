"""SharedLimits: the limiter's word with the other processes that serve.

Alone, nothing here is ever asked. With others, each process admits turns within what it
was granted; what it lacks is wanted for who has waited longest, and asked for by the
owner of `lacking`, which hands in the answers.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from gateway.events import Topic
from gateway.keys.counters import Hold, Ledger, WindowCounter
from gateway.keys.key import Key
from gateway.keys.request_rate import RequestRate, rate_of, turns_of
from gateway.keys.reservation import LimitsUnknown, WaitingTurn
from gateway.keys.shared.share import (
    JUST_NOW,
    NOTHING_GRANTED,
    Holding,
    Resource,
    Share,
    Want,
)

# A request waits so long to hear of a rate: until a silent process is dead.
RATE_PATIENCE = 35.0
# Counters of windows that have ended are forgotten beyond these.
_MOST_COUNTERS = 10_000


class SharedLimits:
    """Used on the limiter's loop."""

    def __init__(
        self,
        ledger: Ledger,
        rate: RequestRate,
        lines: Mapping[int, Sequence[WaitingTurn]],
        clock: Callable[[], float],
    ) -> None:
        """`lines`: of each key, the turns that wait."""
        # Whether others count on what is admitted here; or do not, and hear no beat.
        self.may_spend: Callable[[], bool] = lambda: True
        self.is_cut_off: Callable[[], bool] = lambda: False
        self.lacking = Topic[None]()  # somebody waits for more, or is waited for
        self.answered = Topic[None]()  # what was granted may let turns go on
        # Keys whose requests wait for a place before their bodies are read.
        self.unread: dict[int, tuple[Key, Want]] = {}
        self._ledger = ledger
        self._rate = rate
        self._lines = lines
        self._clock = clock
        self._counters: dict[Resource, WindowCounter] = {}
        self._asked: dict[Resource, float] = {}
        self._rates: dict[object, tuple[Resource, Want]] = {}  # of each that waits
        self._answer: asyncio.Future[None] | None = None
        self._unwritten: list[WindowCounter] = []

    @property
    def are_shared(self) -> bool:
        return self._ledger.is_shared

    def begin(self, keys: Iterable[Key]) -> None:
        """Others serve, too: from now on no more is admitted than what is in hand."""
        if self.are_shared:
            return
        self._ledger.is_shared = True
        for counter in self._ledger:
            granted = counter.own + counter.reserved
            elsewhere = counter.used - counter.own
            counter.share = Share(granted, used=elsewhere, lost=counter.lost)
            if granted:
                self._counters[counter.resource] = counter
                self._ledger.mark_dirty(counter)
        self._rate.begin_sharing(keys, self._clock())

    def begin_anew(self) -> None:
        """Others have taken over: of what was granted, what is in hand is left."""
        for resource in (*self._counters, *self._rate.known()):
            holding, share = self._holding(resource), self._share(resource)
            if holding is not None and share is not None:
                granted = holding.used + holding.held
                self._set(resource, share._replace(granted=granted, is_sole=False))
        self._rate.mark_dirty()

    def restore(
        self,
        keys: Iterable[Key],
        used: Iterable[tuple[int, int, int, int]],
        levels: Mapping[str, Sequence[tuple[int, int, bool]]],
        *,
        is_alone: bool,
    ) -> None:
        """Know what others have used; alone, all that is left is here from now on.

        `used`: as for `Ledger.restore`; `levels`: of each, what others hold, seconds
        since it was written, and whether they live.
        """
        if is_alone:
            self._ledger.is_shared = False
            for counter in self._ledger:
                counter.share = None
            self._rate.end_sharing()
            self._counters.clear()
            self._asked.clear()
        else:
            self.begin(keys)
        self._ledger.restore(used)
        for key in keys:
            self._restore_levels(key, levels, is_alone=is_alone)
        self._tell()

    def _restore_levels(
        self,
        key: Key,
        levels: Mapping[str, Sequence[tuple[int, int, bool]]],
        *,
        is_alone: bool,
    ) -> None:
        for resource in (turns_of(key), rate_of(key)):
            found = levels.get(resource.name, ())
            if is_alone and resource == rate_of(key):
                now = self._clock()
                starts = [now - age for held, age, _ in found for _ in range(held)]
                self._rate.add_starts(key, tuple(starts))
            elif found and not is_alone and not self._rate.share(resource).granted:
                held = sum(held for held, _, lives in found if lives)
                share = NOTHING_GRANTED._replace(held=held)
                self._rate.take(resource, share)

    def fits(self, hold: Hold, began: float) -> bool:
        """Whether a turn fits into what is granted; an open limit asks for no grant
        where there is nobody to ask."""
        if self.are_shared and not self.may_spend():
            return hold.counter.limit.is_open and not hold.counter.is_exhausted
        return hold.counter.fits(hold, began)

    def refuse_unknown(self, key: Key, model: str | None) -> None:
        """Raise the answer of limits of which nobody knows what is left."""
        if self.is_cut_off() and self.are_shared and key.has_closed_limit(model):
            raise LimitsUnknown

    def note_freed(self) -> None:
        """A turn has ended; somebody elsewhere may wait for what it held."""
        if self._asked:
            self.lacking.publish(None)

    async def await_rate(self, key: Key, more: int) -> None:
        """Return when the key may start so many more requests and one, or cannot."""
        resource, loop = rate_of(key), asyncio.get_running_loop()
        began, waiter, before = loop.time(), object(), self._rate.share(resource)
        try:
            while self.are_shared and loop.time() - began < RATE_PATIENCE:
                now, share = self._clock(), self._rate.share(resource)
                if self._rate.full_until(key, now, more) is None:
                    return
                holding = self._rate.holding(resource, now)
                if holding is None or holding.held + more >= holding.maximum:
                    return
                if share is not before and share.is_all_held:
                    return
                if waiter not in self._rates:
                    self._rates[waiter] = resource, Want(more + 1, began)
                    self.lacking.publish(None)
                self._answer = self._answer or loop.create_future()
                left = RATE_PATIENCE - (loop.time() - began)
                await asyncio.wait({self._answer}, timeout=left)
        finally:
            self._rates.pop(waiter, None)

    def holdings(self) -> list[Holding]:
        """What is to be written down, and what is wanted or asked for with it."""
        self._unwritten = self._ledger.take_dirty()
        if not self.are_shared:
            return [one.holding() for one in self._unwritten]
        wants = self._wants()
        for counter in self._unwritten:
            self._counters[counter.resource] = counter
            wants.setdefault(counter.resource, Want(0, JUST_NOW))
        for resource in (*self._rate.take_dirty(), *self._asked):
            wants.setdefault(resource, Want(0, JUST_NOW))
        found = map(self._holding, wants)
        return [
            self._freeze(holding)._replace(**wants[holding.resource]._asdict())
            for holding in found
            if holding is not None
        ]

    def unwritten(self) -> list[Holding]:
        """Of all that the database may not have yet; it stays to be written down."""
        counters = dict.fromkeys((*self._unwritten, *self._ledger.dirty))
        levels = map(self._rate_holding, self._rate.unwritten)
        found = (*(one.holding() for one in counters), *levels)
        return [one for one in found if one is not None]

    def note_unwritten(self) -> None:
        """The database did not take the last of `holdings`: they come once more."""
        for counter in self._unwritten:
            self._ledger.mark_dirty(counter)
        self._rate.mark_dirty()

    def take(
        self, shares: Mapping[Resource, Share], asked: Mapping[Resource, float]
    ) -> bool:
        """Go by what was granted; `asked`: since when others lack what (loop time).

        Whether something is to be given back.
        """
        if not self.are_shared:
            return False
        self._unwritten = []
        before, self._asked = self._asked, dict(asked)
        for resource in {*before, *asked, *shares}:
            known = self._share(resource)
            if known is not None:  # else it is no key's
                at, share = asked.get(resource, math.inf), shares.get(resource, known)
                self._set(resource, share._replace(asked_at=at))
        self._forget()
        self._tell()
        return any(map(self._lies_idle, asked.keys() - before.keys()))

    @property
    def is_waiting(self) -> bool:
        """Whether anybody here waits, or is waited for."""
        return bool(self._lines or self.unread or self._rates or self._asked)

    def _wants(self) -> dict[Resource, Want]:
        """Of each resource, what is wanted for who has waited longest here."""
        wants: dict[Resource, Want] = {}
        for resource, one in self._rates.values():  # the oldest first
            before = wants.get(resource, one)
            wants[resource] = before._replace(want=max(before.want, one.want))
        now = self._clock()
        for key, want in self.unread.values():
            wants[turns_of(key)] = want
        for turn in (turn for line in self._lines.values() for turn in line):
            if turn.admitted.done():
                continue
            for counter in self._ledger.counters(turn.key, turn.model, now):
                self._counters[counter.resource] = counter
                hold = counter.hold(turn.estimate)
                wants.setdefault(counter.resource, Want(hold.reserved, turn.began))
            if turn.key.concurrency:
                self._rate.has_room(turn.key)  # from now on it is known
                place = wants.setdefault(turns_of(turn.key), Want(1, turn.began))
                if turn.began < place.began:
                    wants[turns_of(turn.key)] = Want(1, turn.began)
        return wants

    def _holding(self, resource: Resource) -> Holding | None:
        counter = self._counters.get(resource)
        return counter.holding() if counter else self._rate_holding(resource)

    def _rate_holding(self, resource: Resource) -> Holding | None:
        return self._rate.holding(resource, self._clock())

    def _lies_idle(self, resource: Resource) -> bool:
        holding, share = self._holding(resource), self._share(resource)
        if holding is None or share is None:
            return False
        return share.granted > holding.used + holding.held

    def _freeze(self, holding: Holding) -> Holding:
        """Admit no more of what is asked for elsewhere, to give it back."""
        if holding.resource not in self._asked:
            return holding
        share = self._share(holding.resource) or NOTHING_GRANTED
        granted = min(share.granted, holding.used + holding.held)
        self._set(holding.resource, share._replace(granted=granted, is_sole=False))
        return holding._replace(is_frozen=True)

    def _share(self, resource: Resource) -> Share | None:
        counter = self._counters.get(resource)
        if counter is not None:
            return counter.share
        return self._rate.share(resource) if resource in self._rate.known() else None

    def _set(self, resource: Resource, share: Share) -> None:
        counter = self._counters.get(resource)
        if counter is not None:
            counter.take(share)
        else:
            self._rate.take(resource, share)

    def _forget(self) -> None:
        if len(self._counters) > _MOST_COUNTERS:
            now = self._clock()
            kept = {
                one: counter
                for one, counter in self._counters.items()
                if counter.end > now or counter.reserved
            }
            self._counters = kept

    def _tell(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(None)
        self.answered.publish(None)
