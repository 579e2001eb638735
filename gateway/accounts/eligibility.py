"""Which accounts can take a request, why the others cannot, and what that means.

Pure: what a request demands, one account and a date in, a verdict out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.accounts.account import Account
from gateway.accounts.affinity import Affinity, Keys
from gateway.accounts.health import AccountStatus
from gateway.errors import (
    GatewayError,
    ModelNotAvailable,
    NoAccounts,
    UpgradeRequired,
    UsageLimitReached,
)

# A conversation waits out a shorter limit elsewhere, and moves for a longer one.
LASTING_SECONDS = 60.0
LONGEST_RETRY_AFTER = 5.0


@dataclass(slots=True, unsafe_hash=True)
class Demand:
    """What a request needs of an account; never changed, only replaced."""

    model: str | None = None
    websocket: bool = False
    key_id: int | None = None
    allowed_accounts: frozenset[int] | None = None
    affinity: Affinity = field(default_factory=Affinity)
    excluded: frozenset[int] = frozenset()  # tried before, for this request
    pinned: int | None = None  # this account or none
    probe: bool = False  # the operator's: goes through in any state
    conversation_keys: Keys = field(init=False)  # what names it, of this client's

    def __post_init__(self) -> None:
        self.conversation_keys = self.affinity.conversation_keys(self.key_id)


class Reason(StrEnum):
    GONE = "removed"
    FORBIDDEN = "not_allowed"
    PAUSED = "paused"
    LOGIN = "reauth_required"
    MODEL = "model"
    SOCKET = "no_sockets"
    LIMITED = "limited"
    COOLING = "cooling"
    EXCLUDED = "failed"
    TRIAL = "on_trial"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Ineligibility:
    """Why an account cannot take a request; `until` when that ends by itself."""

    kind: Reason
    text: str
    until: float | None = None

    def is_lasting(self, now: float) -> bool:
        """Whether a conversation should look for a new home."""
        if self.kind is Reason.LIMITED:
            return self.until is not None and self.until - now > LASTING_SECONDS
        return self.kind in _GONE

    @property
    def is_waiting(self) -> bool:
        """Whether the account is about to be free."""
        return self.kind in (Reason.FULL, Reason.TRIAL)

    def is_brief(self, now: float) -> bool:
        """Whether a request can wait for its end, as its client would have to."""
        ends = now + LONGEST_RETRY_AFTER
        is_short = self.kind is Reason.COOLING and (self.until or ends) < ends
        return self.is_waiting or is_short


# Out of service until somebody does something about it.
_GONE = frozenset({Reason.GONE, Reason.FORBIDDEN, Reason.PAUSED, Reason.LOGIN})
REMOVED = Ineligibility(Reason.GONE, "no longer among the accounts")


def bar(account: Account, demand: Demand, now: float) -> Ineligibility | None:
    """What keeps `account` from the request; None when nothing does."""
    checks = (_belongs,) if demand.probe else _CHECKS
    for check in checks:
        found = check(account, demand, now)
        if found is not None:
            return found
    return None


def _belongs(account: Account, demand: Demand, now: float) -> Ineligibility | None:
    allowed = demand.allowed_accounts
    if allowed is not None and account.id not in allowed:
        return Ineligibility(Reason.FORBIDDEN, "not among the accounts of this API key")
    if demand.pinned is not None and account.id != demand.pinned:
        return Ineligibility(Reason.FORBIDDEN, "the request belongs to another account")
    return None


def _in_service(account: Account, demand: Demand, now: float) -> Ineligibility | None:
    kind = _OUT_OF_SERVICE.get(account.health.status(now))
    return None if kind is None else Ineligibility(kind, account.health.why(now))


def _fits(account: Account, demand: Demand, now: float) -> Ineligibility | None:
    if not account.serves(demand.model, now):
        return Ineligibility(Reason.MODEL, f"does not have model {demand.model}")
    if demand.websocket and not account.websockets:
        return Ineligibility(Reason.SOCKET, "does not speak WebSocket")
    return None


def _is_well(account: Account, demand: Demand, now: float) -> Ineligibility | None:
    status = account.health.status(now)
    if status in _UNTIL:
        until = account.health.until(now) or now
        text = (
            f"{status}: {account.health.why(now)}, for {max(1, round(until - now))} s"
        )
        return Ineligibility(_UNTIL[status], text, until)
    if account.id in demand.excluded:
        return Ineligibility(Reason.EXCLUDED, "failed for this request")
    return None


def _is_free(account: Account, demand: Demand, now: float) -> Ineligibility | None:
    if account.health.on_trial and account.health.trial_running:
        return Ineligibility(
            Reason.TRIAL, "on trial after cooling, its probe is running"
        )
    if account.is_full:
        return Ineligibility(Reason.FULL, f"at its cap of {account.in_flight} requests")
    return None


_CHECKS = (_belongs, _in_service, _fits, _is_well, _is_free)
_OUT_OF_SERVICE = {
    AccountStatus.PAUSED: Reason.PAUSED,
    AccountStatus.REAUTH_REQUIRED: Reason.LOGIN,
}
_UNTIL = {AccountStatus.LIMITED: Reason.LIMITED, AccountStatus.COOLING: Reason.COOLING}


def refusal(
    bars: Mapping[Account, Ineligibility], demand: Demand, now: float
) -> GatewayError | None:
    """The error when no account is able; None when waiting helps.

    `bars` covers every account of the pool.
    """
    error = _refusal(bars, demand, now)
    if error is not None:
        explain(error, bars)
    return error


def explain(error: GatewayError, bars: Mapping[Account, Ineligibility]) -> None:
    """Leave (account, why) pairs on the error, as `passed_over`, for the receipt."""
    vars(error)["passed_over"] = passed_over(bars)


def passed_over(bars: Mapping[Account, Ineligibility]) -> tuple[tuple[str, str], ...]:
    return tuple((account.name, found.text) for account, found in bars.items())


def _refusal(
    bars: Mapping[Account, Ineligibility], demand: Demand, now: float
) -> GatewayError | None:
    own = {a: b for a, b in bars.items() if b.kind is not Reason.FORBIDDEN}
    if not bars:
        return NoAccounts("No account has been added to this gateway")
    if not own:
        return NoAccounts("No account of this gateway is assigned to this API key")
    serving = {a: b for a, b in own.items() if b.kind not in _GONE}
    if not serving:
        return NoAccounts(_out_of_service(own.values()))
    fitting = {a: b for a, b in serving.items() if b.kind is not Reason.MODEL}
    if not fitting:
        return ModelNotAvailable(demand.model or "")
    if any(found.is_brief(now) for found in fitting.values()):
        return None
    return _for_now(fitting, demand, now)


def _for_now(
    fitting: Mapping[Account, Ineligibility], demand: Demand, now: float
) -> GatewayError:
    """All that could serve are limited, cooling, tried or without sockets."""
    speaking = {a: b for a, b in fitting.items() if b.kind is not Reason.SOCKET}
    silent = [account for account in fitting if account not in speaking]
    over_http = [a for a in silent if a.health.status(now) is AccountStatus.ACTIVE]
    if not speaking or (
        over_http and all(found.is_lasting(now) for found in speaking.values())
    ):
        return UpgradeRequired()
    limited = {a: b for a, b in speaking.items() if b.kind is Reason.LIMITED}
    if len(limited) == len(speaking):
        first, found = min(limited.items(), key=lambda item: item[1].until or 0)
        return UsageLimitReached(resets_at=found.until, plan_type=first.plan)
    ends = [found.until for found in speaking.values() if found.until is not None]
    wait = min(ends, default=now + LONGEST_RETRY_AFTER) - now
    return NoAccounts(
        "All accounts of this gateway are recovering from failures",
        retry_after=min(LONGEST_RETRY_AFTER, max(1.0, wait)),
    )


def _out_of_service(bars: Iterable[Ineligibility]) -> str:
    kinds = {found.kind for found in bars}
    if kinds == {Reason.PAUSED}:
        return "All accounts are paused"
    if kinds == {Reason.LOGIN}:
        return "All accounts require a new login"
    return "All accounts are paused or require a new login"
