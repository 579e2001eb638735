"""What becomes of leases and of the gateway's own calls, told to accounts and bindings.

Synchronous: between two awaits of a turn the state is whole.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from gateway.accounts.account import Account
from gateway.accounts.affinity import Bindings
from gateway.accounts.health import TOKEN_ENDED
from gateway.accounts.lease import Lease
from gateway.accounts.shared.witnesses import Sighting
from gateway.accounts.verdicts import Met, Verdicts
from gateway.events import Topic
from gateway.protocol.facts import Failure, Window
from gateway.protocol.limit_windows import PolledUsage
from gateway.protocol.local_failures import is_token_failure

BY_TOKEN_ENDPOINT = "the token endpoint"
LONGEST_LOGGED_ID = 80  # characters of a response's id


class Observer:
    """Takes in what happened, and publishes which account it has changed."""

    def __init__(
        self, bindings: Bindings, verdicts: Verdicts, clock: Callable[[], float]
    ) -> None:
        self.account_changed = Topic[Account]()
        self.failure_met = Topic[Met]()
        self.switches: Counter[str] = Counter()  # of conversations, by cause
        self._bindings = bindings
        self._verdicts = verdicts
        self._clock = clock

    def windows(
        self,
        account: Account,
        windows: Sequence[Window],
        plan_type: str | None = None,
    ) -> None:
        """Windows from an answer's headers or a `codex.rate_limits` event."""
        if not windows and not plan_type:
            return
        account.plan = plan_type or account.plan
        account.record_windows(windows, self._clock())
        self.account_changed.publish(account)

    def usage(self, account: Account, usage: PolledUsage, asked_at: float) -> None:
        account.record_usage(usage, asked_at, self._clock())
        self.account_changed.publish(account)

    def reset(self, account: Account) -> None:
        """The account's windows begin anew; how full they are is to be asked for."""
        account.windows.clear()
        account.named_windows.clear()
        account.health.lift_limit()
        self.account_changed.publish(account)

    def failure(self, lease: Lease, failure: Failure) -> None:
        """What a lease's request met: its client's suspicion, or a verdict for all."""
        account, demand, now = lease.account, lease.demand, self._clock()
        if demand.probe or is_token_failure(failure):
            by = "accounts probe" if demand.probe else BY_TOKEN_ENDPOINT
            account.health.is_token_doubted = True
            self.rule(account, failure, by)
            return
        met = Met(account, failure, demand.witness, demand.model, not lease.has_failed)
        lease.has_failed = True
        self._verdicts.meet(met, now)
        lease.attempt_at = now  # what this lease does from here on, it begins later
        lease.end_trial()
        self.failure_met.publish(met)
        self.account_changed.publish(account)

    def rule(self, account: Account, failure: Failure, by: str) -> None:
        """A call of the gateway's own met this: a verdict for all."""
        told = replace(failure, redacted=None)  # it quotes no client
        self._verdicts.rule(account, told, by, self._clock())
        self.account_changed.publish(account)

    def hear(self, told: Iterable[Sighting], accounts: Iterable[Account]) -> None:
        """All that clients of other processes met, and nobody's success has ended."""
        now = self._clock()
        for one in self._verdicts.witnesses.hear(told, now):
            for account in accounts:
                if self._verdicts.believe(account, one, now):
                    self.account_changed.publish(account)

    def acquit(self, account: Account) -> None:
        """A call of the gateway's own found the account's token and way well."""
        self._verdicts.acquit(account)
        self.account_changed.publish(account)

    def success(self, lease: Lease) -> None:
        """The request's first good event: account and conversation are confirmed."""
        account, conversation = lease.account, lease.conversation
        demand = lease.demand
        had_failed = account.health.failures > 0 or account.health.on_trial
        account.health.succeed(lease.attempt_at)
        self._verdicts.succeed(account, demand.sender, demand.model)
        lease.end_trial()
        if conversation is not None:
            if conversation.answered_by not in (None, account.id):
                self.switches[lease.switch_cause or "overlapping"] += 1
            keys, now = demand.conversation_keys, self._clock()
            self._bindings.answer(keys, conversation, account.id, lease.lost_home, now)
        if had_failed:
            self.account_changed.publish(account)

    def probed(
        self, lease: Lease, windows: Sequence[Window], *, counts_apart: bool
    ) -> None:
        """The operator's own request went well: what its model counts in has room.

        `counts_apart`: in a limit of some models only, which tells nothing of others.
        """
        account = lease.account
        self.success(lease)
        if not counts_apart:
            account.health.lift_limit()
            if account.health.login_reason == TOKEN_ENDED:
                account.health.logged_in()
        account.record_windows(windows, self._clock())  # it may have been the last
        self.account_changed.publish(account)

    def settle(self, lease: Lease) -> None:
        """The account made encrypted items: the conversation stays where they are."""
        conversation = lease.conversation
        if conversation is not None and conversation.fallback == lease.account.id:
            keys, home = lease.demand.conversation_keys, lease.account.id
            self._bindings.confirm(keys, conversation, home, self._clock())
            conversation.fallback = conversation.away_since = None

    def bind(
        self,
        lease: Lease,
        *,
        response_id: str | None = None,
        turn_state: str | None = None,
    ) -> None:
        """Remember whose response id and turn state these are."""
        now, key_id, id = self._clock(), lease.demand.key_id, lease.account.id
        for kind, value, is_stored in (
            # Its row of the log, which cuts longer ones, names the account.
            ("response", response_id, len(response_id or "") > LONGEST_LOGGED_ID),
            # As does the conversation's, where there is one.
            ("turn", turn_state, not lease.demand.conversation_keys),
        ):
            if value:
                set_owner = self._bindings.set_owner
                set_owner(key_id, kind, value, id, now, is_stored=is_stored)
