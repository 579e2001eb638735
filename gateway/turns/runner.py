"""The frame around every turn, and the loop of attempts before its commit point.

`TurnRunner.begin` is entered by both transports: it loads the payload, reserves the
key's limits and, in one `finally`, frees the lease, settles the reservation and
hands the row to the log. `TurnRunner.attempts` leases accounts until one of them
answers; what opening an attempt means is the transport's matter.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.accounts.eligibility import Demand, could_serve
from gateway.accounts.pool import Pool
from gateway.accounts.refusals import usable_models
from gateway.admission.body_budget import BodyBudget
from gateway.admission.whole_answer import WholeAnswer
from gateway.errors import ForeignCompaction, GatewayError
from gateway.events import Topic
from gateway.failover.operator_stop import StoppedByOperator, taken_back
from gateway.keys.metering import Metering
from gateway.keys.model_errors import ModelNotAllowed
from gateway.polling.judges import Judges
from gateway.polling.model_lookups import ModelLookups
from gateway.repository.shared.bindings import SharedBindings
from gateway.turns.attempt_loop import AttemptLoop
from gateway.turns.client_request import ClientRequest
from gateway.turns.encrypted_items import EncryptedItems
from gateway.turns.exchange import Exchange
from gateway.turns.receipt import take_outcome, turn_end
from gateway.turns.turn import Turn, demand_of, metered_turn

# Names of models that are remembered; upstream has far fewer.
MOST_MODELS = 1_000


class TurnRunner:
    """Begins turns and wins accounts for them."""

    def __init__(
        self,
        pool: Pool,
        judges: Judges,
        metering: Metering,
        room: BodyBudget,
        lookups: ModelLookups,
        bindings: SharedBindings,
    ) -> None:
        self._pool = pool
        self._room = room
        self._lookups = lookups
        self._bindings = bindings
        self.attempts = AttemptLoop(pool, judges)
        self._metering = metering
        self._completed_models: set[str] = set()
        self.exchange_ended = Topic[dict[str, Any]]()
        self.sealed = EncryptedItems()
        self.running: dict[Exchange, asyncio.Task[Any] | None] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def begin(self, request: ClientRequest) -> AsyncIterator[Turn]:
        """Raises what the payload, the key's limits or its models refuse."""
        exchange = Exchange(request)
        turn: Turn | None = None
        self.running[exchange] = asyncio.current_task()
        self._idle.clear()
        try:
            loaded = await request.take_payload()
            exchange.take_facts(loaded)
            exchange.mark("body")
            demand = demand_of(request, loaded, self.sealed)
            await self._lookups.look_for(demand)
            exchange.is_known_model = self._is_known(exchange.model)
            keys = demand.conversation_keys
            exchange.conversation = keys[0][1] if keys else None
            await self._bindings.look(demand, request.client.connection)
            self._check_maker(demand)
            turn = Turn(
                exchange,
                self.sealed,
                demand,
                metered_turn(request, loaded, demand),
                loaded,
                WholeAnswer(self._room, request.key, request.client.network),
                anchor=loaded.previous_response_id,
                wants_stream=loaded.stream,
                bindings=self._bindings,
            )
            await self._reserve(turn)
            del loaded  # the turn lets go of it at the commit point
            self.attempts.count_request(demand.sender)
            yield turn
        except asyncio.CancelledError:
            if not (exchange.is_stopped and taken_back()):
                raise
            exchange.fail(stopped := StoppedByOperator())
            raise stopped from None
        except GatewayError as error:
            exchange.fail(error)
            exchange.passed_over = exchange.passed_over or error.passed_over
            raise
        finally:
            self.running.pop(exchange)
            if not self.running:
                self._idle.set()
            if turn is not None:
                self._observe(turn)
                turn.free()
                take_outcome(exchange, turn.reader)
                self._note_model(exchange)
                exchange.charged = self._metering.settle(turn.metered, turn_end(turn))
            self._tell(exchange)

    def _tell(self, exchange: Exchange) -> None:
        """A doctor's visit is nobody's use: it stands in no log and in no figure."""
        key = exchange.request.key
        if key is None or not key.is_visitor:
            self.exchange_ended.publish(exchange.as_row())

    def stop(self, exchange: Exchange) -> None:
        """Have a running turn end, and its client told that the operator did it."""
        task = self.running[exchange]
        if task is not None and not exchange.is_stopped:
            exchange.is_stopped = True
            task.cancel()

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

    async def _reserve(self, turn: Turn) -> None:
        key, model = turn.request.key, turn.metered.model
        if key is not None and model is not None and not key.allows(model):
            accounts = self._pool.accounts.values()
            raise ModelNotAllowed(model, usable_models(accounts, turn.demand))
        if turn.metered.most_output and not self._caps(turn.demand):
            turn.metered.most_output = 0
        await self._metering.reserve(turn.metered)

    def _note_model(self, exchange: Exchange) -> None:
        names = self._completed_models
        if exchange.status == "success" and exchange.model and len(names) < MOST_MODELS:
            names.add(exchange.model)

    def _is_known(self, model: str | None) -> bool:
        """Whether upstream completed a turn with the model, or a catalogue lists it."""
        return model in self._completed_models or self._pool.lists_model(model)

    def _caps(self, demand: Demand) -> bool:
        """Whether `max_output_tokens` reaches upstream: ChatGPT accounts have none."""
        now, accounts = self._pool.now(), self._pool.accounts.values()
        return not any(
            one.is_chatgpt and could_serve(one, demand, now) for one in accounts
        )

    def _observe(self, turn: Turn) -> None:
        """Hand the pool what a committed turn told about its account."""
        lease, reader = turn.lease, turn.reader
        if lease is None or not turn.is_committed:
            return
        self._pool.observer.windows(lease.account, reader.windows, reader.plan_type)
        self._pool.observer.bind(
            lease, response_id=reader.response_id, turn_state=reader.turn_state
        )
        if turn.made_encrypted_items:
            self._pool.observer.settle(lease)
        if reader.failure is not None:  # a limit told inside a stream counts, too
            self._pool.observer.failure(lease, reader.failure.in_phase("stream"))
