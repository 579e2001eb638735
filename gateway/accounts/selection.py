"""Placing one request: its conversation's account first, else the strategy's.

A conversation that its home cannot serve for the moment is answered by a stand-in,
always the same one, and goes home afterwards. Only a home that is limited for
longer, needs a login, or is gone is given up, and that by the first answer.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.accounts.account import Account
from gateway.accounts.affinity import Bindings, Conversation, Keys
from gateway.accounts.eligibility import (
    REMOVED,
    Demand,
    Ineligibility,
    Reason,
    explain,
    passed_over,
    refusal,
)
from gateway.accounts.lease import Lease
from gateway.accounts.strategies import Strategy, choose
from gateway.errors import NoAccounts, PreviousResponseNotFound


@dataclass(slots=True)
class AccountChoice:
    """The pool as one demand finds it: every account with its bar, None when able."""

    demand: Demand
    now: float
    bars: Mapping[Account, Ineligibility | None]
    bindings: Bindings
    strategy: Strategy
    rng: random.Random

    @property
    def keys(self) -> Keys:
        return self.demand.conversation_keys

    @property
    def barred(self) -> dict[Account, Ineligibility]:
        return {account: why for account, why in self.bars.items() if why is not None}

    def account(self, account_id: int) -> Account | None:
        for account in self.bars:
            if account.id == account_id:
                return account
        return None

    def bar(self, account_id: int) -> Ineligibility | None:
        account = self.account(account_id)
        return REMOVED if account is None else self.bars[account]

    def owner(self, kind: str, value: str | None) -> int | None:
        if value is None:
            return None
        return self.bindings.owner(self.demand.key_id, kind, value, self.now)


def choose_account(look: AccountChoice, *, is_patient: bool) -> Lease | None:
    """The lease to grant; None when the request has to wait. Raises GatewayError."""
    demand = look.demand
    if demand.pinned is not None and look.account(demand.pinned) is None:
        raise NoAccounts("The account this request belongs to was removed")
    if all(look.bars.values()):
        error = refusal(look.barred, demand, look.now)
        if error is not None:
            raise error
    conversation, kind = look.bindings.conversation(look.keys, look.now)
    picked = _pick(look, conversation, kind, is_patient)
    if picked is None:
        return None
    return _lease(look, *picked, conversation)


def awaited_accounts(look: AccountChoice) -> list[Account]:
    """The accounts about to be free: what a request that has to wait waits for."""
    owner = look.owner("response", look.demand.affinity.previous_response_id)
    return [
        account
        for account, why in look.barred.items()
        if why.is_brief(look.now) and owner in (None, account.id)
    ]


def _pick(
    look: AccountChoice, conversation: Conversation | None, kind: str, is_patient: bool
) -> tuple[Account, str] | None:
    """An able account and the reason to take it; None when waiting is better."""
    owner = look.owner("response", look.demand.affinity.previous_response_id)
    if owner is not None:
        return _at_owner(look, owner)
    for account_id, reason in _preferences(look, conversation, kind):
        account = look.account(account_id)
        if account is None:
            continue
        why = look.bars[account]
        if why is None:
            return account, reason
        is_home = conversation is not None and conversation.served_by == account_id
        if why.kind is Reason.FULL and is_home and is_patient:
            return None
    able = [account for account, why in look.bars.items() if why is None]
    if not able:
        return None
    return choose(look.strategy, able, look.now, look.rng), look.strategy


def _preferences(
    look: AccountChoice, conversation: Conversation | None, kind: str
) -> Iterator[tuple[int, str]]:
    """Account ids with the reason, in the order they are to be tried."""
    turn = look.owner("turn", look.demand.affinity.turn_state)
    # The turn state of an account the conversation has left since is stale.
    if turn is not None and (
        conversation is None or turn in (conversation.account_id, conversation.stand_in)
    ):
        yield turn, "turn_state"
    if conversation is not None:
        yield conversation.account_id, kind
        # Overlapping requests may have had two stand-ins: the one that answered
        # last has the warmer cache.
        for stand_in in (conversation.served_by, conversation.stand_in):
            if stand_in is not None:
                yield stand_in, f"{kind} (stand-in)"


def _at_owner(look: AccountChoice, owner: int) -> tuple[Account, str] | None:
    """The account that holds the previous response, None to wait for it."""
    why = look.bar(owner)
    account = look.account(owner)
    if account is not None and why is None:
        return account, "previous_response_id"
    if why is None or why.is_waiting:
        return None
    error: NoAccounts | PreviousResponseNotFound
    response_id = look.demand.affinity.previous_response_id or ""
    is_passing = why.kind in (Reason.COOLING, Reason.LIMITED, Reason.EXCLUDED)
    if look.demand.websocket or not is_passing or why.is_lasting(look.now):
        # The client resends its whole history, which any account can serve.
        error = PreviousResponseNotFound(response_id)
    else:
        error = NoAccounts(
            "The account that holds the previous response is recovering",
            retry_after=min(5.0, max(1.0, (why.until or look.now) - look.now)),
        )
    explain(error, look.barred)
    raise error


def _lease(
    look: AccountChoice,
    account: Account,
    reason: str,
    conversation: Conversation | None,
) -> Lease:
    demand, now = look.demand, look.now
    lease = Lease(
        account, demand, reason, passed_over(look.barred), attempt_at=look.now
    )
    lease.turn_state = _turn_state(look, account, conversation)
    if demand.probe:
        return lease
    if conversation is None:
        if look.keys:
            lease.conversation = look.bindings.begin(look.keys, account.id, now)
        return lease
    lease.conversation = conversation
    _explain_switch(look, lease, conversation)
    _house(look, lease, conversation)
    return lease


def _house(look: AccountChoice, lease: Lease, conversation: Conversation) -> None:
    """Note where the conversation is now, and whether this is to be its home."""
    account_id = lease.account.id
    if conversation.served_by is None:
        conversation.account_id = account_id
    elif account_id == conversation.account_id:
        conversation.stand_in = None
    elif look.demand.pinned is None and lease.reason != "previous_response_id":
        conversation.stand_in = account_id
        home = look.bar(conversation.account_id)
        if home is not None and home.is_lasting(look.now):
            lease.moves_from = conversation.account_id


def _explain_switch(
    look: AccountChoice, lease: Lease, conversation: Conversation
) -> None:
    before = conversation.served_by
    if before is None or before == lease.account.id:
        return
    previous = look.account(before)
    why = look.bar(before)
    lease.switched_from = f"account {before}" if previous is None else previous.name
    if look.demand.pinned is not None:
        lease.cause = "pinned"
    elif why is not None:
        lease.cause = why.kind.value
    elif lease.account.id == conversation.account_id:
        lease.cause = "returned"
    else:
        lease.cause = lease.reason


def _turn_state(
    look: AccountChoice, account: Account, conversation: Conversation | None
) -> str | None:
    """The client's turn state if `account` may see it: never another account's."""
    value = look.demand.affinity.turn_state
    owner = look.owner("turn", value)
    if owner is None and conversation is not None:
        owner = conversation.served_by
    return value if owner in (None, account.id) else None
