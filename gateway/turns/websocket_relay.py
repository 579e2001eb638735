"""One turn's events on an upstream socket, on their way to the client's socket."""

import asyncio

from gateway.protocol import websocket_frames
from gateway.protocol.facts import Failure
from gateway.protocol.local_failures import socket_closed, stream_silent
from gateway.protocol.sse import event_type, is_notable
from gateway.turns.commit_point import CommitPoint
from gateway.turns.keepalive import Silence, StreamTiming
from gateway.turns.sse_relay import written
from gateway.turns.turn import Turn
from gateway.upstream import UpstreamFault
from gateway.upstream.body import Sink
from gateway.upstream.websocket import UpstreamSocket

KEEPALIVE = websocket_frames.frame(b'{"type":"codex.keepalive"}')


class SocketRelay:
    """Reads one turn's events; the channel owns the socket."""

    def __init__(self, socket: UpstreamSocket, turn: Turn, pace: StreamTiming) -> None:
        self._socket = socket
        self._turn = turn
        self._view = turn.view()
        self._pace = pace
        self._commit: CommitPoint[bytes] = CommitPoint(pace.hold)
        self.broken: Failure | None = None

    async def reach_commit_point(self, first_event_timeout: float) -> None:
        """As `Relay.reach_commit_point`, for frames."""
        await self._commit.reach(self._read_held, first_event_timeout)

    async def _read_held(self) -> None:
        payload = await self._socket.receive("first_event")
        self._turn.exchange.mark("first_event")
        kind = event_type(payload)
        self._turn.see(kind, payload)
        self._commit.take(kind, payload, self._view.of_payload(kind, payload))

    async def send_to(self, sink: Sink, idle_timeout: float) -> None:
        """Hand over held frames, then all up to the turn's end, and keepalives.

        `broken` tells why when the socket ended before that.
        """
        for payload in self._commit.held:
            await written(sink(websocket_frames.frame(payload)))
        self._commit.held.clear()
        if self._turn.reader.is_terminal:
            return
        try:
            await self._pump(sink, idle_timeout)
        except UpstreamFault as fault:
            self.broken = fault.failure

    async def _pump(self, sink: Sink, idle_timeout: float) -> None:
        """As in `Relay`: what comes goes on at once; this only watches the clock."""
        loop = asyncio.get_running_loop()
        clock = loop.time
        data_after = self._pace.data_keepalive if self._view.is_codex else None
        silence = Silence(clock(), idle_timeout=idle_timeout, data_after=data_after)
        self._turn.exchange.silence = silence
        ended: asyncio.Future[None] = loop.create_future()

        def take(run: bytes) -> "asyncio.Future[None] | None":
            silence.passed(clock(), data=True)
            if is_notable(run):
                run = self._inspect(run)
                if self._turn.reader.is_terminal and not ended.done():
                    self._socket.pour(None)  # what comes now is not of this turn
                    ended.set_result(None)
            return sink(run) if run else None

        self._socket.pour(take)
        try:
            while not ended.done():
                patience = silence.patience(clock())
                lost = self._socket.arrival()
                await asyncio.wait(
                    (ended, lost),
                    timeout=patience,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if ended.done():
                    return
                if not self._socket.is_open:
                    raise UpstreamFault(socket_closed())
                now = clock()
                if self._socket.is_paused:  # the client keeps upstream waiting
                    silence.passed(now, data=True)
                elif silence.is_too_long(now):
                    raise UpstreamFault(stream_silent())
                elif silence.due(now):
                    silence.sent(now, data=True)
                    await written(sink(KEEPALIVE))
        finally:
            self._socket.pour(None)

    def _inspect(self, run: bytes) -> bytes:
        """Note the facts of each message; the frames the client gets.

        What comes after the turn's last event is left for later.
        """
        shown, late = [], []
        for opcode, payload in websocket_frames.payloads(run):
            if self._turn.reader.is_terminal:
                late.append(websocket_frames.frame(payload, opcode))
                continue
            kind = event_type(payload)
            self._turn.see(kind, payload)
            seen = self._view.of_payload(kind, payload)
            if seen is not None:
                shown.append(websocket_frames.frame(seen, opcode))
        if late:
            self._socket.hold(b"".join(late))
        return b"".join(shown)
