"""One turn's events on an upstream socket, on their way to the client's socket."""

import asyncio
from collections.abc import AsyncIterator

from gateway.commit import CommitPoint
from gateway.inbox import Frame
from gateway.protocol.facts import Failure
from gateway.protocol.sse import event_type
from gateway.turn import Turn
from gateway.upstream import UpstreamFault
from gateway.upstream.ws import UpstreamSocket

# The Codex client's watchdog of 300 s is reset by text frames only, not by pings.
KEEPALIVE_SECONDS = 60.0
KEEPALIVE = '{"type":"codex.keepalive"}'


class SocketRelay:
    """Reads one turn's events; the channel owns the socket."""

    def __init__(self, socket: UpstreamSocket, turn: Turn) -> None:
        self._socket = socket
        self._turn = turn
        self._view = turn.view()
        self._commit: CommitPoint[Frame] = CommitPoint()
        self.broken: Failure | None = None

    async def reach_commit_point(self, first_event_timeout: float) -> None:
        """As `Relay.reach_commit_point`, for frames."""
        await self._commit.reach(self._read_held, first_event_timeout)

    async def _read_held(self) -> bool:
        message = await self._socket.receive("first_event")
        kind = event_type(message)
        self._turn.see(kind, message)
        return self._commit.take(kind, message, self._view.of_frame(kind, message))

    async def frames(self, idle_timeout: float) -> AsyncIterator[Frame]:
        """Held frames, then all up to the turn's terminal event, and keepalives.

        `broken` tells why when the socket ended before that.
        """
        for message in self._commit.held:
            yield message
        quiet = 0.0
        while not self._turn.reader.is_terminal:
            try:
                async with asyncio.timeout(KEEPALIVE_SECONDS):
                    message = await self._socket.receive("stream")
            except UpstreamFault as fault:
                self.broken = fault.failure
                return
            except TimeoutError:
                quiet += KEEPALIVE_SECONDS
                if quiet >= idle_timeout:
                    self.broken = _idle()
                    return
                if self._view.is_codex:
                    yield KEEPALIVE
                continue
            quiet = 0.0
            kind = event_type(message)
            self._turn.see(kind, message)
            if (seen := self._view.of_frame(kind, message)) is not None:
                yield seen


def _idle() -> Failure:
    return Failure(
        phase="stream",
        origin="upstream",
        message="The upstream sent nothing for too long (phase: stream)",
        code="stream_idle_timeout",
    )
