"""The error when no account can take a request. Pure."""

import time
from collections.abc import Iterable, Mapping

from gateway.accounts.account import Account
from gateway.accounts.eligibility import OUT_OF_SERVICE, Demand, Ineligibility, Reason
from gateway.accounts.health import QUOTA, AccountStatus
from gateway.errors import (
    GatewayError,
    InvalidPayload,
    NoAccounts,
    NoneInService,
    NotFound,
    UpgradeRequired,
    UpstreamUnavailable,
    UsageLimitReached,
)
from gateway.keys.model_errors import ModelNotAvailable
from gateway.protocol.facts import Origin
from gateway.protocol.local_failures import edge_refused
from gateway.settings import PROGRAM


class NoQuota(GatewayError):
    """All accounts lack plan or balance: nobody knows when that ends."""

    status = 429
    code = type = "insufficient_quota"
    origin: Origin = "account"


def refusal(
    ineligible: Mapping[Account, Ineligibility], demand: Demand, now: float
) -> GatewayError | None:
    """The error when no account is eligible; None when waiting helps.

    `ineligible` covers every account of the pool.
    """
    error = _refusal(ineligible, demand, now)
    if error is not None:
        error.passed_over = passed_over(ineligible)
    return error


def passed_over(
    verdicts: Mapping[Account, Ineligibility],
) -> tuple[tuple[str, str], ...]:
    return tuple((account.name, found.text) for account, found in verdicts.items())


def _refusal(
    verdicts: Mapping[Account, Ineligibility], demand: Demand, now: float
) -> GatewayError | None:
    own = {a: b for a, b in verdicts.items() if b.reason is not Reason.NOT_ALLOWED}
    if not own:
        return NoneInService(*(_NONE_ASSIGNED if verdicts else _NONE_ADDED))
    of_kind = {a: b for a, b in own.items() if demand.kind in (None, a.kind)}
    if not of_kind:
        return _no_such_kind(demand)
    having = {a: b for a, b in of_kind.items() if b.reason not in OUT_OF_SERVICE}
    if not having:
        code, text = _out_of_service(of_kind.values())
        if len(of_kind) < len(own):
            text = text.replace("accounts", _ACCOUNTS_OF_KIND, 1)
        return NoneInService(code, text)
    fitting = {a: b for a, b in having.items() if b.reason is not Reason.MODEL}
    if not fitting:
        return ModelNotAvailable(demand.model or "", usable_models(having, demand))
    if any(found.is_short(now) for found in fitting.values()):
        return None
    return _for_now(fitting, demand, now)


def _no_such_kind(demand: Demand) -> GatewayError:
    if demand.kind_reason is None:
        return NotFound("Not Found: this needs an account with an API key")
    reason, param = demand.kind_reason
    return InvalidPayload.because(reason, param=param)


def usable_models(accounts: Iterable[Account], demand: Demand) -> set[str]:
    """The models of these accounts that the client's key may use."""
    allowed = demand.allowed_accounts
    names = {
        name
        for account in accounts
        if account.catalogue is not None and (allowed is None or account.id in allowed)
        for name in account.catalogue.models
    }
    return set(filter(demand.allows_model, names)) if demand.allows_model else names


def _for_now(
    fitting: Mapping[Account, Ineligibility], demand: Demand, now: float
) -> GatewayError:
    """All that could serve are limited, cooling, tried or without sockets."""
    speaking = {a: b for a, b in fitting.items() if b.reason is not Reason.NO_SOCKETS}
    silent = [account for account in fitting if account not in speaking]
    over_http = [a for a in silent if a.health.status(now) is AccountStatus.ACTIVE]
    if not speaking or (
        over_http and all(found.is_lasting(now) for found in speaking.values())
    ):
        return UpgradeRequired()
    if all(found.reason is Reason.LIMITED for found in speaking.values()):
        return _limited(speaking)
    return _in_trouble(speaking, now)


def _limited(accounts: Mapping[Account, Ineligibility]) -> GatewayError:
    """The first return among the windows; a lack of quota has none to tell."""
    limits = {a: a.health.limit for a in accounts if a.health.limit is not None}
    windows = {a: b for a, b in limits.items() if b.window != QUOTA}
    if windows:
        first, limit = min(windows.items(), key=lambda item: item[1].until)
        return UsageLimitReached(resets_at=limit.until, plan_type=first.plan)
    told = next(iter(limits.values()))
    return NoQuota(
        "The plans or balances of all accounts of this gateway are used up, says "
        f"{told.by or 'an earlier release'} since {_clock_time(told.since)}"
    )


def _in_trouble(speaking: Mapping[Account, Ineligibility], now: float) -> GatewayError:
    """By a judge's word: who says what, since when, until when."""
    marked = {
        account: mark
        for account in speaking
        if (mark := account.health.current_mark(now)) is not None
    }
    if len(marked) == len(speaking) and all(one.is_login_refused for one in marked):
        words = next(iter(marked.values())).evidence
        return NoneInService("login_required", f"{_ALL_LOGGED_OUT[1]} ({words})")
    if all(found.reason is Reason.EDGE_REFUSED for found in speaking.values()):
        return UpstreamUnavailable(edge_refused("connect"))
    ends = [found.until for found in speaking.values() if found.until is not None]
    if not ends:
        return NoAccounts()
    until = min(ends)
    told = [
        f"{mark.kind}, says {mark.by}, since {_clock_time(mark.since)}"
        for mark in marked.values()
    ]
    why = f" ({told[0]})" if told else ""
    return NoAccounts(
        f"No account of this gateway is available until {_clock_time(until)}{why}",
        retry_after=max(1.0, until - now),
    )


def _clock_time(at: float) -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime(at))


# What time does not mend: code and message, with what the owner does about it.
_NONE_ADDED = (
    "no_accounts_configured",
    "No account has been added to this gateway; its owner does that with "
    f"`{PROGRAM} accounts login`",
)
_NONE_ASSIGNED = (
    "no_accounts_configured",
    "No account of this gateway is assigned to this API key; its owner does that with "
    f"`{PROGRAM} keys update NAME --accounts …`",
)
# Where there are others, of a kind that the request cannot go to.
_ACCOUNTS_OF_KIND = "accounts that this request may go to"
_ALL_PAUSED = (
    "accounts_paused",
    "All accounts are paused; their owner ends that with "
    f"`{PROGRAM} accounts resume NAME`",
)
_ALL_LOGGED_OUT = (
    "login_required",
    f"All accounts require a new login; their owner runs `{PROGRAM} accounts login`",
)
# To resume one takes less than a login.
_PAUSED_OR_LOGGED_OUT = (
    "accounts_paused",
    "All accounts are paused or require a new login; their owner runs "
    f"`{PROGRAM} accounts resume NAME` or `{PROGRAM} accounts login`",
)


def _out_of_service(verdicts: Iterable[Ineligibility]) -> tuple[str, str]:
    reasons = {found.reason for found in verdicts}
    if reasons == {Reason.PAUSED}:
        return _ALL_PAUSED
    if reasons == {Reason.LOGIN_REQUIRED}:
        return _ALL_LOGGED_OUT
    return _PAUSED_OR_LOGGED_OUT
