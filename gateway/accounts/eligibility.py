"""Decides which accounts can take a request, and the error when none can. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.accounts.account import Account, AccountKind
from gateway.accounts.affinity import Affinity, Keys
from gateway.accounts.health import AccountStatus
from gateway.errors import (
    LONGEST_RETRY_AFTER,
    GatewayError,
    NoAccounts,
    NoneInService,
    NotFound,
    UpgradeRequired,
    UsageLimitReached,
)
from gateway.keys.model_errors import ModelNotAvailable

# A conversation uses a fallback account for a shorter limit, and moves for a longer.
LASTING_SECONDS = 60.0


@dataclass(slots=True, unsafe_hash=True)
class Demand:
    """What a request needs of an account; never changed, only replaced."""

    model: str | None = None
    websocket: bool = False
    key_id: int | None = None
    network: str = ""  # the client's, where there is no key
    allowed_accounts: frozenset[int] | None = None
    # Whether the client's key may use a model.
    allows_model: Callable[[str], bool] | None = field(default=None, hash=False)
    kind: AccountKind | None = None  # the only one that has what is asked for
    # What the client gets where there is no account of this kind.
    kind_error: GatewayError | None = field(default=None, hash=False)
    affinity: Affinity = field(default_factory=Affinity)
    excluded: frozenset[int] = frozenset()  # tried before, for this request
    pinned: int | None = None  # this account or none
    probe: bool = False  # the operator's: goes through in any state
    conversation_keys: Keys = field(init=False)  # what names it, of this client's

    def __post_init__(self) -> None:
        self.conversation_keys = self.affinity.conversation_keys(self.key_id)

    @property
    def sender(self) -> int | str:
        """Among whom the accounts are shared fairly: keys, else networks."""
        return self.network if self.key_id is None else self.key_id


class Reason(StrEnum):
    """What keeps an account from a request."""

    REMOVED = "removed"
    NOT_ALLOWED = "not_allowed"
    PAUSED = "paused"
    LOGIN_REQUIRED = "reauth_required"
    KIND = "kind"
    MODEL = "model"
    NO_SOCKETS = "no_sockets"
    LIMITED = "limited"
    COOLING = "cooling"
    FAILED = "failed"
    ON_TRIAL = "on_trial"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Ineligibility:
    """Why an account cannot take a request; `until` when that ends by itself."""

    reason: Reason
    text: str
    until: float | None = None

    def is_lasting(self, now: float) -> bool:
        """Whether a conversation should move to another home account."""
        if self.reason is Reason.LIMITED:
            return self.until is not None and self.until - now > LASTING_SECONDS
        return self.reason in OUT_OF_SERVICE

    @property
    def is_busy(self) -> bool:
        """Whether the account is about to be free."""
        return self.reason in (Reason.FULL, Reason.ON_TRIAL)

    def is_short(self, now: float) -> bool:
        """Whether a request can wait for its end, as its client would have to."""
        ends = now + LONGEST_RETRY_AFTER
        is_short = self.reason is Reason.COOLING and (self.until or ends) < ends
        return self.is_busy or is_short


# These end only when an operator does something about them.
OUT_OF_SERVICE = frozenset(
    {Reason.REMOVED, Reason.NOT_ALLOWED, Reason.PAUSED, Reason.LOGIN_REQUIRED}
)
REMOVED = Ineligibility(Reason.REMOVED, "no longer among the accounts")


def check_eligibility(
    account: Account, demand: Demand, now: float
) -> Ineligibility | None:
    """What keeps `account` from the request; None when nothing does."""
    checks = (_is_allowed,) if demand.probe else _CHECKS
    for check in checks:
        found = check(account, demand, now)
        if found is not None:
            return found
    return None


def _is_allowed(account: Account, demand: Demand, now: float) -> Ineligibility | None:
    allowed = demand.allowed_accounts
    if allowed is not None and account.id not in allowed:
        return Ineligibility(
            Reason.NOT_ALLOWED, "not among the accounts of this API key"
        )
    if demand.pinned is not None and account.id != demand.pinned:
        return Ineligibility(
            Reason.NOT_ALLOWED, "the request belongs to another account"
        )
    return None


def _in_service(account: Account, demand: Demand, now: float) -> Ineligibility | None:
    if account.health.is_in_service:
        return None
    reason = Reason.PAUSED if account.health.paused else Reason.LOGIN_REQUIRED
    return Ineligibility(reason, account.health.why(now))


def _fits(account: Account, demand: Demand, now: float) -> Ineligibility | None:
    if demand.kind is not None and account.kind is not demand.kind:
        return Ineligibility(Reason.KIND, f"is no {_KIND_WORDS[demand.kind]}")
    if not account.serves(demand.model, now):
        return Ineligibility(Reason.MODEL, f"does not have model {demand.model}")
    if demand.websocket and not account.websockets:
        return Ineligibility(Reason.NO_SOCKETS, "does not speak WebSocket")
    return None


def _is_healthy(account: Account, demand: Demand, now: float) -> Ineligibility | None:
    health, status = account.health, account.health.status(now)
    is_tried = account.id in demand.excluded
    # What it failed of here may cool it: no reason to wait for another failure.
    if status in _UNTIL and not (is_tried and status is AccountStatus.COOLING):
        until = health.until(now) or now
        text = f"{status}: {health.why(now)}, for {max(1, round(until - now))} s"
        return Ineligibility(_UNTIL[status], text, until)
    if is_tried:
        return Ineligibility(Reason.FAILED, "failed for this request")
    return None


def _is_free(account: Account, demand: Demand, now: float) -> Ineligibility | None:
    if account.health.on_trial and account.health.trial_running:
        return Ineligibility(
            Reason.ON_TRIAL, "on trial after cooling, its probe is running"
        )
    if account.is_full:
        return Ineligibility(Reason.FULL, f"at its cap of {account.in_flight} requests")
    return None


_KIND_WORDS = {
    AccountKind.CHATGPT: "ChatGPT account",
    AccountKind.API_KEY: "account with an API key",
}
_CHECKS = (_is_allowed, _in_service, _fits, _is_healthy, _is_free)
_UNTIL = {AccountStatus.LIMITED: Reason.LIMITED, AccountStatus.COOLING: Reason.COOLING}


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
    serving = {a: b for a, b in own.items() if b.reason not in OUT_OF_SERVICE}
    if not serving:
        return NoneInService(*_out_of_service(own.values()))
    having = {a: b for a, b in serving.items() if b.reason is not Reason.KIND}
    if not having:
        return demand.kind_error or NotFound(
            "Not Found: this needs an account with an API key"
        )
    fitting = {a: b for a, b in having.items() if b.reason is not Reason.MODEL}
    if not fitting:
        return ModelNotAvailable(demand.model or "", _usable_models(having, demand))
    if any(found.is_short(now) for found in fitting.values()):
        return None
    return _for_now(fitting, demand, now)


def _usable_models(accounts: Iterable[Account], demand: Demand) -> set[str]:
    """The models of these accounts that the client's key may use."""
    names = {
        name
        for account in accounts
        if account.catalogue is not None
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
    limited = {a: b for a, b in speaking.items() if b.reason is Reason.LIMITED}
    if len(limited) == len(speaking):
        first, found = min(limited.items(), key=lambda item: item[1].until or 0)
        return UsageLimitReached(resets_at=found.until, plan_type=first.plan)
    ends = [found.until for found in speaking.values() if found.until is not None]
    wait = min(ends, default=now + LONGEST_RETRY_AFTER) - now
    return NoAccounts(
        "All accounts of this gateway are recovering from failures",
        retry_after=min(LONGEST_RETRY_AFTER, max(1.0, wait)),
    )


# What time does not mend: code and message, with what the owner does about it.
_NONE_ADDED = (
    "no_accounts_configured",
    "No account has been added to this gateway; its owner does that with "
    "`run.py accounts login`",
)
_NONE_ASSIGNED = (
    "no_accounts_configured",
    "No account of this gateway is assigned to this API key; its owner does that with "
    "`run.py keys update NAME --accounts …`",
)
_ALL_PAUSED = (
    "accounts_paused",
    "All accounts are paused; their owner ends that with `run.py accounts resume NAME`",
)
_ALL_LOGGED_OUT = (
    "login_required",
    "All accounts require a new login; their owner runs `run.py accounts login`",
)
# To resume one takes less than a login.
_PAUSED_OR_LOGGED_OUT = (
    "accounts_paused",
    "All accounts are paused or require a new login; their owner runs "
    "`run.py accounts resume NAME` or `run.py accounts login`",
)


def _out_of_service(verdicts: Iterable[Ineligibility]) -> tuple[str, str]:
    reasons = {found.reason for found in verdicts}
    if reasons == {Reason.PAUSED}:
        return _ALL_PAUSED
    if reasons == {Reason.LOGIN_REQUIRED}:
        return _ALL_LOGGED_OUT
    return _PAUSED_OR_LOGGED_OUT
