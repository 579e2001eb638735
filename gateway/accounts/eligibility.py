"""Decides which accounts can take a request, and the error when none can. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.accounts.account import Account, AccountKind
from gateway.accounts.shared.witnesses import Witness
from gateway.accounts.verdicts import Verdicts
from gateway.errors import LONGEST_RETRY_AFTER
from gateway.protocol.facts import Affinity, Keys

# A conversation uses a fallback account for a shorter limit, and moves for a longer.
LASTING_SECONDS = 59.0


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
    # Why, and the field it is about: told where there is no account of this kind.
    kind_reason: tuple[str, str | None] | None = None
    affinity: Affinity = field(default_factory=Affinity)
    excluded: frozenset[int] = frozenset()  # tried before, for this request
    pinned: int | None = None  # this account or none
    # The account that made the encrypted items of the history: no suspicion is enough
    # to leave it for one that cannot read them.
    bound_to: int | None = None
    is_prewarm: bool = False  # says nothing about where its conversation belongs
    prefers_key: bool = False
    probe: bool = False  # the operator's: goes through in any state
    conversation_keys: Keys = field(init=False)  # what names it, of this client's
    # Among whom the accounts are shared fairly: keys, else networks.
    sender: int | str = field(init=False)

    def __post_init__(self) -> None:
        self.conversation_keys = self.affinity.conversation_keys(self.key_id)
        self.sender = self.network if self.key_id is None else self.key_id

    @property
    def witness(self) -> Witness:
        """Who meets what becomes of the request."""
        keys = self.conversation_keys
        return Witness(self.sender, keys[0][1] if keys else "")


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
    EDGE_REFUSED = "edge_refused"
    FAILED = "failed"
    FULL = "full"
    # The last choice, but one: nobody but those who met it knows that it is so.
    SUSPECTED = "suspected"
    ON_TRIAL = "on_trial"


@dataclass(frozen=True, slots=True)
class Ineligibility:
    """Why an account cannot take a request; `until` when that ends by itself."""

    reason: Reason
    text: str
    until: float | None = None

    def is_lasting(self, now: float) -> bool:
        """Whether a conversation should move to another home account."""
        if self.reason in (Reason.LIMITED, Reason.COOLING):
            return self.until is not None and self.until - now >= LASTING_SECONDS
        return self.reason in OUT_OF_SERVICE

    @property
    def is_soft(self) -> bool:
        """Whether the account takes the request when no other can."""
        return self.reason in (Reason.SUSPECTED, Reason.ON_TRIAL)

    @property
    def is_busy(self) -> bool:
        """Whether the account is about to be free."""
        return self.reason is Reason.FULL

    def is_short(self, now: float) -> bool:
        """Whether a request can wait for its end, as its client would have to."""
        ends = now + LONGEST_RETRY_AFTER
        is_passing = self.reason in (Reason.COOLING, Reason.LIMITED)
        return self.is_busy or (is_passing and (self.until or ends) < ends)


# These end only when an operator does something about them.
OUT_OF_SERVICE = frozenset(
    {Reason.REMOVED, Reason.NOT_ALLOWED, Reason.PAUSED, Reason.LOGIN_REQUIRED}
)
REMOVED = Ineligibility(Reason.REMOVED, "no longer among the accounts")


def check_eligibility(
    account: Account, demand: Demand, verdicts: Verdicts, now: float
) -> Ineligibility | None:
    """What keeps `account` from the request; None when nothing does."""
    if (found := _is_allowed(account, demand)) is not None or demand.probe:
        return found
    return (
        _in_service(account, now)
        or _fits(account, demand, verdicts, now)
        or _is_healthy(account, demand, verdicts, now)
        or _is_free(account)
        or _is_trusted(account, demand, verdicts, now)
    )


def could_serve(account: Account, demand: Demand, now: float) -> bool:
    """Whether the account may get the request, in whatever state it is now."""
    is_its_kind = demand.kind in (None, account.kind)
    is_allowed = _is_allowed(account, demand) is None
    return is_allowed and is_its_kind and account.serves(demand.model, now)


def _is_allowed(account: Account, demand: Demand) -> Ineligibility | None:
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


def _in_service(account: Account, now: float) -> Ineligibility | None:
    if account.health.is_in_service:
        return None
    reason = Reason.PAUSED if account.health.paused else Reason.LOGIN_REQUIRED
    return Ineligibility(reason, account.health.why(now))


def _fits(
    account: Account, demand: Demand, verdicts: Verdicts, now: float
) -> Ineligibility | None:
    if demand.kind is not None and account.kind is not demand.kind:
        return Ineligibility(Reason.KIND, f"is no {_KIND_WORDS[demand.kind]}")
    if not account.serves(demand.model, now):
        return Ineligibility(Reason.MODEL, f"does not have model {demand.model}")
    if demand.websocket and not account.websockets:
        return Ineligibility(Reason.NO_SOCKETS, "does not speak WebSocket")
    if demand.websocket and verdicts.base(account).sockets_off_until > now:
        return Ineligibility(Reason.NO_SOCKETS, "its upstream refuses WebSockets")
    return None


def _is_healthy(
    account: Account, demand: Demand, verdicts: Verdicts, now: float
) -> Ineligibility | None:
    health, limit = account.health, account.health.limit
    if limit is not None and limit.until > now:
        return _passing(Reason.LIMITED, health.why(now), limit.until, now)
    # What it failed of here may have marked it: no reason to wait for another failure.
    if account.id in demand.excluded:
        return Ineligibility(Reason.FAILED, "failed for this request")
    mark = health.mark and health.current_mark(now)
    if mark is not None and not mark.is_suspicion:
        return _passing(Reason.COOLING, health.why(now), mark.until, now)
    edge_until = verdicts.base(account).edge_until
    if edge_until > now:
        text = "upstream's edge refuses this gateway's address"
        return _passing(Reason.EDGE_REFUSED, text, edge_until, now)
    return None


def _is_free(account: Account) -> Ineligibility | None:
    if account.is_full:
        return Ineligibility(Reason.FULL, f"at its cap of {account.in_flight} requests")
    return None


_KIND_WORDS = {
    AccountKind.CHATGPT: "ChatGPT account",
    AccountKind.API_KEY: "account with an API key",
}


def _is_trusted(
    account: Account, demand: Demand, verdicts: Verdicts, now: float
) -> Ineligibility | None:
    """None when nothing speaks against it but what one client, or two, met there."""
    limited_until = account.model_limits.get(demand.model or "", 0.0)
    if limited_until > now:
        return _passing(Reason.SUSPECTED, "its model's limit", limited_until, now)
    if demand.bound_to == account.id:
        return None
    until = verdicts.suspicions.until(demand.sender, account.id, demand.model, now)
    if until is not None:
        return _passing(Reason.SUSPECTED, "failed for this client", until, now)
    mark = account.health.mark and account.health.current_mark(now)
    if mark is not None:
        return _passing(Reason.SUSPECTED, account.health.why(now), mark.until, now)
    if account.health.on_trial and account.health.is_tried(now):
        return Ineligibility(Reason.ON_TRIAL, "on trial, and its probe is running")
    return None


def _passing(reason: Reason, why: str, until: float, now: float) -> Ineligibility:
    text = f"{reason}: {why}, for {max(1, round(until - now))} s"
    return Ineligibility(reason, text, until)
