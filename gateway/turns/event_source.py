"""EventSource: upstream's events of one turn, whole, over either transport.

The relay reads events from it until the commit point, then has runs of whole
events delivered as they arrive. What differs between an SSE body and a WebSocket
is here and nowhere else.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Protocol

from gateway.failover.operator_stop import STOPPED
from gateway.protocol import websocket_frames
from gateway.protocol.facts import Failure, Phase
from gateway.protocol.local_failures import event_too_large, stream_incomplete
from gateway.protocol.outcome import OutcomeReader
from gateway.protocol.response_fold import failed_response
from gateway.protocol.sse import (
    Event,
    EventScanner,
    EventTooLarge,
    event_type,
    iter_events,
    parts,
)
from gateway.upstream import UpstreamFault
from gateway.upstream.body import Sink
from gateway.upstream.http import UpstreamResponse
from gateway.upstream.websocket import UpstreamSocket


class Delivery(Protocol):
    """Runs of whole events on their way to a sink."""

    ended: "asyncio.Future[None]"  # done, or UpstreamFault, when no more will come
    is_full: bool  # the sink has enough for now, and upstream is not read

    def deliver(self) -> None:
        """Hand over what has arrived, and begin with what will."""

    def end_within(self, seconds: float) -> None:
        """The turn's last event was delivered: end after what belongs to it."""

    def stop(self) -> None:
        """Hand over nothing any more; idempotent."""


class EventSource(Protocol):
    """One turn's events from upstream."""

    keepalive: bytes  # an event that a client takes for a sign of life
    comment: bytes | None  # bytes that only proxies notice, where the wire has such
    data_marker: bytes  # in every run that holds data, and not only comments
    outlives_turn: bool  # what follows the turn's last event belongs to the next

    @property
    def has_more(self) -> bool:
        """Whether something has arrived that was not read."""

    @property
    def is_over(self) -> bool:
        """Whether all has been read, and it was whole."""

    async def read(self, phase: Phase) -> bytes:
        """The next run of whole events, maybe empty; UpstreamFault at the end."""

    def events(self, run: bytes) -> Iterator[Event]:
        """All events of a run."""

    def parts(self, run: bytes) -> Iterator[bytes | Event]:
        """A run taken apart where it may matter: see `sse.parts`."""

    def encode(self, event_type: str, data: bytes) -> bytes:
        """An event of other data than upstream sent."""

    def deliver_to(self, sink: Sink) -> Delivery:
        """Have what comes from now on handed to `sink`, run by run."""

    def keep(self, late: bytes) -> None:
        """Keep whole events that came behind the turn's last one."""

    def end(self) -> bytes:
        """The event that only the end of all makes whole; b"" mostly."""

    def rest(self) -> bytes:
        """The bytes behind the last whole event."""

    def broken_event(self, failure: Failure, reader: OutcomeReader) -> bytes:
        """What tells the client that its stream broke off; b"" where a close does."""


class SseSource:
    """Events of an HTTP response's body; the turn owns and closes the response."""

    keepalive = b'event: codex.keepalive\ndata: {"type":"codex.keepalive"}\n\n'
    comment: bytes | None = b": keepalive\n\n"
    data_marker = b"data"
    outlives_turn = False

    def __init__(self, response: UpstreamResponse) -> None:
        self._response = response
        self._scanner = EventScanner()

    @property
    def has_more(self) -> bool:
        return self._response.has_more

    @property
    def is_over(self) -> bool:
        return self._response.is_over

    async def read(self, phase: Phase) -> bytes:
        chunk = await self._response.read(phase)
        run = self._whole_events(chunk) if chunk else self.end()
        if not (chunk or run):
            raise UpstreamFault(stream_incomplete(phase=phase))
        return run

    def events(self, run: bytes) -> Iterator[Event]:
        return iter_events(run)

    def parts(self, run: bytes) -> Iterator[bytes | Event]:
        return parts(run)

    def encode(self, event_type: str, data: bytes) -> bytes:
        return b"event: " + event_type.encode() + b"\ndata: " + data + b"\n\n"

    def deliver_to(self, sink: Sink) -> Delivery:
        split = self._scanner.split

        def take(chunk: bytes) -> "asyncio.Future[None] | None":
            try:
                run = split(chunk)
            except EventTooLarge as error:
                raise UpstreamFault(event_too_large()) from error
            return sink(run)

        return self._response.deliver_to(take)

    def keep(self, late: bytes) -> None:
        """Nothing: the body ends with the turn, and all of it is passed on."""

    def end(self) -> bytes:
        return self._scanner.end()

    def rest(self) -> bytes:
        return self._scanner.rest

    def broken_event(self, failure: Failure, reader: OutcomeReader) -> bytes:
        """The terminal `response.failed` that upstream did not send."""
        failed = failed_response(failure, reader.response_id, reader.model)
        return self.encode("response.failed", failed)

    def _whole_events(self, chunk: bytes) -> bytes:
        try:
            return self._scanner.split(chunk)
        except EventTooLarge as error:
            raise UpstreamFault(event_too_large()) from error


class DocumentSource(SseSource):
    """A whole response that came instead of its stream, as the events it stands for."""

    def __init__(
        self, response: UpstreamResponse, events: Iterable[tuple[str, bytes]]
    ) -> None:
        super().__init__(response)
        self._run = b"".join(self.encode(*event) for event in events)

    @property
    def has_more(self) -> bool:
        return bool(self._run)

    @property
    def is_over(self) -> bool:
        return not self._run

    async def read(self, phase: Phase) -> bytes:
        run, self._run = self._run, b""
        if not run:
            raise UpstreamFault(stream_incomplete(phase=phase))
        return run


class SocketSource:
    """Messages of an upstream socket that serves many turns; its session owns it."""

    keepalive = websocket_frames.frame(b'{"type":"codex.keepalive"}')
    comment: bytes | None = None
    data_marker = b""
    outlives_turn = True
    is_over = False

    def __init__(self, socket: UpstreamSocket) -> None:
        self._socket = socket

    @property
    def has_more(self) -> bool:
        return self._socket.has_more

    async def read(self, phase: Phase) -> bytes:
        return websocket_frames.frame(await self._socket.receive(phase))

    def events(self, run: bytes) -> Iterator[Event]:
        for opcode, payload in websocket_frames.payloads(run):
            raw = websocket_frames.frame(payload, opcode)
            yield Event(event_type(payload), payload, raw)

    def parts(self, run: bytes) -> Iterator[bytes | Event]:
        return self.events(run)

    def encode(self, event_type: str, data: bytes) -> bytes:
        return websocket_frames.frame(data)

    def deliver_to(self, sink: Sink) -> Delivery:
        return self._socket.deliver_to(sink)

    def keep(self, late: bytes) -> None:
        self._socket.hold(late)

    def end(self) -> bytes:
        return b""

    def rest(self) -> bytes:
        return b""

    def broken_event(self, failure: Failure, reader: OutcomeReader) -> bytes:
        """None but for a stop: upon the socket's close Codex reconnects and resends."""
        if failure is not STOPPED:
            return b""
        failed = failed_response(failure, reader.response_id, reader.model)
        return self.encode("response.failed", failed)
