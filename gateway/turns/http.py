"""One HTTP exchange: load → reserve → lease → send → commit → relay → settle → log.

The frame and the loop of attempts are `TurnRunner`; here is what an attempt means over
HTTP, for event streams and for the routes that answer with one JSON document.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gateway.accounts.account import Account
from gateway.accounts.lease import Lease
from gateway.accounts.pool import Pool
from gateway.admission.whole_answer import WholeAnswer
from gateway.keys.metering import document_usage
from gateway.protocol.facts import Phase
from gateway.protocol.headers import response_headers, told_limits
from gateway.protocol.lenient_json import dump, load_object
from gateway.protocol.limit_windows import windows
from gateway.protocol.local_failures import protocol_error
from gateway.protocol.response_fold import (
    NotOneCompaction,
    ResponseFold,
    compaction_of,
    events_of,
)
from gateway.settings import Settings
from gateway.turns.client_request import ClientRequest
from gateway.turns.event_source import DocumentSource, SseSource
from gateway.turns.relay import FailedStream, Relay, RelayLimits
from gateway.turns.runner import TurnRunner
from gateway.turns.turn import Turn
from gateway.upstream import UpstreamFault
from gateway.upstream.body import Sink
from gateway.upstream.endpoints import Endpoint, url_of
from gateway.upstream.http import UpstreamHttp, UpstreamResponse
from gateway.upstream.learned_traits import LearnedTraits


@dataclass(slots=True)
class Reply:
    """What the client gets."""

    headers: Mapping[str, str]
    # Hands the sink blocks of whole events as they come. What it returns, of events
    # or the one document, is the last of all: to leave with the answer's end.
    send_to: Callable[[Sink], Awaitable[bytes]]
    model: str | None
    shown_model: str | None  # by its alias, where the client asked by one
    wants_stream: bool
    whole: WholeAnswer  # to be asked before anything of it is kept


class Proxy:
    """The gateway's HTTP side."""

    def __init__(
        self,
        settings: Settings,
        turns: TurnRunner,
        pool: Pool,
        http: UpstreamHttp,
        learned: LearnedTraits,
        limits: RelayLimits,
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._turns = turns
        self._pool = pool
        self._http = http
        self._learned = learned

    @asynccontextmanager
    async def exchange(self, request: ClientRequest) -> AsyncIterator[Reply]:
        """Open one exchange; closing the context settles and logs it.

        Raises the GatewayError that the client gets. Once the context is entered
        the exchange is committed, and failures are told inside the blocks.
        """
        async with self._turns.begin(request) as turn:
            if request.route is Endpoint.RESPONSES:
                send_to = (await self._open_stream(turn)).send_to
            else:
                document = await self._open_document(turn)
                send_to = partial(_send_document, turn, document)
            assert turn.answer is not None
            headers = response_headers(
                turn.answer.headers.items(),
                requested_model=turn.exchange.requested_model,
                keys_in_use=not request.client.sees_windows,
            )
            if request.route is Endpoint.COMPACT:  # even if upstream told it in events
                headers["content-type"] = "application/json"
            elif request.route is Endpoint.RESPONSES and _is_json(headers):
                headers["content-type"] = "text/event-stream"
            yield Reply(
                headers=headers,
                send_to=send_to,
                model=turn.exchange.model,
                shown_model=turn.exchange.answers_as or turn.exchange.model,
                wants_stream=turn.wants_stream,
                whole=turn.whole,
            )

    async def _open_stream(self, turn: Turn) -> Relay:
        """A stream read up to its commit point, from whichever account answered."""

        async def attempt(lease: Lease) -> Relay:
            response = await self._send(turn, lease)
            source = await self._source_of(turn, response, lease.account)
            turn.restart()
            relay = Relay(source, self._limits, turn)
            try:
                await relay.reach_commit_point()
            except UpstreamFault as fault:
                told = told_limits(response.headers)
                fault.failure = replace(fault.failure, limit_headers=told)
                raise
            return relay

        try:
            return await self._turns.attempts.run(turn, attempt)
        except FailedStream as failed:
            return failed.relay  # the last word is upstream's own response.failed

    async def _source_of(
        self, turn: Turn, response: UpstreamResponse, account: Account
    ) -> SseSource:
        """The stream; of a compatible server also the whole response in its place."""
        if not account.is_chatgpt and _is_json(response.headers):
            document = await self._read_document(turn, response)
            events = events_of(load_object(document))
            if events:
                turn.whole.become(sum(len(data) for _, data in events))
                return DocumentSource(response, events)
        _check_content_type(response, "text/event-stream")
        return SseSource(response)

    async def _open_document(self, turn: Turn) -> bytes:
        compacts = turn.request.route is Endpoint.COMPACT

        async def attempt(lease: Lease) -> bytes:
            response = await self._send(turn, lease)
            if compacts and lease.account.is_chatgpt:
                return await self._read_compaction(turn, response)
            return await self._read_document(turn, response)

        return await self._turns.attempts.run(turn, attempt)

    async def _send(self, turn: Turn, lease: Lease) -> UpstreamResponse:
        base_url = self._settings.upstream_base_url
        url = url_of(turn.request.route, lease.account, base_url)
        response = await self._http.send(
            url, turn.headers(lease), turn.body(lease), turn.mark_sent
        )
        turn.hold_response(response)
        turn.exchange.mark("connect")
        if turn.request.route is Endpoint.RESPONSES:
            model = turn.exchange.requested_model
            self._learned.observe(url, model, response.headers)
        turn.exchange.upstream_request_id = response.headers.get("x-request-id")
        self._pool.observer.windows(
            lease.account, windows(response.headers, time.time())
        )
        turn_state = response.headers.get("x-codex-turn-state")
        self._pool.observer.bind(lease, turn_state=turn_state)
        return response

    async def _read_document(self, turn: Turn, response: UpstreamResponse) -> bytes:
        """All of it, before the turn commits: it can fail over until then."""
        pieces: list[bytes] = []
        while piece := await self._next(response.read):
            turn.whole.take(len(piece))
            pieces.append(piece)
        return b"".join(pieces)

    async def _read_compaction(self, turn: Turn, response: UpstreamResponse) -> bytes:
        """The document that a compacting turn stands for; its events are read whole."""
        _check_content_type(response, "text/event-stream")
        turn.restart()
        source, fold = SseSource(response), ResponseFold(turn.whole.take)
        while not turn.reader.is_terminal:
            for event in source.events(await self._next(source.read)):
                turn.see(event.type, event.data)
                fold.feed(event.type, event.data)
        if turn.reader.failure is not None:
            raise UpstreamFault(turn.reader.failure.in_phase("first_event"))
        document = _compaction_document(turn, fold.result())
        turn.whole.become(len(document))
        return document

    async def _next(self, read: Callable[[Phase], Awaitable[bytes]]) -> bytes:
        """What `read` gives next, of an answer of which the client has seen nothing."""
        try:
            async with asyncio.timeout(self._settings.idle_timeout):
                return await read("first_event")
        except TimeoutError as error:
            raise UpstreamFault(
                protocol_error("The upstream sent nothing for too long")
            ) from error


def _compaction_document(turn: Turn, response: dict[str, Any]) -> bytes:
    loaded = turn.loaded
    assert loaded is not None
    history = loaded.payload["input"] if loaded.payload is not None else []
    try:
        document = dump(compaction_of(response, history))
    except NotOneCompaction as error:
        # No account's fault, and another attempt would cost as much again.
        raise UpstreamFault(protocol_error(str(error), "stream")) from error
    if document is None:
        raise UpstreamFault(protocol_error("The upstream answer is nested too deeply"))
    return document


async def _send_document(turn: Turn, document: bytes, sink: Sink) -> bytes:
    turn.exchange.mark("first_output")
    document = _take_document(turn, document)
    turn.exchange.response_bytes = len(document)
    turn.exchange.succeed()
    await turn.keep_move()
    return document


def _take_document(turn: Turn, document: bytes) -> bytes:
    """Note usage and encrypted items of a JSON answer; what the client gets of it."""
    value = load_object(document)
    turn.exchange.usage = document_usage(value)
    output = value.get("output")
    for item in output if isinstance(output, list) else ():
        if turn.lease is not None:
            turn.sealed.note_item(turn.demand.key_id, item, turn.lease.account.id)
    shown = turn.exchange.answers_as
    if shown is None or turn.request.is_codex or "model" not in value:
        return document
    return dump({**value, "model": shown}) or document


def _is_json(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith("application/json")


def _check_content_type(response: UpstreamResponse, expected: str) -> None:
    """A page of some portal between us and upstream is no event stream."""
    found = response.headers.get("content-type", expected)
    if not found.lower().startswith(expected):
        message = f"The upstream answer has an unexpected type: {found[:60]!a}"
        raise UpstreamFault(protocol_error(message))
