"""One running turn: its record, its payload while needed, its lease, its view."""

import time
from dataclasses import dataclass, field, replace

from gateway.accounts.account import AccountKind
from gateway.accounts.eligibility import Demand
from gateway.accounts.lease import Lease
from gateway.admission.whole_answer import WholeAnswer
from gateway.keys.metering import MeteredTurn
from gateway.protocol.event_kinds import kind_of_event
from gateway.protocol.facts import Affinity, Failure, scoped
from gateway.protocol.failures import told_event
from gateway.protocol.headers import filter_event, request_headers
from gateway.protocol.numbers import count
from gateway.protocol.outcome import OutcomeReader
from gateway.protocol.response_fold import event_of_model
from gateway.repository.shared.bindings import SharedBindings
from gateway.turns.client_request import ClientRequest, Loaded
from gateway.turns.encrypted_items import EncryptedItems, all_reasoning
from gateway.turns.exchange import Exchange
from gateway.upstream.endpoints import Endpoint, account_headers
from gateway.upstream.http import UpstreamResponse
from gateway.upstream.redaction import redacted


@dataclass(slots=True)
class ClientView:
    """One client's view: beside keys no account's windows and names, no other model's.

    The Codex client warns its user when `openai-model` differs from what it asked.
    """

    is_codex: bool
    requested_model: str | None
    keys_in_use: bool
    answers_as: str | None = None  # an alias of the model, not for Codex

    def visible(self, event_type: str, data: bytes) -> bytes | None:
        """The data the client gets of an event, `data` itself if all; None for none."""
        if self.answers_as is not None and not self.is_codex:
            data = event_of_model(event_type, data, self.answers_as)
        kind = kind_of_event(event_type)
        if not kind.is_filtered:
            return data
        if kind.ends_as:
            hides, now = self.keys_in_use, time.time()
            return told_event(event_type, data, now, hides_identity=hides)
        return filter_event(
            event_type,
            data,
            requested_model=self.requested_model,
            keys_in_use=self.keys_in_use,
        )


@dataclass(slots=True, eq=False)
class Turn:
    """Made by `TurnRunner.begin`, which also ends it."""

    exchange: Exchange
    sealed: EncryptedItems
    demand: Demand
    metered: MeteredTurn
    loaded: Loaded | None  # None from the commit point on
    whole: WholeAnswer  # what it holds of an answer that has to be whole
    anchor: str | None  # previous_response_id
    wants_stream: bool
    bindings: SharedBindings
    reader: OutcomeReader = field(default_factory=OutcomeReader)
    lease: Lease | None = None
    answer: UpstreamResponse | None = None  # over HTTP; the turn closes it
    drops_reasoning: bool = False  # upstream could not read some of it
    made_encrypted_items: bool = False
    sent_at: float | None = None  # monotonic; None while upstream has no request
    request: ClientRequest = field(init=False)

    def __post_init__(self) -> None:
        self.request = self.exchange.request

    @property
    def is_anchored(self) -> bool:
        """Whether the turn builds on what only its upstream socket knows."""
        return self.anchor is not None and self.request.transport == "websocket"

    @property
    def resent_demand(self) -> Demand:
        """What the pool is to find once the client has sent its whole history."""
        affinity = self.demand.affinity._replace(previous_response_id=None)
        return replace(self.demand, affinity=affinity)

    @property
    def is_moving(self) -> bool:
        """Whether its end is told only once others know the conversation's account."""
        lease, made_items = self.lease, self.made_encrypted_items
        return bool(lease and self.bindings.is_moving(lease, made_items=made_items))

    async def keep_move(self) -> None:
        if self.lease is not None and self.is_moving:
            await self.bindings.keep(self.lease, made_items=self.made_encrypted_items)

    def restart(self) -> None:
        """Forget what a failed attempt told; the next one tells anew."""
        self.reader = OutcomeReader()

    def see(self, event_type: str, data: bytes) -> None:
        """Take in one event on its way to the client."""
        self.reader.feed(event_type, data)
        if self.lease is not None and self.sealed.note(
            self.demand.key_id, event_type, data, self.lease.account.id
        ):
            self.made_encrypted_items = True

    def mark_sent(self) -> None:
        """Upstream has the request, and begins."""
        self.sent_at = time.monotonic()

    def free(self) -> None:
        """Give back what the turn holds: its answer's connection and its lease."""
        self.hold_response(None)
        if self.lease is not None:
            self.lease.release()
            self.lease = None

    def hold_response(self, answer: UpstreamResponse | None) -> None:
        """Hold an attempt's answer in place of the one before."""
        if self.answer is not None:
            self.answer.close()
        self.answer = answer
        self.whole.release()

    async def compared(self, failure: Failure) -> Failure:
        """The failure, with what the log may have of it beside this request.

        From the commit point on the request is gone: no words of upstream's are logged.
        """
        loaded, lease = self.loaded, self.lease
        if failure.redacted is not None and loaded is not None and lease is not None:
            body, _ = loaded.body_for(**lease.account.form)
            failure = await redacted(failure, body, self.request.client.headers)
            self.reader.failure = self.reader.failure and failure
        return failure

    @property
    def is_committed(self) -> bool:
        return self.loaded is None

    def commit(self) -> None:
        """Let the payload go: nothing will be sent again, and streams are long."""
        self.loaded = None

    def headers(self, lease: Lease) -> dict[str, str]:
        """What goes upstream: the client's allowed headers, as the account."""
        headers = request_headers(self.request.client.headers)
        if lease.turn_state is None:
            headers.pop("x-codex-turn-state", None)  # another account's words
        headers["accept-encoding"] = "identity"
        headers.update(account_headers(lease.account))
        return headers

    def view(self) -> ClientView:
        return ClientView(
            is_codex=self.request.is_codex,
            requested_model=self.exchange.requested_model,
            keys_in_use=not self.request.client.sees_windows,
            answers_as=self.exchange.answers_as,
        )

    def body(self, lease: Lease) -> bytes:
        """The client's bytes, or what the rules make of them for this account."""
        loaded = self.loaded
        assert loaded is not None
        foreign = self._foreign_items(loaded, lease.account.id)
        kept = loaded.without_items(foreign) if foreign else loaded
        body, changes = kept.body_for(**lease.account.form)
        if kept is not loaded:
            changes += (f"{len(foreign)} reasoning items of another account dropped",)
        self.exchange.changes = changes
        return body

    def _foreign_items(self, loaded: Loaded, account_id: int) -> frozenset[int]:
        if loaded.payload is None:
            return frozenset()
        if self.drops_reasoning:
            return all_reasoning(loaded.payload)
        key = self.demand.key_id
        return self.sealed.foreign_reasoning(key, loaded.payload, account_id)

    def drop_reasoning(self) -> bool:
        """Whether there is encrypted reasoning that a repetition can do without."""
        if self.drops_reasoning or self.loaded is None or self.loaded.payload is None:
            return False
        self.drops_reasoning = bool(all_reasoning(self.loaded.payload))
        return self.drops_reasoning


def demand_of(request: ClientRequest, loaded: Loaded, sealed: EncryptedItems) -> Demand:
    """What the pool is to find for a request."""
    key = request.key
    key_id = key.id if key else None
    headers = dict(request.client.headers)
    kind, kind_reason = _needed_kind(request, loaded)
    compacted_by, reasoned_by = sealed.makers(key_id, loaded.payload or {})
    return Demand(
        model=loaded.model,
        websocket=request.transport == "websocket",
        key_id=key_id,
        network=request.client.network,
        allowed_accounts=key.accounts if key else None,
        allows_model=key.allows if key else None,
        kind=kind,
        kind_reason=kind_reason,
        affinity=Affinity.from_request(
            headers, loaded.previous_response_id, loaded.prompt_cache_key
        ),
        pinned=compacted_by,
        bound_to=reasoned_by,
        is_prewarm=not loaded.generate,
        prefers_key=request.client.prefers_key,
    )


def _needed_kind(
    request: ClientRequest, loaded: Loaded
) -> tuple[AccountKind | None, tuple[str, str | None] | None]:
    """The kind of account that a request is bound to, and why: reason and field."""
    if request.route.needs_api_key:
        return AccountKind.API_KEY, None
    for needed, is_chatgpt in (
        (AccountKind.API_KEY, True),
        (AccountKind.CHATGPT, False),
    ):
        refusal = loaded.refusal_by(chatgpt_account=is_chatgpt)
        if refusal is not None:
            return needed, (refusal.reason, refusal.param)
    return None, None


def metered_turn(request: ClientRequest, loaded: Loaded, demand: Demand) -> MeteredTurn:
    """What the key's limits see of a turn, if `max_output_tokens` holds."""
    anchor, asked = loaded.previous_response_id, (loaded.payload or {})
    return MeteredTurn(
        request.key,
        loaded.model,
        loaded.service_tier,
        kind=loaded.model or request.route.value,
        generates=request.route in (Endpoint.RESPONSES, Endpoint.COMPACT),
        size=request.input_size,
        names=tuple([name for _, name in demand.conversation_keys]),
        previous=anchor and scoped(demand.key_id, "response", anchor),
        most_output=count(asked.get("max_output_tokens")),
    )
