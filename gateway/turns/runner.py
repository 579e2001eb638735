"""The frame around every turn, and the loop of attempts before its commit point.

`TurnRunner.begin` is entered by both transports: it loads the payload, reserves the
key's limits and, in one `finally`, frees the lease, settles the reservation and
hands the row to the log. `TurnRunner.run_attempts` leases accounts until one of them
answers; what opening an attempt means is the transport's matter.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from gateway.accounts.eligibility import Demand
from gateway.accounts.encrypted_items import EncryptedItems
from gateway.accounts.lease import Lease
from gateway.accounts.pool import Pool
from gateway.errors import (
    ForeignCompaction,
    GatewayError,
    PreviousResponseNotFound,
    forget_traceback,
)
from gateway.events import Topic
from gateway.keys.counters import Charge
from gateway.keys.limiter import Limiter, Reservation
from gateway.keys.model_errors import ModelNotAllowed
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import rules_of
from gateway.secret import Secret
from gateway.turns.client_request import ClientRequest, Loaded
from gateway.turns.exchange import Exchange
from gateway.turns.failover import (
    Attempt,
    Decision,
    Elsewhere,
    GiveUp,
    RetryBudget,
    RetryHere,
    decide,
)
from gateway.turns.final_error import ends_sooner, final_error, last_answer
from gateway.turns.receipt import note_attempt, settle, take_outcome, words
from gateway.turns.turn import Turn, demand_of
from gateway.upstream import UpstreamFault
from gateway.upstream.tokens import TokenSource

T = TypeVar("T")


class TurnRunner:
    """Begins turns and wins accounts for them."""

    def __init__(self, pool: Pool, tokens: TokenSource, limiter: Limiter) -> None:
        self._pool = pool
        self._tokens = tokens
        self._limiter = limiter
        self.exchange_ended = Topic[dict[str, Any]]()
        self._budget = RetryBudget()
        self.sealed = EncryptedItems()
        self.running: set[Exchange] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def begin(self, request: ClientRequest) -> AsyncIterator[Turn]:
        """Raises what the payload, the key's limits or its models refuse."""
        exchange = Exchange(request)
        turn: Turn | None = None
        reservation: Reservation | None = None
        self.running.add(exchange)
        self._idle.clear()
        try:
            loaded = await request.take_payload()
            exchange.take_facts(loaded)
            exchange.mark("body")
            demand = demand_of(request, loaded, self.sealed)
            keys = demand.conversation_keys
            exchange.conversation = keys[0][1] if keys else None
            self._check_maker(demand)
            turn = Turn(
                exchange,
                self.sealed,
                demand,
                loaded,
                anchor=loaded.previous_response_id,
                wants_stream=loaded.stream,
            )
            reservation = await self._reserve(request, loaded)
            del loaded  # the turn lets go of it at the commit point
            self._budget.count(time.monotonic())
            yield turn
        except GatewayError as error:
            exchange.fail(error)
            exchange.passed_over = exchange.passed_over or error.passed_over
            raise
        finally:
            self.running.discard(exchange)
            if not self.running:
                self._idle.set()
            if turn is not None:
                self._observe(turn)
                turn.free()
                take_outcome(exchange, turn.reader)
            if reservation is not None:
                settle(exchange, reservation)
            self.exchange_ended.publish(exchange.as_row())

    async def wait_until_idle(self) -> None:
        """Return once no turn is running."""
        await self._idle.wait()

    def _check_maker(self, demand: Demand) -> None:
        """A compacted history whose account is out of service cannot go on."""
        if demand.pinned is None:
            return
        account = self._pool.accounts.get(demand.pinned)
        if account is None or not account.health.is_in_service:
            raise ForeignCompaction

    async def _reserve(self, request: ClientRequest, loaded: Loaded) -> Reservation:
        key, model = request.key, loaded.model
        if key is not None and model is not None and not key.allows(model):
            raise ModelNotAllowed(model)
        estimate = Charge.estimate(request.size, model, loaded.service_tier)
        return await self._limiter.reserve(key, estimate, model)

    async def run_attempts(
        self, turn: Turn, open_attempt: Callable[[Lease], Awaitable[T]]
    ) -> T:
        """What `open_attempt` made of the first account that answered.

        Raises the GatewayError the client gets when none did; UpstreamFault when
        the last one's failure may be shown as upstream told it.
        """
        progress = _Progress()
        while True:
            lease = turn.lease or await self._lease(turn, progress)
            progress.number += 1
            progress.here += 1
            try:
                await self._tokens.ensure_fresh(lease.account)
                progress.token = lease.account.credentials.access_token
                opened = await open_attempt(lease)
            except UpstreamFault as fault:
                if not fault.may_be_shown:
                    turn.hold_response(None)
                try:
                    fault.failure = await turn.compared(fault.failure)
                    await self._recover(turn, lease, fault, progress)
                finally:
                    forget_traceback(fault)
            else:
                self._pool.observe_success(lease)
                note_attempt(turn.exchange, lease.account.name, None, "answered")
                turn.commit()
                return opened

    def _observe(self, turn: Turn) -> None:
        """Hand the pool what a committed turn told about its account."""
        lease, reader = turn.lease, turn.reader
        if lease is None or not turn.is_committed:
            return
        self._pool.observe_windows(lease.account, reader.windows, reader.plan_type)
        self._pool.bind(
            lease, response_id=reader.response_id, turn_state=reader.turn_state
        )
        if reader.failure is not None:  # a limit told inside a stream counts, too
            self._pool.observe_failure(lease, reader.failure.in_phase("stream"))

    async def _lease(self, turn: Turn, progress: "_Progress") -> Lease:
        demand = turn.demand
        if progress.excluded:
            demand = replace(demand, excluded=frozenset(progress.excluded))
        lease = turn.lease = await self._pool.lease(demand)
        exchange = turn.exchange
        exchange.mark("queue")
        exchange.account_id = lease.account.id
        exchange.lease_reason = lease.reason
        exchange.passed_over = lease.passed_over
        exchange.switched_from = lease.switched_from
        exchange.switch_cause = lease.switch_cause
        return lease

    async def _recover(
        self, turn: Turn, lease: Lease, fault: UpstreamFault, progress: "_Progress"
    ) -> None:
        """Wait, move on, or raise what the client gets."""
        failure = fault.failure
        if failure.code == "invalid_encrypted_content" and turn.drop_reasoning():
            again = "again without encrypted reasoning"
            note_attempt(turn.exchange, lease.account.name, failure, again)
            return
        progress.failures.append(failure)
        self._pool.observe_failure(lease, failure)
        decision = self._decide(turn, lease, failure, progress)
        note_attempt(turn.exchange, lease.account.name, failure, words(decision))
        if isinstance(decision, RetryHere) and decision.refresh:
            progress.refreshed = True
            if await self._tokens.refresh_after_401(lease.account, progress.token):
                return
            decision = self._decide(turn, lease, failure, progress)
        if isinstance(decision, GiveUp):
            if fault.may_be_shown:
                raise fault
            told = last_answer(progress.failures)
            raise self._final(turn, told, progress) from fault
        if isinstance(decision, Elsewhere):
            if turn.is_anchored:
                # Upstream holds the history: the client resends all of it, which
                # any account can serve.
                raise PreviousResponseNotFound(turn.anchor or "") from fault
            progress.excluded.add(lease.account.id)
            progress.here, progress.refreshed = 0, False
            turn.free()
        await asyncio.sleep(decision.after)

    def _final(
        self, turn: Turn, failure: Failure, progress: "_Progress"
    ) -> GatewayError:
        view = turn.view()
        error = final_error(failure, codex=view.is_codex, keys_in_use=view.keys_in_use)
        if not rules_of(failure).is_usage_limit:
            return error
        # A client gives up at a limit: it is told that of the first account to
        # return, and only when no other account is back sooner than its limit ends.
        tried = progress.excluded | {turn.lease.account.id} if turn.lease else set()
        demand = replace(turn.demand, excluded=frozenset(tried))
        state = self._pool.refusal(demand)
        return state if state and ends_sooner(state, failure) else error

    def _decide(
        self, turn: Turn, lease: Lease, failure: Failure, progress: "_Progress"
    ) -> Decision:
        tried = progress.excluded | {lease.account.id}
        demand = turn.resent_demand if turn.is_anchored else turn.demand
        attempt = Attempt(
            number=progress.number,
            accounts_left=self._pool.count_eligible(demand, frozenset(tried)),
            here=progress.here,
            elapsed=turn.exchange.elapsed_ms / 1000,
            refreshed=progress.refreshed,
            pinned=turn.demand.pinned is not None,
        )
        return self._budget.allow(decide(failure, attempt), time.monotonic())


@dataclass(slots=True)
class _Progress:
    """How far the attempts of one turn have come."""

    number: int = 0
    here: int = 0  # at the account of the current lease
    refreshed: bool = False
    token: Secret | None = None  # that the latest attempt went out with
    excluded: set[int] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
