"""One turn's events on an upstream socket, on their way to the client's socket."""

import asyncio
from collections.abc import AsyncIterator

from gateway.commit import CommitPoint
from gateway.inbox import Frame
from gateway.pace import Pace, Silence
from gateway.protocol.facts import Failure
from gateway.protocol.sse import event_type
from gateway.relay import idle_failure
from gateway.turn import Turn
from gateway.upstream import UpstreamFault
from gateway.upstream.ws import UpstreamSocket

KEEPALIVE = '{"type":"codex.keepalive"}'


class SocketRelay:
    """Reads one turn's events; the channel owns the socket."""

    def __init__(self, socket: UpstreamSocket, turn: Turn, pace: Pace) -> None:
        self._socket = socket
        self._turn = turn
        self._view = turn.view()
        self._pace = pace
        self._commit: CommitPoint[Frame] = CommitPoint(pace.hold)
        self.broken: Failure | None = None

    async def reach_commit_point(self, first_event_timeout: float) -> None:
        """As `Relay.reach_commit_point`, for frames."""
        await self._commit.reach(self._read_held, first_event_timeout)

    async def _read_held(self) -> bool:
        message = await self._socket.receive("first_event")
        self._turn.exchange.mark("first_event")
        kind = event_type(message)
        self._turn.see(kind, message)
        return self._commit.take(kind, message, self._view.of_frame(kind, message))

    async def frames(self, idle_timeout: float) -> AsyncIterator[Frame]:
        """Held frames, then all up to the turn's terminal event, and keepalives.

        `broken` tells why when the socket ended before that.
        """
        for message in self._commit.held:
            yield message
        clock = asyncio.get_running_loop().time
        keepalive_after = self._pace.data_keepalive if self._view.is_codex else None
        silence = Silence(
            clock(), idle_timeout=idle_timeout, data_after=keepalive_after
        )
        while not self._turn.reader.is_terminal:
            try:
                async with asyncio.timeout(silence.patience(clock())):
                    message = await self._socket.receive("stream")
            except UpstreamFault as fault:
                self.broken = fault.failure
                return
            except TimeoutError:
                now = clock()
                if silence.is_too_long(now):
                    self.broken = idle_failure()
                    return
                if silence.due(now):
                    silence.sent(now, data=True)
                    yield KEEPALIVE
                continue
            kind = event_type(message)
            self._turn.see(kind, message)
            if (seen := self._view.of_frame(kind, message)) is not None:
                yield seen
                silence.sent(clock(), data=True)
            silence.heard(clock())
