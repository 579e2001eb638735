"""One upstream event stream on its way to the client, over HTTP.

Until the commit point every event is looked at and held back; afterwards whole
blocks pass as they came, and only those that may matter are opened. What leaves
here always ends at an event boundary, so keepalives never split an event.
"""

import asyncio
import time
from dataclasses import dataclass

import orjson

from gateway.errors import forget_traceback
from gateway.protocol.facts import Failure
from gateway.protocol.local_failures import (
    event_too_large,
    stream_incomplete,
    stream_silent,
)
from gateway.protocol.sse import (
    Event,
    EventScanner,
    EventTooLarge,
    is_notable,
    iter_events,
    parts,
)
from gateway.turns.client_view import ClientView
from gateway.turns.commit_point import CommitPoint
from gateway.turns.keepalive import STREAM_TIMING, Silence, StreamTiming
from gateway.turns.turn import Turn
from gateway.upstream import UpstreamFault
from gateway.upstream.body import Sink
from gateway.upstream.http import UpstreamResponse

COMMENT_KEEPALIVE = b": keepalive\n\n"
DATA_KEEPALIVE = b'event: codex.keepalive\ndata: {"type":"codex.keepalive"}\n\n'


@dataclass(frozen=True, slots=True)
class RelayPolicy:
    """What one stream may wait for (seconds) and what its client sees."""

    first_event_timeout: float
    idle_timeout: float
    keepalive_interval: float
    view: ClientView
    pace: StreamTiming = STREAM_TIMING


class Relay:
    """Events of one answer; the caller owns and closes the response."""

    def __init__(
        self, response: UpstreamResponse, policy: RelayPolicy, turn: Turn
    ) -> None:
        self._response = response
        self._policy = policy
        self._scanner = EventScanner()
        self._commit: CommitPoint[bytes] = CommitPoint(policy.pace.hold)
        self._turn = turn
        self.broken: Failure | None = None  # what ended the stream early, if it did

    async def reach_commit_point(self) -> None:
        """Read until an event that may not be held back any longer.

        Raises UpstreamFault when the stream fails before it. When the failure
        is an upstream `response.failed`, the stream may still be relayed.
        """
        # What came along with the head has kept nobody waiting.
        if self._response.has_more:
            await self._read_held()
        await self._commit.reach(self._read_held, self._policy.first_event_timeout)

    async def _read_held(self) -> None:
        chunk = await self._response.read("first_event")
        if not chunk:
            raise UpstreamFault(stream_incomplete(phase="first_event"))
        block = self._split(chunk)
        if block:
            self._turn.exchange.mark("first_event")
        at = 0
        for event in iter_events(block):
            at += len(event.raw)
            seen = self._observe(event)
            try:
                committed = self._commit.take(event.type, event.data, seen)
            except UpstreamFault:
                # Shown as it is, the failure brings along what came with it.
                self._commit.held.append(block[at:])
                raise
            if committed:
                self._commit.held.append(self._opened(block[at:]))
                return

    async def send_to(self, sink: Sink) -> bytes:
        """Hand over whole events, byte for byte, and keepalives in between.

        Returns the last of them, which may be all. A stream that breaks off ends
        with a typed `response.failed`; `broken` tells why. What the sink raises is
        raised here.
        """
        held = b"".join(self._commit.held)
        self._commit.held.clear()
        if not self._response.is_over:
            if held:
                await written(sink(held))
                held = b""
            try:
                await self._pump(sink)
            except UpstreamFault as fault:
                self.broken = fault.failure
                forget_traceback(fault)
        if self._turn.reader.is_terminal:
            self.broken = None  # the answer was whole, however its connection ended
            return held + self._scanner.rest
        self.broken = self.broken or stream_incomplete()
        return held + self._failed_event(self.broken)

    async def _pump(self, sink: Sink) -> None:
        """Upstream's reads go straight to the sink; this only watches the clock."""
        clock = asyncio.get_running_loop().time
        silence = self._turn.exchange.silence = self._silence(clock())
        last_bytes = self._policy.pace.last_bytes

        def take(chunk: bytes) -> "asyncio.Future[None] | None":
            block = self._seen(self._split(chunk))
            if not block:
                silence.heard(clock())
                return None
            silence.passed(clock(), data=b"data" in block)
            if self._turn.reader.is_terminal:
                pour.end_within(last_bytes)
            return sink(block)

        pour = self._response.pour(take)
        try:
            pour.deliver()
            if self._turn.reader.is_terminal:  # the first read brought the whole answer
                pour.end_within(last_bytes)
            while not pour.ended.done():
                patience = silence.patience(clock())
                await asyncio.wait((pour.ended,), timeout=patience)
                if pour.is_full:  # the client keeps upstream waiting: no silence
                    silence.passed(clock(), data=True)
                elif not pour.ended.done() and (filling := _fill(silence, clock())):
                    await written(sink(filling))
            pour.ended.result()
        finally:
            pour.stop()

    def _silence(self, now: float) -> Silence:
        policy = self._policy
        return Silence(
            now,
            idle_timeout=policy.idle_timeout,
            comment_after=policy.keepalive_interval,
            data_after=policy.pace.data_keepalive if policy.view.is_codex else None,
        )

    def _split(self, chunk: bytes) -> bytes:
        try:
            return self._scanner.split(chunk)
        except EventTooLarge as error:
            raise UpstreamFault(event_too_large()) from error

    def _seen(self, block: bytes) -> bytes:
        """What the client gets of whole blocks, once the facts in them are noted."""
        return self._opened(block) if is_notable(block) else block

    def _opened(self, block: bytes) -> bytes:
        shown = (
            part if isinstance(part, bytes) else self._observe(part)
            for part in parts(block)
        )
        return b"".join(raw for raw in shown if raw is not None)

    def _observe(self, event: Event) -> bytes | None:
        """Note the facts; the bytes the client gets, None for none."""
        self._turn.see(event.type, event.data)
        return self._policy.view.of_event(event)

    def _failed_event(self, failure: Failure) -> bytes:
        """The terminal event that upstream did not send."""
        data = orjson.dumps(
            failed_response(
                failure, self._turn.reader.response_id, self._turn.reader.model
            )
        )
        return b"event: response.failed\ndata: " + data + b"\n\n"


async def written(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None:
        await waiting


def _fill(silence: Silence, now: float) -> bytes | None:
    """The keepalive that is due, if any. Raises UpstreamFault at the idle timeout."""
    if silence.is_too_long(now):
        raise UpstreamFault(stream_silent())
    due = silence.due(now)
    if due is None:
        return None
    silence.sent(now, data=due == "data")
    return DATA_KEEPALIVE if due == "data" else COMMENT_KEEPALIVE


def failed_response(
    failure: Failure, response_id: str | None, model: str | None
) -> dict[str, object]:
    """A `response.failed` of our own, for a stream that broke off."""
    return {
        "type": "response.failed",
        "response": {
            "id": response_id or "resp_unknown",
            "object": "response",
            "created_at": int(time.time()),
            "status": "failed",
            "model": model,
            "output": [],
            "error": {
                "code": failure.code or "stream_incomplete",
                "message": failure.message,
                "type": "server_error",
                "origin": failure.origin,
            },
            "incomplete_details": None,
        },
    }
