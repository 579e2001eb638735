"""Decides what follows a failed attempt, before the commit point. Pure.

Where a failure may be tried again stands in the row of its kind, in
`protocol.failure_kind`. What concerns one account goes on to every account that may
differ; what does not is repeated once here and once elsewhere, for the answer is then
the request's own, or upstream's.
"""

from bisect import insort
from collections import Counter, deque
from dataclasses import dataclass

from gateway.failover.inner_wait import LONGEST_INNER_WAIT
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import KINDS, FailureKind, KindRules, Tries, kind_of

# Another attempt starts at most this long after the request began: beyond it the
# client would rather have the error, and a first answer may still be running.
LAST_ATTEMPT_SECONDS = 60.0
BACKOFF = 0.2


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where a request stands after its failed attempt."""

    accounts_left: int  # others that could take the request now
    here: int = 1  # attempts made at this account since it was leased
    # How the account before this one failed, if in a way that concerns upstream.
    moved_by: FailureKind | None = None
    elapsed: float = 0.0  # seconds since the request began
    judged: bool = False  # this account's judge has been asked for this request
    bound: bool = False  # no other account may answer
    troubled: bool = False  # upstream is known to be in trouble
    # Seconds until the first account tried is well again; None: not to be waited for.
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class RetryHere:
    """Try the same account after so many seconds; if `asks_judge`, ask it before."""

    after: float
    asks_judge: bool = False
    costs_budget: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Try another account."""

    costs_budget: bool = False
    is_second_try: bool = False  # in spite of upstream's trouble


@dataclass(frozen=True, slots=True)
class WaitOut:
    """Try the first account that is well again, after so many seconds."""

    after: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The failure goes to the client; `why` is for the receipt."""

    why: str


Decision = RetryHere | Elsewhere | WaitOut | GiveUp


def decide(failure: Failure, attempt: Attempt) -> Decision:
    """Decide what follows a failed attempt; called before the commit point only."""
    kind = kind_of(failure)
    rules = KINDS[kind]
    if rules.tries is Tries.NOWHERE:
        return GiveUp(f"{kind}: not to be repeated")
    if attempt.elapsed > LAST_ATTEMPT_SECONDS:
        return GiveUp(f"{kind}: {LAST_ATTEMPT_SECONDS:.0f} s are over")
    if rules.asks_judge_first and not attempt.judged:
        return RetryHere(0.0, asks_judge=True)
    others = attempt.accounts_left > 0 and not attempt.bound
    if rules.tries is Tries.HERE and attempt.here == 1:
        return RetryHere(BACKOFF)
    if rules.tries in (Tries.HERE, Tries.EACH):
        return _each(kind, rules, attempt, others=others)
    return _once(kind, failure, attempt, others=others)


def _each(kind: str, rules: KindRules, attempt: Attempt, *, others: bool) -> Decision:
    if others:
        return Elsewhere()
    if not rules.waits or attempt.wait is None:
        return GiveUp(f"{kind}: no other account can take the request")
    if attempt.wait > LONGEST_INNER_WAIT:
        return GiveUp(f"{kind}: upstream asks for {attempt.wait:.0f} s")
    return WaitOut(max(0.0, attempt.wait))


def _once(kind: str, failure: Failure, attempt: Attempt, *, others: bool) -> Decision:
    if attempt.moved_by is not None and (attempt.moved_by == kind or attempt.here > 1):
        return GiveUp(f"{kind}: no better at a second account")
    if attempt.troubled:
        if others:
            return Elsewhere(costs_budget=True, is_second_try=True)
        return GiveUp(f"{kind}: upstream is in trouble")
    others = others and attempt.moved_by is None
    # A wait that upstream in trouble asks for is the client's, which keeps it itself.
    if attempt.here == 1 and (failure.retry_after or 0.0) <= BACKOFF:
        return RetryHere(BACKOFF, costs_budget=True)
    if others:
        return Elsewhere(costs_budget=True)
    return GiveUp(f"{kind}: no other account can take the request")


class RetryBudget:
    """At most a tenth of the last minute's requests is repeated, but always three.

    Clients that were active in that minute have equal shares of it, of one repetition
    at least. `now` is any clock in seconds that does not go back.
    """

    def __init__(
        self, share: float = 0.1, least: int = 3, period: float = 60.0
    ) -> None:
        self._share = share
        self._least = least
        self._period = period
        self._requests: deque[tuple[float, int | str]] = deque()
        self._repeats: deque[tuple[float, int | str]] = deque()
        self._active: Counter[int | str] = Counter()  # requests, by client
        self._repeated: Counter[int | str] = Counter()
        self.refused = 0
        self.members = 1  # processes that have the least together

    def count(self, client: int | str, now: float) -> None:
        """A client's request has begun."""
        self._forget(now)
        self._requests.append((now, client))
        self._active[client] += 1

    def allow(
        self, decision: Decision, client: int | str, now: float, elapsed: float = 0.0
    ) -> Decision:
        """The decision itself, paid for; GiveUp when the budget is spent.

        A repetition is forgotten with its request, which began `elapsed` seconds ago.
        """
        if not isinstance(decision, RetryHere | Elsewhere) or not decision.costs_budget:
            return decision
        self._forget(now)
        least = -(-self._least // self.members)
        allowed = max(least, int(len(self._requests) * self._share))
        of_client = max(1, allowed // max(1, len(self._active)))
        # What somebody spent while nobody else was there is not taken from the others.
        spent = sum(min(of_client, spent) for spent in self._repeated.values())
        is_spent = spent >= allowed or len(self._repeats) >= 2 * allowed
        # What others leave of their shares may be used, and is still theirs.
        is_all = self._repeated[client] >= of_client and len(self._repeats) >= allowed
        if is_spent or is_all:
            self.refused += 1
            return GiveUp("the budget for repeated requests is spent")
        insort(self._repeats, (now - elapsed, client), key=lambda one: one[0])
        self._repeated[client] += 1
        return decision

    def _forget(self, now: float) -> None:
        for dates, counts in (
            (self._requests, self._active),
            (self._repeats, self._repeated),
        ):
            while dates and dates[0][0] <= now - self._period:
                _, client = dates.popleft()
                counts[client] -= 1
                if not counts[client]:
                    del counts[client]
