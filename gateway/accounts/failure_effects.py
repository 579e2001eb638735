"""What a failure does to the account it happened to: one table.

Cooling grows with the trouble: the n-th consecutive failure from the threshold on
doubles the pause, up to a cap. Faults of the network or of upstream as a whole
have small caps, for they hit all accounts at once and would else outlast the
outage; an account's own trouble has large ones.
"""

from dataclasses import dataclass

from gateway.accounts.account import Account
from gateway.accounts.health import AccountHealth, AccountLimit
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import FailureKind, kind_of

LONGEST_COOLING = 300.0
# Until the next poll of the usage tells better.
LIMIT_WITHOUT_DATE = 300.0
QUOTA_WITHOUT_DATE = 3_600.0
# "Too fast" for longer than this is a limit, not a pause.
LONGEST_RATE_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class Cooling:
    """Pause `first` seconds at the `threshold`-th failure in a row, then double."""

    threshold: int
    first: float
    cap: float


_PASSING = Cooling(threshold=3, first=1.0, cap=10.0)
_OWN_TROUBLE = Cooling(threshold=1, first=30.0, cap=LONGEST_COOLING)

COOLING: dict[FailureKind, Cooling] = {
    FailureKind.CONNECT: _PASSING,
    FailureKind.BROKEN: _PASSING,
    FailureKind.TIMEOUT: _PASSING,
    FailureKind.SERVER: Cooling(threshold=3, first=2.0, cap=30.0),
    FailureKind.OVERLOADED: Cooling(threshold=3, first=2.0, cap=30.0),
    FailureKind.RATE: Cooling(threshold=1, first=2.0, cap=LONGEST_RATE_PAUSE),
    FailureKind.UNAUTHORISED: _OWN_TROUBLE,
    FailureKind.REFUSED: _OWN_TROUBLE,
}
# Without any consequence: the request's own faults, and what a stream broke of.
BLAMELESS = frozenset(
    {FailureKind.ANCHOR, FailureKind.CLIENT, FailureKind.CUT, FailureKind.SOCKET_ENDED}
)


def apply(
    account: Account,
    failure: Failure,
    now: float,
    *,
    model: str | None = None,
    counts: bool = True,
) -> FailureKind:
    """Bring the account's state up to date; the failure's kind.

    `counts` is False when it says nothing new: its request was counted already, or
    it began before the cooldown that others brought about.
    """
    kind = kind_of(failure)
    state = account.state
    if kind not in (FailureKind.ANCHOR, FailureKind.CLIENT):
        state.note(f"{kind}: {failure.message}", now)
    if kind is FailureKind.DEAD:
        state.require_login(failure.code or failure.message)
    elif kind is FailureKind.MODEL:
        if model is not None:
            account.refuse_model(model, now)
    elif kind is FailureKind.NO_SOCKETS:
        account.websockets = False
    elif kind in (FailureKind.LIMIT, FailureKind.QUOTA):
        _limit(account, failure, kind, now)
    elif kind is FailureKind.RATE:
        _slow_down(account, failure, now, counts)
    elif kind in COOLING:
        _cool(account, kind, failure.retry_after or 0.0, now, counts)
    return kind


def _limit(account: Account, failure: Failure, kind: FailureKind, now: float) -> None:
    """The live answer is the truth: it replaces what was known of the limit."""
    default = LIMIT_WITHOUT_DATE if kind is FailureKind.LIMIT else QUOTA_WITHOUT_DATE
    until = failure.resets_at or now + (failure.retry_after or default)
    window = _used_up(account, until, now) if kind is FailureKind.LIMIT else "quota"
    if failure.plan_type is not None:
        account.plan = failure.plan_type
    account.state.limit = AccountLimit(window, now, max(until, now + 1.0))


def _used_up(account: Account, until: float, now: float) -> str:
    """The window that the refusal speaks of: the one that is reset at its time."""
    fitting = [
        seen
        for seen in account.windows.values()
        if seen.window.resets_at is not None
        and abs(seen.window.resets_at - until) < 120
    ]
    if fitting:
        return max(fitting, key=lambda seen: seen.used_percent(now)).window.name
    return "usage"


def _slow_down(account: Account, failure: Failure, now: float, counts: bool) -> None:
    seconds = failure.retry_after
    if seconds is None and failure.resets_at is not None:
        seconds = failure.resets_at - now
    if seconds is not None and seconds > LONGEST_RATE_PAUSE:
        account.state.limit = AccountLimit("rate", now, now + seconds)
    else:
        _cool(account, FailureKind.RATE, max(seconds or 0.0, 0.0), now, counts)


def _cool(
    account: Account, kind: FailureKind, at_least: float, now: float, counts: bool
) -> None:
    state = account.state
    seconds = min(at_least, LONGEST_COOLING)
    if counts:
        state.failures += 1
        seconds = max(seconds, _pause(COOLING[kind], state, named=at_least > 0))
    if seconds > 0:
        state.cool(now, seconds, f"{kind} ({state.failures} in a row)")


def _pause(rule: Cooling, state: AccountHealth, *, named: bool) -> float:
    beyond = state.failures - rule.threshold
    if state.on_trial:
        beyond = max(beyond, 0)  # a probe that failed, wherever the count stands
    if beyond < 0 or (named and rule is COOLING[FailureKind.RATE]):
        return 0.0  # upstream's own word on how long "too fast" lasts is exact
    return min(rule.cap, rule.first * 2.0 ** min(beyond, 16))
