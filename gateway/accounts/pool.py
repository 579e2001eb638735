"""The pool: hands out leases, learns from what became of them.

Everything but the wait in `lease` is synchronous, so between two awaits the state
is whole. Each grant is explained: why this account, and why not the others.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from gateway.accounts import eligibility, failure_effects
from gateway.accounts.account import Account, PolledUsage
from gateway.accounts.affinity import Affinity, Bindings
from gateway.accounts.eligibility import Demand, Ineligibility, Reason
from gateway.accounts.lease import Lease
from gateway.accounts.selection import AccountChoice, awaited_accounts, choose_account
from gateway.accounts.strategies import DEFAULT_STRATEGY, STRATEGIES, Strategy
from gateway.accounts.wait_queue import LONGEST_QUEUE_WAIT, Waiter, WaitQueue
from gateway.errors import GatewayError, GatewayOverloaded
from gateway.events import Topic
from gateway.protocol.facts import Failure, Window
from gateway.protocol.failure_kind import KINDS, FailureKind, kind_of
from gateway.settings import Settings

# A conversation waits so long for its own full account: less than what a cold
# prompt cache costs on another one.
HOME_WAIT_SECONDS = 5.0
_NO_AFFINITY = Affinity()
# What does not pass, or not before the client has lost its patience.
_DEAF = frozenset(
    {Reason.SOCKET, Reason.FORBIDDEN, Reason.PAUSED, Reason.LOGIN, Reason.GONE}
)


class Pool:
    """All accounts of the process and who is using them."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        *,
        rng: random.Random | None = None,
    ) -> None:
        self.accounts: dict[int, Account] = {}
        self.bindings = Bindings()
        self.switches: Counter[str] = Counter()  # by cause
        self._websockets = settings.websockets
        self._clock = clock
        self._rng = rng or random.Random()
        self.account_changed = Topic[Account]()
        self._strategy = DEFAULT_STRATEGY
        self._choices = 0
        self._line: WaitQueue[Lease] = WaitQueue(Lease.release)

    @property
    def strategy(self) -> Strategy:
        return self._strategy

    @strategy.setter
    def strategy(self, name: Strategy) -> None:
        if name not in STRATEGIES:
            raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}")
        self._strategy = name

    @property
    def waiting(self) -> int:
        """Requests in the line."""
        return len(self._line)

    def find(self, name: str) -> Account | None:
        return next((a for a in self.accounts.values() if a.name == name), None)

    def replace(self, accounts: Iterable[Account]) -> None:
        """Take the accounts of the database; what is known of them live stays."""
        stored = {account.id: account for account in accounts}
        for account_id, account in stored.items():
            held = self.accounts.get(account_id)
            if held is not None:
                held.update(account)
                stored[account_id] = held
        self.accounts = stored
        self.serve_line()

    def can_open_socket(self, allowed_accounts: frozenset[int] | None = None) -> bool:
        """Whether an upgrade should be accepted rather than answered with 426."""
        demand = Demand(websocket=True, allowed_accounts=allowed_accounts)
        now = self._clock()
        found = [eligibility.bar(a, demand, now) for a in self.accounts.values()]
        speaking = [why for why in found if why is None or why.kind not in _DEAF]
        return self._websockets and (not found or bool(speaking))

    async def lease(self, demand: Demand) -> Lease:
        """Hold an account for one request; waits in line when all are full.

        Who would wait too long hears so at once. Raises NoAccounts,
        UsageLimitReached, ModelNotAvailable, UpgradeRequired,
        PreviousResponseNotFound or GatewayOverloaded, each with `passed_over`.
        """
        self.serve_line()
        look = self._look(demand)
        lease = self._place(look, is_patient=True)
        if lease is not None:
            return lease
        accounts = awaited_accounts(look)
        if not self._line.has_room(accounts):
            lease = self._place(look, is_patient=False)  # better anywhere than nowhere
            if lease is None:
                raise self._overloaded(demand, "too many requests wait for one")
            return lease
        started = time.monotonic()
        with self._line.place(demand, accounts) as waiter:
            lease = await self._wait(waiter, started)
        lease.waited = time.monotonic() - started
        return lease

    async def _wait(self, waiter: Waiter[Lease], started: float) -> Lease:
        """Woken by what frees an account, by time where only time does."""
        while True:
            waited = time.monotonic() - started
            pause = min(LONGEST_QUEUE_WAIT - waited, self._next_recovery())
            if waiter.is_patient:
                pause = min(pause, HOME_WAIT_SECONDS - waited)
            await asyncio.wait((waiter.settled,), timeout=max(0.0, pause))
            if waiter.settled.done():
                return waiter.settled.result()
            waited = time.monotonic() - started
            if waited >= LONGEST_QUEUE_WAIT:
                raise self._overloaded(waiter.demand, "none became free in time")
            waiter.is_patient = waiter.is_patient and waited < HOME_WAIT_SECONDS
            self.serve_line()

    def _next_recovery(self) -> float:
        """Seconds until an account comes back by itself."""
        now = self._clock()
        ends = (account.health.until(now) for account in self.accounts.values())
        return min((end - now for end in ends if end is not None), default=3_600.0)

    def serve_line(self) -> None:
        """Grant what can be granted, in order; who can hope no more gets the error."""
        if not self._line:
            return
        looks: dict[Demand, AccountChoice] = {}
        for waiter in self._line:
            if waiter.settled.done():
                continue
            # One look serves all who ask alike, until a grant changes the picture.
            alike = replace(waiter.demand, affinity=_NO_AFFINITY, key_id=None)
            if alike not in looks:
                looks[alike] = self._look(waiter.demand)
            look = replace(looks[alike], demand=waiter.demand)
            try:
                lease = self._place(look, is_patient=waiter.is_patient)
            except GatewayError as error:
                waiter.settled.set_exception(error)
                continue
            if lease is not None:
                waiter.settled.set_result(lease)
                looks.clear()

    def able(self, demand: Demand, excluded: frozenset[int] = frozenset()) -> int:
        """How many accounts but the excluded could take the request now, or soon."""
        look = self._look(replace(demand, excluded=demand.excluded | excluded))
        if look.owner("response", demand.affinity.previous_response_id) is not None:
            return 0  # only its owner knows the response
        return sum(why is None or why.is_brief(look.now) for why in look.bars.values())

    def refusal(self, demand: Demand) -> GatewayError | None:
        """What a request is told while all are barred; None when waiting helps."""
        look = self._look(replace(demand, affinity=_NO_AFFINITY))
        return (
            eligibility.refusal(look.barred, demand, look.now)
            if all(look.bars.values())
            else None
        )

    def observe_windows(
        self,
        account: Account,
        windows: Sequence[Window],
        plan_type: str | None = None,
    ) -> None:
        """Windows from an answer's headers or a `codex.rate_limits` event."""
        if not windows and not plan_type:
            return
        account.plan = plan_type or account.plan
        account.see_windows(windows, self._clock())
        self._changed(account)

    def observe_usage(
        self, account: Account, usage: PolledUsage, asked_at: float
    ) -> None:
        account.see_usage(usage, asked_at, self._clock())
        self._changed(account)

    def observe_failure(self, lease: Lease, failure: Failure) -> FailureKind:
        """What the failure means; the account's state knows of it at once."""
        now = self._clock()
        kind = kind_of(failure)
        rules = KINDS[kind]
        is_news = lease.attempt_at >= lease.account.health.cooled_at
        lease.attempt_at = now  # what this lease does from here on, it begins later
        if rules.retry.refreshes_token and lease.may_refresh():
            # A token may simply be old: judged by what comes of its refresh.
            lease.account.health.note(f"{kind}: {failure.message}", now)
            return kind
        failure_effects.apply(
            lease.account,
            failure,
            now,
            model=lease.demand.model,
            counts=is_news and not lease.has_failed,
        )
        lease.has_failed = lease.has_failed or rules.cooling is not None
        lease.end_trial()
        self._changed(lease.account)
        return kind

    def observe_trouble(self, account: Account, failure: Failure) -> FailureKind:
        """A failure outside any lease: of a refresh, or of a poll."""
        kind = failure_effects.apply(account, failure, self._clock())
        self._changed(account)
        return kind

    def observe_success(self, lease: Lease) -> None:
        """The request's first good event: account and conversation are confirmed."""
        account, conversation = lease.account, lease.conversation
        was_in_trouble = account.health.failures > 0 or account.health.on_trial
        account.health.succeed(lease.attempt_at)
        lease.end_trial()
        if conversation is not None:
            if conversation.served_by not in (None, account.id):
                conversation.switches += 1
                self.switches[lease.cause or "overlapping"] += 1
            home = conversation.account_id
            if conversation.served_by is None or home == lease.moves_from:
                home = account.id
            keys = lease.demand.conversation_keys
            self.bindings.confirm(keys, conversation, home, self._clock())
            conversation.served_by = account.id
            if home == account.id:
                conversation.stand_in = None
        if was_in_trouble:
            self._changed(account)

    def bind(
        self,
        lease: Lease,
        *,
        response_id: str | None = None,
        turn_state: str | None = None,
    ) -> None:
        """Remember whose response id and turn state these are."""
        now, key_id = self._clock(), lease.demand.key_id
        for kind, value in (("response", response_id), ("turn", turn_state)):
            if value:
                self.bindings.own(key_id, kind, value, lease.account.id, now)

    def _changed(self, account: Account) -> None:
        self.account_changed.publish(account)
        self.serve_line()

    def _look(self, demand: Demand) -> AccountChoice:
        now = self._clock()
        bars: dict[Account, Ineligibility | None] = {
            account: eligibility.bar(account, demand, now)
            for account in self.accounts.values()
        }
        return AccountChoice(
            demand, now, bars, self.bindings, self._strategy, self._rng
        )

    def _place(self, look: AccountChoice, *, is_patient: bool) -> Lease | None:
        lease = choose_account(look, is_patient=is_patient)
        if lease is None:
            return None
        account = lease.account
        account.in_flight += 1
        lease.granted = time.monotonic()
        self._choices += 1
        account.chosen = self._choices
        if account.health.on_trial and not lease.demand.probe:
            lease.is_trial = account.health.trial_running = True
        lease.on_release = self._release
        return lease

    def _release(self, lease: Lease) -> None:
        lease.account.in_flight -= 1
        lease.end_trial()
        self._line.note_turn(time.monotonic() - lease.granted)
        self.serve_line()

    def _overloaded(self, demand: Demand, why: str) -> GatewayOverloaded:
        error = GatewayOverloaded(f"All accounts are at their cap, and {why}")
        eligibility.explain(error, self._look(demand).barred)
        return error
