"""Relay: one turn's events on their way from upstream to the client.

Until the commit point every event is looked at and held back; afterwards runs of
whole events pass as they came, and only those that may matter are opened. What
leaves here always ends at an event boundary, so keepalives never split an event.
"""

import asyncio
from dataclasses import dataclass, field

from gateway.errors import forget_traceback
from gateway.failover.operator_stop import STOPPED, taken_back
from gateway.protocol.facts import Failure
from gateway.protocol.local_failures import cut_stream, stream_incomplete, stream_silent
from gateway.protocol.sse import Event, is_notable
from gateway.settings import Settings
from gateway.turns.commit_point import CommitPoint
from gateway.turns.event_source import EventSource
from gateway.turns.keepalive import STREAM_TIMING, Silence, StreamTiming
from gateway.turns.turn import Turn
from gateway.upstream import UpstreamFault
from gateway.upstream.body import Sink
from gateway.upstream.held_events import HeldBudget


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """How long one stream may keep the client or the gateway waiting, seconds."""

    first_event_timeout: float
    idle_timeout: float
    keepalive_interval: float
    timing: StreamTiming = STREAM_TIMING
    held: HeldBudget = field(default_factory=HeldBudget)  # of all streams

    @classmethod
    def of(cls, settings: Settings, timing: StreamTiming) -> "RelayLimits":
        waits = settings.first_event_timeout, settings.idle_timeout
        return cls(*waits, settings.keepalive_interval, timing)


class FailedStream(UpstreamFault):
    """The stream failed before any output, and `relay` can show it as it came."""

    may_be_shown = True

    def __init__(self, failure: Failure, relay: "Relay") -> None:
        super().__init__(failure)
        self.relay = relay


class Relay:
    """Relays one attempt's events; whoever opened the source closes it."""

    def __init__(self, source: EventSource, limits: RelayLimits, turn: Turn) -> None:
        self._source = source
        self._limits = limits
        self._turn = turn
        self._view = turn.view()
        self._commit = CommitPoint(limits.timing.hold, limits.held)
        self._end = b""  # the turn's, while its conversation is moving
        self.broken: Failure | None = None  # what ended the stream early, if it did

    async def reach_commit_point(self) -> None:
        """Read until an event that may not be held back any longer.

        Raises UpstreamFault when the stream fails before it; FailedStream when the
        failure is an answer that the client may get.
        """
        try:
            # What arrived with the response's head needs no timer.
            if self._source.has_more:
                await self._read_held()
            await self._commit.reach(self._read_held, self._limits.first_event_timeout)
        except UpstreamFault as fault:
            # To Codex a cut is told as one: upon a 502 it asks five times as often.
            if self._view.is_codex and not self._source.outlives_turn:
                self.broken = cut_stream(fault.failure)
            # A chat's stream has no event for it, and before it there is a status.
            is_chat = self._turn.request.surface == "chat"
            if self.broken or (self._commit.failure_may_be_shown and not is_chat):
                raise FailedStream(fault.failure, self) from None
            raise
        finally:
            self._commit.held.free()

    async def _read_held(self) -> None:
        run = await self._source.read("first_event")
        if run:
            self._turn.exchange.mark("first_event")
        at = 0
        for event in self._source.events(run):
            at += len(event.raw)
            visible = self._observe(event)
            try:
                committed = self._commit.take(event.type, event.data, visible)
            except UpstreamFault:
                # Shown as it is, the failure brings along what came with it.
                self._commit.held.append(run[at:])
                raise
            if committed:
                self._commit.held.append(self._visible(run[at:]))
                return

    async def send_to(self, sink: Sink) -> bytes:
        """Hand over whole events, byte for byte, and keepalives in between.

        Returns the last of them, which may be all. When the stream breaks off,
        `broken` tells why. What the sink raises is raised here.
        """
        exchange = self._turn.exchange
        exchange.mark("first_output")
        held = self._commit.held.take()
        reader, source = self._turn.reader, self._source
        has_ended = source.is_over or (source.outlives_turn and reader.is_terminal)
        if not (has_ended or self.broken):
            try:
                if held and not (reader.is_terminal and self._turn.is_moving):
                    exchange.response_bytes += len(held)
                    waiting, held = sink(held), b""
                    await written(waiting)
                await self._relay_to(sink)
            except UpstreamFault as fault:
                self.broken = fault.failure
                forget_traceback(fault)
            except asyncio.CancelledError:
                if not (exchange.is_stopped and taken_back()):
                    raise
                self.broken = STOPPED
        held += self._end + self._visible(source.end())
        await self._turn.keep_move()
        if reader.is_terminal:
            self.broken = None  # the answer was whole, however its connection ended
            last = held + source.rest()
        else:
            self.broken = self.broken or stream_incomplete()
            exchange.break_off(self.broken)
            last = held + source.broken_event(self.broken, reader)
        exchange.response_bytes += len(last)
        return last

    async def _relay_to(self, sink: Sink) -> None:
        """Upstream's reads go straight to the sink; this only watches the clock."""
        clock = asyncio.get_running_loop().time
        source, reader, limits = self._source, self._turn.reader, self._limits
        exchange = self._turn.exchange
        silence = exchange.silence = self._new_silence(clock())
        marker, last_bytes = source.data_marker, limits.timing.last_bytes
        visible = self._visible

        def take(run: bytes) -> "asyncio.Future[None] | None":
            if self._end or is_notable(run):
                run = visible(run)
                if reader.is_terminal:
                    delivery.end_within(last_bytes)
                    if self._turn.is_moving or self._end:
                        self._end, run = self._end + run, b""
            if not run:
                silence.heard(clock())
                return None
            silence.passed(clock(), data=marker in run)
            exchange.response_bytes += len(run)
            return sink(run)

        delivery = source.deliver_to(take)
        try:
            delivery.deliver()
            if reader.is_terminal:  # before the commit point, or by the first run
                delivery.end_within(last_bytes)
            while not delivery.ended.done():
                timeout = silence.patience(clock())
                await asyncio.wait((delivery.ended,), timeout=timeout)
                if delivery.is_full:  # the client keeps upstream waiting: no silence
                    silence.passed(clock(), data=True)
                elif not delivery.ended.done() and (due := self._due(silence, clock())):
                    exchange.response_bytes += len(due)
                    await written(sink(due))
            delivery.ended.result()
        finally:
            delivery.stop()

    def _new_silence(self, now: float) -> Silence:
        limits, is_codex = self._limits, self._view.is_codex
        has_comments = self._source.comment is not None
        return Silence(
            now,
            idle_timeout=limits.idle_timeout,
            comment_after=limits.keepalive_interval if has_comments else None,
            data_after=limits.timing.data_keepalive if is_codex else None,
        )

    def _due(self, silence: Silence, now: float) -> bytes | None:
        """The keepalive due now, if any; raises UpstreamFault at the idle timeout."""
        if silence.is_too_long(now):
            raise UpstreamFault(stream_silent())
        due = silence.due(now)
        if due is None:
            return None
        silence.sent(now, data=due == "data")
        return self._source.keepalive if due == "data" else self._source.comment

    def _visible(self, run: bytes) -> bytes:
        """What the client gets of whole events, once the facts in them are noted.

        On a source that outlives the turn, what follows its last event is kept there.
        """
        visible: list[bytes] = []
        late: list[bytes] = []
        reader = self._turn.reader
        keeps_late = self._source.outlives_turn
        for part in self._source.parts(run):
            if isinstance(part, bytes):
                visible.append(part)
            elif keeps_late and reader.is_terminal:
                late.append(part.raw)
            elif (shown := self._observe(part)) is not None:
                visible.append(shown)
        if late:
            self._source.keep(b"".join(late))
        return b"".join(visible)

    def _observe(self, event: Event) -> bytes | None:
        """Note the facts of an event; the bytes the client gets, None for none."""
        self._turn.see(event.type, event.data)
        data = self._view.visible(event.type, event.data)
        if data is None or data == event.data:
            return None if data is None else event.raw
        return self._source.encode(event.type, data)


async def written(waiting: "asyncio.Future[None] | None") -> None:
    """Wait until the client has taken enough, when its sink says so."""
    if waiting is not None:
        await waiting
