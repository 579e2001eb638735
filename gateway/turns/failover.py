"""What to do about a failed attempt: one table, no I/O, no clock.

`decide` is asked before the commit point only. A failure is first given its kind;
the kind's row says how often to try again, where, and at whose expense.
"""

import re
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from gateway.protocol.facts import Failure

# Another attempt starts at most this long after the request began: beyond it the
# client would rather have the error, and a first answer may still be running.
DEADLINE = 60.0
MAX_ATTEMPTS = 6  # of the kinds that cost budget; the others end with the accounts
MAX_ALONE = 3  # attempts at one account when there is no other
LONGEST_WAIT = 5.0  # a longer Retry-After is the client's to wait for
FIRST_BACKOFF = 0.2  # doubles with each attempt at the same account


class Kind(StrEnum):
    """What a failure means for the account and for the request."""

    CONNECT = "connect"  # no connection
    BROKEN = "broken"  # connection lost before an answer
    TIMEOUT = "timeout"
    SERVER = "server_error"
    OVERLOADED = "overloaded"
    SOCKET_ENDED = "socket_ended"  # the provider's limit for the age of a socket
    NO_SOCKETS = "no_sockets"
    RATE = "rate_limit"  # too fast; passes in seconds
    LIMIT = "usage_limit"  # a window is used up
    QUOTA = "quota"  # plan or balance does not cover the request
    UNAUTHORISED = "unauthorised"
    DEAD = "login_required"  # no token helps any more
    REFUSED = "refused"  # this account is turned away, not this request
    MODEL = "model"  # not part of this account's plan
    ANCHOR = "anchor"  # previous_response_id is unknown
    CLIENT = "client"  # the request itself is at fault
    CUT = "cut"  # inside a stream that the client already sees


PERMANENT_CODES = frozenset(
    {
        "refresh_token_expired",
        "refresh_token_reused",
        "refresh_token_invalidated",
        "account_deactivated",
        "account_suspended",
        "account_deleted",
    }
)
_KIND_OF_CODE = {
    **dict.fromkeys(PERMANENT_CODES, Kind.DEAD),
    "no_credentials": Kind.DEAD,
    "usage_limit_reached": Kind.LIMIT,
    "rate_limit_exceeded": Kind.RATE,
    "insufficient_quota": Kind.QUOTA,
    "quota_exceeded": Kind.QUOTA,
    "usage_not_included": Kind.QUOTA,
    "model_not_found": Kind.MODEL,
    "model_not_supported": Kind.MODEL,
    "previous_response_not_found": Kind.ANCHOR,
    "websocket_connection_limit_reached": Kind.SOCKET_ENDED,
    "server_is_overloaded": Kind.OVERLOADED,
    "slow_down": Kind.OVERLOADED,
    "server_error": Kind.SERVER,
    "internal_server_error": Kind.SERVER,
    "upstream_error": Kind.SERVER,
    "upstream_protocol_error": Kind.SERVER,
    "token_refresh_failed": Kind.REFUSED,
    "rate_limit_error": Kind.RATE,
    "deactivated_workspace": Kind.QUOTA,
    **dict.fromkeys(("authentication_error", "invalid_api_key"), Kind.UNAUTHORISED),
    **dict.fromkeys(("token_expired", "token_invalidated"), Kind.UNAUTHORISED),
    "stream_incomplete": Kind.BROKEN,
}
_KIND_OF_STATUS = {
    401: Kind.UNAUTHORISED,
    402: Kind.QUOTA,
    408: Kind.TIMEOUT,
    429: Kind.RATE,
    503: Kind.OVERLOADED,
    529: Kind.OVERLOADED,
}
# Upstream words the refusal of a model in prose, with status 400 and no code.
_MODEL_REFUSED = re.compile(
    r"model\b.{0,120}\bnot (?:supported|available|included)\b"
    r"|not have access to (?:the )?model",
    re.IGNORECASE | re.DOTALL,
)


# Facts about the account hold wherever they are said, inside a stream too.
_FACTS_IN_STREAM = frozenset({Kind.LIMIT, Kind.RATE, Kind.QUOTA, Kind.DEAD})


def kind_of(failure: Failure) -> Kind:
    """Codes go before statuses, for a socket's failures may have no status."""
    kind = _kind_by_code(failure)
    if failure.phase == "stream" and kind not in _FACTS_IN_STREAM:
        return Kind.CUT
    if kind is not None:
        return kind
    if failure.status is None:
        return _kind_without_status(failure)
    return _kind_by_status(failure, failure.status)


def _kind_by_code(failure: Failure) -> Kind | None:
    for word in (failure.code, failure.type):
        kind = _KIND_OF_CODE.get(word or "")
        if kind is not None:
            return kind
    return None


def _kind_by_status(failure: Failure, status: int) -> Kind:
    if failure.phase == "handshake" and status in (404, 405, 426):
        return Kind.NO_SOCKETS
    if status == 403 and failure.code is None:
        return Kind.REFUSED
    if status == 400 and _MODEL_REFUSED.search(failure.message):
        return Kind.MODEL
    by_class = Kind.SERVER if status >= 500 else Kind.CLIENT
    return _KIND_OF_STATUS.get(status, by_class)


def _kind_without_status(failure: Failure) -> Kind:
    """No answer at all, or an event whose code is none of the known ones.

    An unknown code is taken for a verdict on the request: repeating it would cost
    tokens and blame accounts, and the client may know what it means.
    """
    if failure.code is not None and failure.code.endswith("timeout"):
        return Kind.TIMEOUT
    if failure.phase in ("connect", "handshake"):
        return Kind.CONNECT
    if failure.origin == "network":
        return Kind.BROKEN
    is_nameless = failure.origin == "upstream" and failure.code is None
    return Kind.SERVER if is_nameless else Kind.CLIENT


@dataclass(frozen=True, slots=True)
class Rule:
    """`here`: attempts at one account while there are others; `costs_budget`: the
    repetition may hit an upstream that is down altogether."""

    here: int
    elsewhere: bool
    waits: bool  # repeated on a lone account, after a pause
    costs_budget: bool


_AGAIN = Rule(here=2, elsewhere=True, waits=True, costs_budget=True)
_MOVE_ON = Rule(here=1, elsewhere=True, waits=True, costs_budget=True)
_OTHER_ACCOUNT = Rule(here=1, elsewhere=True, waits=False, costs_budget=False)
_NEVER = Rule(here=1, elsewhere=False, waits=False, costs_budget=False)

RULES: dict[Kind, Rule] = {
    Kind.CONNECT: _AGAIN,
    Kind.BROKEN: _AGAIN,
    Kind.TIMEOUT: _MOVE_ON,
    Kind.SERVER: _AGAIN,
    Kind.OVERLOADED: _MOVE_ON,
    Kind.SOCKET_ENDED: Rule(here=2, elsewhere=True, waits=False, costs_budget=False),
    Kind.NO_SOCKETS: _OTHER_ACCOUNT,
    Kind.RATE: Rule(here=1, elsewhere=True, waits=True, costs_budget=False),
    Kind.LIMIT: _OTHER_ACCOUNT,
    Kind.QUOTA: _OTHER_ACCOUNT,
    Kind.UNAUTHORISED: _OTHER_ACCOUNT,  # after one refresh here, see decide
    Kind.DEAD: _OTHER_ACCOUNT,
    Kind.REFUSED: _OTHER_ACCOUNT,
    Kind.MODEL: _OTHER_ACCOUNT,
    Kind.ANCHOR: _NEVER,
    Kind.CLIENT: _NEVER,
    Kind.CUT: _NEVER,
}


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
    """The one answer to a failed attempt before the commit point."""
    kind = kind_of(failure)
    rule = RULES[kind]
    end = _end(kind, rule, attempt)
    if end is not None:
        return GiveUp(end)
    if kind is Kind.UNAUTHORISED and not attempt.refreshed:
        return RetryHere(0.0, refresh=True)
    others = rule.elsewhere and attempt.accounts_left > 0 and not attempt.pinned
    # Retry-After speaks of this account; its cooldown honours it, others go on.
    asked_to_wait = failure.retry_after is not None and failure.retry_after > 0
    if others and (attempt.here >= rule.here or asked_to_wait):
        return Elsewhere(0.0, rule.costs_budget)
    if attempt.here >= (rule.here if others or not rule.waits else MAX_ALONE):
        return GiveUp(f"{kind}: no other account can take the request")
    pause = failure.retry_after or FIRST_BACKOFF * 2 ** (attempt.here - 1)
    if pause > LONGEST_WAIT:
        return GiveUp(f"{kind}: upstream asks for {pause:.0f} s")
    return RetryHere(pause, costs_budget=rule.costs_budget)


def _end(kind: Kind, rule: Rule, attempt: Attempt) -> str | None:
    """What forbids any further attempt."""
    if rule == _NEVER:
        return f"{kind}: not to be repeated"
    if attempt.elapsed > DEADLINE:
        return f"{kind}: {DEADLINE:.0f} s are over"
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
