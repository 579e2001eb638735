"""Decides what follows a failed attempt. Pure.

How often a failure may be repeated, where, and whether that costs budget stands in
the row of its kind, in `protocol.failure_kind`.
"""

from collections import deque
from dataclasses import dataclass

from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import KINDS, FailureKind, RetryRule, kind_of

# Another attempt starts at most this long after the request began: beyond it the
# client would rather have the error, and a first answer may still be running.
LAST_ATTEMPT_SECONDS = 60.0
MAX_ATTEMPTS = 6  # of the kinds that cost budget; the others end with the accounts
MAX_ALONE = 3  # attempts at one account when there is no other
LONGEST_RETRY_WAIT = 5.0  # a longer Retry-After is the client's to wait for
FIRST_BACKOFF = 0.2  # doubles with each attempt at the same account


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where a request stands after its failed attempt."""

    number: int  # attempts made, this one included
    accounts_left: int  # others that could take the request now
    here: int = 1  # attempts made at this account since it was leased
    elapsed: float = 0.0  # seconds since the request began
    refreshed: bool = False  # this account's token was refreshed for this request
    pinned: bool = False  # no other account may answer


@dataclass(frozen=True, slots=True)
class RetryHere:
    """Try the same account after so many seconds; with a new token if `refresh`."""

    after: float
    refresh: bool = False
    costs_budget: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Try another account after so many seconds."""

    after: float
    costs_budget: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The failure goes to the client; `why` is for the receipt."""

    why: str


Decision = RetryHere | Elsewhere | GiveUp


def decide(failure: Failure, attempt: Attempt) -> Decision:
    """Decide what follows a failed attempt; called before the commit point only."""
    kind = kind_of(failure)
    rule = KINDS[kind].retry
    end = _end(kind, rule, attempt)
    if end is not None:
        return GiveUp(end)
    if rule.refreshes_token and not attempt.refreshed:
        return RetryHere(0.0, refresh=True)
    others = attempt.accounts_left > 0 and not attempt.pinned
    # Retry-After speaks of this account; its cooldown honours it, others go on.
    asked_to_wait = failure.retry_after is not None and failure.retry_after > 0
    if others and (attempt.here >= rule.here or asked_to_wait):
        return Elsewhere(0.0, rule.costs_budget)
    if attempt.here >= (rule.here if others or not rule.waits else MAX_ALONE):
        return GiveUp(f"{kind}: no other account can take the request")
    pause = failure.retry_after or FIRST_BACKOFF * 2 ** (attempt.here - 1)
    if pause > LONGEST_RETRY_WAIT:
        return GiveUp(f"{kind}: upstream asks for {pause:.0f} s")
    return RetryHere(pause, costs_budget=rule.costs_budget)


def _end(kind: FailureKind, rule: RetryRule, attempt: Attempt) -> str | None:
    """What forbids any further attempt."""
    if rule.here == 0:
        return f"{kind}: not to be repeated"
    if attempt.elapsed > LAST_ATTEMPT_SECONDS:
        return f"{kind}: {LAST_ATTEMPT_SECONDS:.0f} s are over"
    if rule.costs_budget and attempt.number >= MAX_ATTEMPTS:
        return f"{kind}: {MAX_ATTEMPTS} attempts are enough"
    return None


class RetryBudget:
    """At most a tenth of the last minute's requests is repeated, but always three.

    `now` is any clock in seconds that does not go back.
    """

    def __init__(
        self, share: float = 0.1, least: int = 3, period: float = 60.0
    ) -> None:
        self._share = share
        self._least = least
        self._period = period
        self._requests: deque[float] = deque()
        self._repeats: deque[float] = deque()
        self.refused = 0

    def count(self, now: float) -> None:
        """A client's request has begun."""
        self._forget(now)
        self._requests.append(now)

    def allow(self, decision: Decision, now: float) -> Decision:
        """The decision itself, paid for; GiveUp when the budget is spent."""
        if isinstance(decision, GiveUp) or not decision.costs_budget:
            return decision
        self._forget(now)
        allowed = max(self._least, int(len(self._requests) * self._share))
        if len(self._repeats) >= allowed:
            self.refused += 1
            return GiveUp("the budget for repeated requests is spent")
        self._repeats.append(now)
        return decision

    def _forget(self, now: float) -> None:
        for dates in (self._requests, self._repeats):
            while dates and dates[0] <= now - self._period:
                dates.popleft()
