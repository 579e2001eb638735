"""The pool of accounts: grants leases, and learns from what becomes of them.

Everything but the wait in `lease` is synchronous, so between two awaits the state
is whole. Each grant is explained: why this account, and why not the others.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from gateway.accounts import eligibility, refusals
from gateway.accounts.account import Account
from gateway.accounts.affinity import Bindings
from gateway.accounts.eligibility import Demand, Reason
from gateway.accounts.lease import Lease
from gateway.accounts.observer import Observer
from gateway.accounts.selection import Selection
from gateway.accounts.strategies import DEFAULT_STRATEGY, STRATEGIES, Strategy
from gateway.accounts.verdicts import Verdicts
from gateway.accounts.wait_queue import LONGEST_QUEUE_WAIT, Waiter, WaitQueue
from gateway.errors import GatewayError, GatewayOverloaded
from gateway.events import Topic
from gateway.protocol.facts import Affinity
from gateway.settings import Settings

# A conversation waits so long for its own full account: less than what a cold
# prompt cache costs on another one.
HOME_WAIT_SECONDS = 5.0
_NO_AFFINITY = Affinity()
_TOO_MANY = "too many requests wait for one"
# An account with one of these opens no socket in the time a client waits.
OPENS_NO_SOCKET = frozenset({Reason.NO_SOCKETS, *eligibility.OUT_OF_SERVICE})


class Pool:
    """All accounts of the process and who is using them."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        *,
        rng: random.Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives unix seconds; waits are measured with `monotonic`."""
        self.accounts: dict[int, Account] = {}
        self.bindings = Bindings()
        self.verdicts = Verdicts()
        self.observer = Observer(self.bindings, self.verdicts, clock)
        self.observer.account_changed.subscribe(lambda _: self.serve_queue())
        self._websockets = settings.websockets
        self._clock = clock
        self._monotonic = monotonic
        self._rng = rng or random.Random()
        self._strategy = DEFAULT_STRATEGY
        self._choices = 0
        self._queue = WaitQueue()
        self.wanted = self._queue.wanted
        self.places_changed = Topic[Account]()  # of which this process has a share

    @property
    def strategy(self) -> Strategy:
        return self._strategy

    @strategy.setter
    def strategy(self, name: Strategy) -> None:
        if name not in STRATEGIES:
            raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}")
        self._strategy = name

    def lists_model(self, model: str | None) -> bool:
        """Whether an account's catalogue has it."""
        catalogues = (account.catalogue for account in self.accounts.values())
        return any(one is not None and model in one.models for one in catalogues)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    def now(self) -> float:
        """Unix seconds."""
        return self._clock()

    def replace(self, accounts: Iterable[Account]) -> None:
        """Take the accounts of the database; what is known of them live stays."""
        stored = {account.id: account for account in accounts}
        for account_id, account in stored.items():
            held = self.accounts.get(account_id)
            if held is not None:
                held.update(account)
                stored[account_id] = held
        self.accounts = stored
        self.verdicts.retain({one.base_url or "" for one in stored.values()})
        self.serve_queue()

    def can_open_socket(self, allowed_accounts: frozenset[int] | None = None) -> bool:
        """Whether an upgrade should be accepted rather than refused with 426.

        A client that is refused goes on over HTTP, for good: only where that helps.
        """
        demand = Demand(websocket=True, allowed_accounts=allowed_accounts)
        verdicts = self.selection(demand).verdicts.values()
        reasons = {None if why is None else why.reason for why in verdicts}
        return self._websockets and (
            Reason.NO_SOCKETS not in reasons or not reasons <= OPENS_NO_SOCKET
        )

    async def lease(self, demand: Demand) -> Lease:
        """Hold an account for one request; waits in the queue while all are full.

        Refused at once when the wait would be too long. Raises NoAccounts,
        NoneInService, UsageLimitReached, ModelNotAvailable, UpgradeRequired,
        PreviousResponseNotFound or GatewayOverloaded, each with `passed_over`.
        """
        self.serve_queue()
        selection = self.selection(demand)
        lease = self._grant(selection, waits_for_home=True)
        if lease is not None:
            return lease
        accounts = selection.free_soon()
        if not self._queue.has_room(demand, accounts):
            lease = self._grant(selection, waits_for_home=False)
            if lease is not None:
                return lease
            replaced = self._queue.replaceable(demand, accounts)
            if replaced is None:
                raise self._overloaded(demand, _TOO_MANY)
            self._queue.refuse(replaced, self._overloaded(replaced.demand, _TOO_MANY))
        with self._queue.join(demand, accounts) as waiter:
            self._tell_changed(accounts)
            return await self._wait(waiter)

    async def _wait(self, waiter: Waiter) -> Lease:
        """Wait for the grant; looks again when an account recovers by itself."""
        started = self._monotonic()
        waited = 0.0
        while waited < LONGEST_QUEUE_WAIT:
            pause = min(LONGEST_QUEUE_WAIT - waited, self._next_recovery())
            if waiter.waits_for_home:
                pause = min(pause, HOME_WAIT_SECONDS - waited)
            await asyncio.wait((waiter.grant,), timeout=max(0.0, pause))
            if waiter.grant.done():
                return waiter.grant.result()
            waited = self._monotonic() - started
            waiter.waits_for_home = waiter.waits_for_home and waited < HOME_WAIT_SECONDS
            if waited < LONGEST_QUEUE_WAIT:
                self.serve_queue()
        raise self._overloaded(waiter.demand, "none became free in time")

    def _next_recovery(self) -> float:
        """Seconds until an account comes back by itself."""
        now = self._clock()
        ends = (account.health.until(now) for account in self.accounts.values())
        return min((end - now for end in ends if end is not None), default=3_600.0)

    def serve_queue(self) -> None:
        """Grant what can be granted, in turn; refuse those for whom no wait helps."""
        if not self._queue:
            return
        selections: dict[Demand, Selection] = {}
        for waiter in self._queue:
            # Equal demands share one selection, until a grant changes an account.
            equal = replace(
                waiter.demand, affinity=_NO_AFFINITY, key_id=None, network=""
            )
            if equal not in selections:
                selections[equal] = self.selection(waiter.demand)
            selection = replace(selections[equal], demand=waiter.demand)
            try:
                lease = self._grant(selection, waits_for_home=waiter.waits_for_home)
            except GatewayError as error:
                self._queue.refuse(waiter, error)
                continue
            if lease is not None:
                self._queue.grant(waiter, lease)
                selections.clear()

    def count_eligible(self, demand: Demand, excluded: frozenset[int]) -> int:
        """How many accounts but the excluded could take the request now, or soon."""
        selection = self.selection(replace(demand, excluded=demand.excluded | excluded))
        if selection.response_owner is not None:
            return 0  # only its owner knows the response
        return sum(
            why is None or why.is_soft or why.is_short(selection.now)
            for account, why in selection.verdicts.items()
            if account.id not in selection.demand.excluded
        )

    def has_lost(self, account: Account) -> bool:
        """Whether conversations leave the account, and not only for a while."""
        why = eligibility.check_eligibility(
            account, Demand(), self.verdicts, self._clock()
        )
        return why is not None and why.is_lasting(self._clock())

    def refusal(self, demand: Demand) -> GatewayError | None:
        """The error while no account is eligible; None when waiting helps."""
        selection = self.selection(replace(demand, affinity=_NO_AFFINITY))
        if any(why is None or why.is_soft for why in selection.verdicts.values()):
            return None
        return refusals.refusal(selection.ineligible, demand, selection.now)

    def selection(self, demand: Demand) -> Selection:
        now = self._clock()
        verdicts = {
            account: eligibility.check_eligibility(account, demand, self.verdicts, now)
            for account in self.accounts.values()
        }
        return Selection(
            demand, now, verdicts, self.bindings, self._strategy, self._rng
        )

    def _grant(self, selection: Selection, *, waits_for_home: bool) -> Lease | None:
        lease = selection.lease(waits_for_home=waits_for_home)
        if lease is None:
            return None
        account = lease.account
        self.verdicts.note_attempt(account, selection.now)
        account.in_flight += 1
        self._tell_changed((account,))
        if lease.conversation is not None:
            lease.conversation.attempts += 1
        lease.granted_at = self._monotonic()
        self._choices += 1
        account.last_choice = self._choices
        health = account.health
        now = selection.now
        if health.on_trial and not health.is_tried(now) and not lease.demand.probe:
            lease.is_trial = True
            health.begin_trial(now)
        lease.on_release = self._release
        return lease

    def _release(self, lease: Lease) -> None:
        lease.account.in_flight -= 1
        self._tell_changed((lease.account,))
        if lease.conversation is not None:
            lease.conversation.attempts -= 1
        lease.end_trial()
        self._queue.record_lease(self._monotonic() - lease.granted_at)
        self.serve_queue()

    def _tell_changed(self, accounts: Iterable[Account]) -> None:
        for account in accounts:
            if account.share is not None:
                self.places_changed.publish(account)

    def _overloaded(self, demand: Demand, why: str) -> GatewayOverloaded:
        error = GatewayOverloaded(f"All accounts are at their cap, and {why}")
        error.passed_over = refusals.passed_over(self.selection(demand).ineligible)
        return error
