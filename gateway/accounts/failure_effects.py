"""Applies a failure to the account it happened to, by its row in `KINDS`."""

from gateway.accounts.account import Account
from gateway.accounts.health import AccountHealth, AccountLimit
from gateway.accounts.lease import Lease
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import (
    KINDS,
    LONGEST_COOLING,
    Blame,
    Cooling,
    kind_of,
    rules_of,
)


def apply_to_lease(lease: Lease, failure: Failure, now: float) -> bool:
    """Apply a failed attempt to the lease's account; False when it is only noted.

    A first 401 is only noted while the token can be refreshed: it may simply be old,
    and what comes of the refresh decides.
    """
    account, rules = lease.account, rules_of(failure)
    is_news = lease.attempt_at >= account.health.cooled_at
    lease.attempt_at = now  # what this lease does from here on, it begins later
    if rules.retry.refreshes_token and lease.may_refresh():
        account.health.note(f"{kind_of(failure)}: {failure.logged.message}", now)
        return False
    counts = is_news and not lease.has_failed
    apply(account, failure, now, model=lease.demand.model, counts=counts)
    lease.has_failed = lease.has_failed or rules.cooling is not None
    lease.end_trial()
    return True


def apply(
    account: Account,
    failure: Failure,
    now: float,
    *,
    model: str | None = None,
    counts: bool = True,
) -> None:
    """Change the account's health as the failure's kind demands.

    `counts` is False when it says nothing new: its request was counted already, or
    it began before the cooldown that others brought about.
    """
    kind = kind_of(failure)
    rules = KINDS[kind]
    health = account.health
    if rules.blames is not Blame.REQUEST:
        health.note(f"{kind}: {failure.logged.message}", now)
    match rules.blames:
        case Blame.LOGIN:
            health.require_login(failure.logged.code or failure.logged.message)
        case Blame.MODEL if model is not None:
            account.refuse_model(model, now)
        case Blame.SOCKETS:
            account.websockets = False
        case Blame.WINDOW | Blame.BALANCE:
            _limit(account, failure, now)
    if rules.cooling is not None:
        _cool(account, failure, rules.cooling, now, counts=counts)


def _limit(account: Account, failure: Failure, now: float) -> None:
    """Set the limit the failure names; it replaces what was known of one."""
    rules = rules_of(failure)
    until = failure.resets_at or now + (failure.retry_after or rules.limit_seconds)
    is_window = rules.blames is Blame.WINDOW
    window = _used_up(account, until, now) if is_window else "quota"
    if failure.plan_type is not None:
        account.plan = failure.plan_type
    account.health.limit = AccountLimit(window, now, max(until, now + 1.0))


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


def _cool(
    account: Account, failure: Failure, cooling: Cooling, now: float, *, counts: bool
) -> None:
    """Pause the account for as long as upstream asks, or as the row says."""
    health = account.health
    asked = failure.retry_after
    if cooling.is_told:
        if asked is None and failure.resets_at is not None:
            asked = failure.resets_at - now
        if asked is not None and asked > cooling.cap:
            health.limit = AccountLimit("rate", now, now + asked)
            return
    seconds = min(max(asked or 0.0, 0.0), LONGEST_COOLING)
    if counts:
        health.failures += 1
        if not (cooling.is_told and seconds > 0):
            seconds = max(seconds, _pause(cooling, health))
    if seconds > 0:
        health.cool(now, seconds, f"{kind_of(failure)} ({health.failures} in a row)")


def _pause(cooling: Cooling, health: AccountHealth) -> float:
    beyond = health.failures - cooling.threshold
    if health.on_trial:
        beyond = max(beyond, 0)  # a probe that failed, wherever the count stands
    if beyond < 0:
        return 0.0
    return min(cooling.cap, cooling.first * 2.0 ** min(beyond, 16))
