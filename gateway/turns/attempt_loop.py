"""The loop of attempts: leases accounts until one answers or nothing can be tried.

What an attempt is, the transport says; what follows a failed one, `failover` decides.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gateway.accounts.account import Account
from gateway.accounts.lease import Lease
from gateway.accounts.pool import Pool
from gateway.errors import GatewayError, PreviousResponseNotFound, forget_traceback
from gateway.failover.decision import (
    LAST_ATTEMPT_SECONDS,
    Attempt,
    Decision,
    Elsewhere,
    GiveUp,
    RetryBudget,
    RetryHere,
    WaitOut,
    decide,
)
from gateway.failover.final_error import ends_sooner, final_error, last_answer
from gateway.failover.inner_wait import LONGEST_INNER_WAIT, InnerWaits, short_limit
from gateway.polling.judges import Judges
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import FailureKind, Tries, kind_of, rules_of
from gateway.secret import Secret
from gateway.turns.receipt import note_attempt, words
from gateway.turns.turn import Turn
from gateway.upstream import UpstreamFault

T = TypeVar("T")
_NO_DEADLINE = nullcontext()


@dataclass(slots=True)
class _Progress:
    """How far the attempts of one turn have come; times are monotonic seconds."""

    here: int = 0  # attempts at the account of the current lease
    moved_by: FailureKind | None = None  # see `Attempt`
    judged: bool = False  # the current account's judge was asked
    troubled: bool = False  # upstream was, before the latest failure
    token: Secret | None = None  # that the latest attempt went out with
    excluded: set[int] = field(default_factory=set)
    well_at: dict[int, float] = field(default_factory=dict)  # ends of short limits
    has_waited: bool = False
    first_at: Hashable = None  # where this turn goes first after a wait
    failures: list[tuple[Failure, Account]] = field(default_factory=list)

    def note(self, failure: Failure, account: Account, wait: float | None) -> None:
        """An attempt failed; `wait`: at a limit that ends in so many seconds."""
        self.failures.append((failure, account))
        if wait is not None:
            self.well_at[account.id] = time.monotonic() + wait
            if self.has_waited:  # in vain: what was tried is not tried again
                self.excluded.update(one.id for _, one in self.failures)

    @property
    def met_edge_twice(self) -> bool:
        """Whether a page answered at two accounts."""
        edge = FailureKind.EDGE_REFUSED
        pages = [one for one, _ in self.failures if kind_of(one) is edge]
        return self.moved_by is edge and len(pages) > 1


class AttemptLoop:
    """Wins accounts for turns."""

    def __init__(self, pool: Pool, judges: Judges) -> None:
        self._pool = pool
        self._tokens = judges.tokens
        self._judges = judges
        self.budget = RetryBudget()
        self._waits = InnerWaits()

    def count_request(self, client: int | str) -> None:
        """A turn has begun."""
        self.budget.count(client, time.monotonic())
        self._pool.verdicts.suspicions.count_request(client, self._pool.now())

    async def run(self, turn: Turn, open_attempt: Callable[[Lease], Awaitable[T]]) -> T:
        """What `open_attempt` made of the first account that answered.

        Raises the GatewayError the client gets when none did; UpstreamFault when
        the last one's failure may be shown as upstream told it.
        """
        progress = _Progress()
        try:
            while True:
                lease = turn.lease or await self._lease(turn, progress)
                progress.here += 1
                try:
                    await self._tokens.ensure_fresh(lease.account)
                    progress.token = lease.account.credentials.access_token
                    opened = await open_attempt(lease)
                except UpstreamFault as fault:
                    turn.sent_at = None
                    if not fault.may_be_shown:
                        turn.hold_response(None)
                    try:
                        fault.failure = await turn.compared(fault.failure)
                        await self._recover(turn, lease, fault, progress)
                    finally:
                        forget_traceback(fault)
                else:
                    self._pool.observer.success(lease)
                    note_attempt(turn.exchange, lease.account.name, None, "answered")
                    turn.commit()
                    return opened
        finally:
            # A turn that was cancelled has not shown that the limit goes on.
            self._end_wait(progress, is_over=True)

    async def _lease(self, turn: Turn, progress: _Progress) -> Lease:
        demand = turn.demand
        if progress.excluded:
            demand = replace(demand, excluded=frozenset(progress.excluded))
        try:
            # Another attempt is not begun after the time for it, whatever the queue.
            left = LAST_ATTEMPT_SECONDS - turn.exchange.elapsed_ms / 1000
            async with asyncio.timeout(left) if progress.failures else _NO_DEADLINE:
                lease = turn.lease = await self._pool.lease(demand)
        except PreviousResponseNotFound:
            raise  # upon which the client sends everything again
        except (GatewayError, TimeoutError) as error:
            if progress.failures:  # upstream's answer says more than a state of ours
                raise self._final(turn, progress, error) from error
            raise
        exchange = turn.exchange
        exchange.mark("queue")
        exchange.account_id = lease.account.id
        exchange.account_name = lease.account.name
        exchange.lease_reason = lease.reason
        exchange.passed_over = lease.passed_over
        exchange.switched_from = lease.switched_from
        exchange.switch_cause = lease.switch_cause
        if progress.has_waited and progress.first_at is None:
            await self._take_place(turn, lease, progress)
        return lease

    async def _take_place(self, turn: Turn, lease: Lease, progress: _Progress) -> None:
        """After a short limit: one request of its client shows whether it is over."""
        demand = lease.demand
        scope = (lease.account.id, demand.model, demand.sender)
        place = await self._waits.take_place(scope, LONGEST_INNER_WAIT)
        if place == "first":
            progress.first_at = scope
        is_vain = not self._pool.verdicts.suspicions.may_wait(
            demand.sender, demand.model, self._pool.now()
        )
        if place == "in vain" or is_vain:
            raise self._final(turn, progress)

    def _end_wait(self, progress: _Progress, *, is_over: bool) -> None:
        if progress.first_at is not None:
            self._waits.end(progress.first_at, is_over=is_over)
            progress.first_at = None

    async def _recover(
        self, turn: Turn, lease: Lease, fault: UpstreamFault, progress: _Progress
    ) -> None:
        """Wait, move on, or raise what the client gets."""
        failure, account, name = fault.failure, lease.account, lease.account.name
        if failure.code == "invalid_encrypted_content" and turn.drop_reasoning():
            again = "again without encrypted reasoning"
            note_attempt(turn.exchange, name, failure, again)
            return
        verdicts, demand, now = self._pool.verdicts, lease.demand, self._pool.now()
        model = demand.model
        suspected = verdicts.suspicions.until(demand.sender, account.id, model, now)
        # As it was: whose failure completes the evidence is repeated like others'.
        progress.troubled = verdicts.is_troubled(account, model, now)
        self._pool.observer.failure(lease, failure)
        wait = short_limit(failure, now)
        self._end_wait(progress, is_over=wait is None)
        progress.note(failure, account, wait)
        if progress.has_waited and wait is not None:
            verdicts.suspicions.note_vain_wait(demand.sender, model, now)
        decision = self._decide(turn, lease, failure, progress)
        if isinstance(decision, RetryHere) and decision.asks_judge:
            progress.judged = True
            is_first = suspected is None
            if await self._judges.renew(account, progress.token, waits=is_first):
                note_attempt(turn.exchange, name, failure, "again with a new token")
                return
            decision = self._decide(turn, lease, failure, progress)
        note_attempt(turn.exchange, name, failure, words(decision))
        match decision:
            case RetryHere(after=after):
                await asyncio.sleep(after)
            case Elsewhere():
                self._leave(turn, lease, fault, progress)
            case WaitOut(after=after):
                await self._wait_out(turn, lease, after, progress)
            case GiveUp():
                told = last_answer([one for one, _ in progress.failures])
                if fault.may_be_shown and told is failure:
                    raise fault
                raise self._final(turn, progress) from fault

    def _leave(
        self, turn: Turn, lease: Lease, fault: UpstreamFault, progress: _Progress
    ) -> None:
        """Let another account be chosen."""
        if turn.is_anchored:
            # Upstream holds the history: the client resends all of it, which any
            # account can serve.
            raise PreviousResponseNotFound(turn.anchor or "") from fault
        progress.excluded.add(lease.account.id)
        progress.here, progress.judged = 0, False
        if rules_of(fault.failure).tries is Tries.ONCE:
            progress.moved_by = kind_of(fault.failure)
        turn.free()

    async def _wait_out(
        self, turn: Turn, lease: Lease, after: float, progress: _Progress
    ) -> None:
        """Wait for a short limit's end; then whoever is well again may answer."""
        progress.has_waited = True
        progress.here = 0
        progress.excluded.add(lease.account.id)
        turn.free()
        await asyncio.sleep(after)
        now = time.monotonic() + 0.01
        progress.excluded = {
            one for one in progress.excluded if progress.well_at.get(one, now + 1) > now
        }

    def _decide(
        self, turn: Turn, lease: Lease, failure: Failure, progress: _Progress
    ) -> Decision:
        account, now = lease.account, time.monotonic()
        tried = frozenset(progress.excluded | {account.id})
        demand = turn.resent_demand if turn.is_anchored else turn.demand
        verdicts, wall = self._pool.verdicts, self._pool.now()
        may_wait = not progress.has_waited and verdicts.suspicions.may_wait(
            demand.sender, demand.model, wall
        )
        attempt = Attempt(
            accounts_left=self._pool.count_eligible(demand, tried),
            here=progress.here,
            moved_by=progress.moved_by,
            elapsed=turn.exchange.elapsed_ms / 1000,
            judged=progress.judged,
            bound=self._is_bound(turn, lease),
            troubled=progress.troubled,
            wait=min(progress.well_at.values()) - now
            if may_wait and progress.well_at
            else None,
        )
        decision = decide(failure, attempt)
        is_second_try = isinstance(decision, Elsewhere) and decision.is_second_try
        if is_second_try and not verdicts.may_try_second(account, wall):
            return GiveUp(f"{kind_of(failure)}: upstream is in trouble")
        return self.budget.allow(decision, demand.sender, now, attempt.elapsed)

    def _is_bound(self, turn: Turn, lease: Lease) -> bool:
        """Whether no other account may answer."""
        if turn.demand.pinned is not None:
            return True
        is_home = turn.demand.bound_to == lease.account.id
        return is_home and not self._pool.has_lost(lease.account)

    def _final(
        self, turn: Turn, progress: _Progress, refused: Exception | None = None
    ) -> GatewayError:
        """Upstream's last answer, or of a limit the account that returns before it.

        `refused`: why no other account was leased.
        """
        failure = last_answer([failure for failure, _ in progress.failures])
        account = next(of for one, of in progress.failures if one is failure)
        view, base = turn.view(), self._pool.verdicts.base(account)
        error = final_error(
            failure,
            codex=view.is_codex,
            keys_in_use=view.keys_in_use,
            login_convicted=account.is_login_refused,
            way_refused=base.edge_pause > 0 or progress.met_edge_twice,
        )
        if not rules_of(failure).is_usage_limit:
            return error
        # A client gives up at a limit: it is told that of the first account to
        # return, and only when no other account is back sooner than its limit ends.
        tried = frozenset(progress.excluded | {account.id})
        state = self._pool.refusal(replace(turn.demand, excluded=tried))
        if state is None and isinstance(refused, GatewayError):
            state = refused  # it is there, but full
        is_sooner = ends_sooner(state, failure, self._pool.now())
        return state if state is not None and is_sooner else error
