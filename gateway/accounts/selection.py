"""Chooses the account for one request: its conversation's home, else the strategy's.

A conversation that its home account cannot serve for the moment goes to a fallback
account, always the same one, and returns afterwards. Only a home that is limited for
longer, needs a login or was removed is given up, and that by the first success.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.accounts.account import Account
from gateway.accounts.affinity import Bindings, Conversation
from gateway.accounts.eligibility import REMOVED, Demand, Ineligibility, Reason
from gateway.accounts.lease import Lease
from gateway.accounts.refusals import passed_over, refusal
from gateway.accounts.strategies import Strategy, choose
from gateway.errors import LONGEST_RETRY_AFTER, NoAccounts, PreviousResponseNotFound


@dataclass(slots=True)
class Selection:
    """The choice for one demand, from a verdict on every account; None: eligible."""

    demand: Demand
    now: float
    verdicts: Mapping[Account, Ineligibility | None]
    bindings: Bindings
    strategy: Strategy
    rng: random.Random

    @property
    def ineligible(self) -> dict[Account, Ineligibility]:
        return {one: why for one, why in self.verdicts.items() if why is not None}

    @property
    def response_owner(self) -> int | None:
        """The only account that knows the previous response; None: any may serve."""
        return self._owner("response", self.demand.affinity.previous_response_id)

    def lease(self, *, waits_for_home: bool) -> Lease | None:
        """The lease to grant, None when the request must wait. Raises GatewayError."""
        demand = self.demand
        if demand.pinned is not None and self._account(demand.pinned) is None:
            raise NoAccounts("The account this request belongs to was removed")
        whys = self.verdicts.values()
        if None not in whys and not any(
            why is not None and why.is_soft for why in whys
        ):
            error = refusal(self.ineligible, demand, self.now)
            if error is not None:
                raise error
        conversation, kind = self.bindings.conversation(
            demand.conversation_keys, self.now
        )
        picked = self._pick(conversation, kind, waits_for_home)
        return None if picked is None else self._lease(*picked, conversation)

    def free_soon(self) -> list[Account]:
        """The accounts that a request which has to wait may get."""
        owner = self.response_owner
        return [
            account
            for account, why in self.ineligible.items()
            if why.is_short(self.now) and owner in (None, account.id)
        ]

    def _account(self, account_id: int) -> Account | None:
        return next((one for one in self.verdicts if one.id == account_id), None)

    def _verdict(self, account_id: int) -> Ineligibility | None:
        account = self._account(account_id)
        return REMOVED if account is None else self.verdicts[account]

    def _owner(self, kind: str, value: str | None) -> int | None:
        if value is None:
            return None
        return self.bindings.owner(self.demand.key_id, kind, value, self.now)

    def _pick(
        self, conversation: Conversation | None, kind: str, waits_for_home: bool
    ) -> tuple[Account, str] | None:
        """An eligible account and why it; None when waiting is better."""
        owner = self.response_owner
        if owner is not None:
            return self._at_owner(owner)
        for account_id, reason in self._preferences(conversation, kind):
            account = self._account(account_id)
            if account is None:
                continue
            why = self.verdicts[account]
            if why is None:
                return account, reason
            is_home = (
                conversation is not None and conversation.answered_by == account_id
            )
            if why.reason is Reason.FULL and is_home and waits_for_home:
                return None
        eligible = [account for account, why in self.verdicts.items() if why is None]
        if eligible:
            able = [one for one in eligible if not one.is_chatgpt]
            able = able if able and self.demand.prefers_key else eligible
            return choose(self.strategy, able, self.now, self.rng), self.strategy
        return self._last_choice(conversation, kind)

    def _last_choice(
        self, conversation: Conversation | None, kind: str
    ) -> tuple[Account, str] | None:
        """An account that is only suspected: upstream's answer is better than ours."""
        soft = [one for one, why in self.verdicts.items() if why and why.is_soft]
        if not soft:
            return None
        for account_id, reason in self._preferences(conversation, kind):
            account = self._account(account_id)
            if account in soft:
                return account, reason
        return choose(self.strategy, soft, self.now, self.rng), "none is better"

    def _preferences(
        self, conversation: Conversation | None, kind: str
    ) -> Iterator[tuple[int, str]]:
        """Account ids with the reason, in the order they are to be tried."""
        turn = self._owner("turn", self.demand.affinity.turn_state)
        # The turn state of an account the conversation has left since is stale.
        if turn is not None and (
            conversation is None or turn in (conversation.home, conversation.fallback)
        ):
            yield turn, "turn_state"
        if conversation is not None and conversation.is_bound:
            yield conversation.home, kind
            # Overlapping requests may have had two fallbacks: the one that answered
            # last has the warmer cache.
            for fallback in (conversation.answered_by, conversation.fallback):
                if fallback is not None:
                    yield fallback, f"{kind} (stand-in)"

    def _at_owner(self, owner: int) -> tuple[Account, str] | None:
        """The account that holds the previous response, None to wait for it."""
        why = self._verdict(owner)
        account = self._account(owner)
        if account is not None and (why is None or why.is_soft):
            return account, "previous_response_id"
        if why is None or why.is_busy:
            return None
        error: NoAccounts | PreviousResponseNotFound
        is_passing = why.reason in (Reason.COOLING, Reason.LIMITED, Reason.FAILED)
        if self.demand.websocket or not is_passing or why.is_lasting(self.now):
            # The client resends its whole history, which any account can serve.
            response_id = self.demand.affinity.previous_response_id or ""
            error = PreviousResponseNotFound(response_id)
        else:
            wait = (why.until or self.now) - self.now
            error = NoAccounts(
                "The account that holds the previous response is recovering",
                retry_after=min(LONGEST_RETRY_AFTER, max(1.0, wait)),
            )
        error.passed_over = passed_over(self.ineligible)
        raise error

    def _lease(
        self, account: Account, reason: str, conversation: Conversation | None
    ) -> Lease:
        demand = self.demand
        ineligible = self.ineligible
        others = passed_over(ineligible) if ineligible else ()
        lease = Lease(account, demand, reason, others, attempt_at=self.now)
        lease.turn_state = self._turn_state(account, conversation)
        if demand.probe or demand.is_prewarm:
            return lease
        lease.conversation = conversation
        if conversation is not None:
            self._explain_switch(lease, conversation)
            self._move(lease, conversation)
        elif demand.conversation_keys:
            lease.conversation = self.bindings.begin(
                demand.conversation_keys, account.id, self.now
            )
        return lease

    def _move(self, lease: Lease, conversation: Conversation) -> None:
        """Note where the conversation is now, and whether its home is given up."""
        account_id = lease.account.id
        if conversation.answered_by is None:
            conversation.home = account_id
        elif account_id == conversation.home:
            conversation.fallback = conversation.away_since = None
        elif self.demand.pinned is None and lease.reason != "previous_response_id":
            conversation.fallback = account_id
            conversation.away_since = conversation.away_since or self.now
            why = self._verdict(conversation.home)
            if why is not None and why.is_lasting(self.now):
                lease.lost_home = conversation.home

    def _explain_switch(self, lease: Lease, conversation: Conversation) -> None:
        before = conversation.answered_by
        if before is None or before == lease.account.id:
            return
        previous = self._account(before)
        why = self._verdict(before)
        lease.switched_from = f"account {before}" if previous is None else previous.name
        if self.demand.pinned is not None:
            lease.switch_cause = "pinned"
        elif why is not None:
            lease.switch_cause = why.reason.value
        elif lease.account.id == conversation.home:
            lease.switch_cause = "returned"
        else:
            lease.switch_cause = lease.reason

    def _turn_state(
        self, account: Account, conversation: Conversation | None
    ) -> str | None:
        """The client's turn state if `account` may see it: never another account's."""
        value = self.demand.affinity.turn_state
        owner = self._owner("turn", value)
        if owner is None and conversation is not None:
            owner = conversation.answered_by
        return value if owner in (None, account.id) else None
