"""A client socket's way to its upstream socket; the turns on one socket.

Every `response.create` is a turn of its own, with reservation, lease and log row.
The upstream socket is opened by the first turn and kept for the next ones; losing
it between turns is invisible. Frames reach the client as upstream sent them.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson

from gateway.accounts.lease import Lease
from gateway.errors import (
    GatewayError,
    InvalidPayload,
    NoUpstreamSession,
    PayloadTooLarge,
    PreviousResponseNotFound,
    forget_traceback,
)
from gateway.failover.operator_stop import STOPPED, StoppedByOperator
from gateway.protocol.sse import event_type
from gateway.protocol.websocket_frames import (
    CREATE,
    MESSAGE_TOO_BIG,
    Frame,
    frame,
    frame_kind,
)
from gateway.turns.client_request import ClientRequest
from gateway.turns.event_source import SocketSource
from gateway.turns.frame_queue import ClientFrame, FrameQueue
from gateway.turns.relay import FailedStream, Relay, RelayLimits, written
from gateway.turns.runner import TurnRunner
from gateway.turns.turn import ClientView, Turn
from gateway.upstream import UpstreamFault
from gateway.upstream.body import Sink
from gateway.upstream.websocket import UpstreamSocket
from gateway.upstream.websocket_handshake import KeptSocket, UpstreamSockets

UPSTREAM_LOST = 1011
SERVICE_RESTART = 1012
_TOO_LARGE_UPSTREAM = "The request is larger than upstream takes on a WebSocket"


class WebSocketSession:
    """One client socket. `submit` takes its frames, `run` gives the answers."""

    def __init__(
        self,
        turns: TurnRunner,
        sockets: UpstreamSockets,
        request_of: Callable[[Frame], ClientRequest],
        view: ClientView,
        limits: RelayLimits,
    ) -> None:
        self._limits = limits
        self._turns = turns
        self._sockets = sockets
        self._request_of = request_of  # raises what the frame's key may not do
        self._view = view  # of what upstream says between turns
        self._inbox = FrameQueue()
        self.kept = KeptSocket()
        self._getting: asyncio.Task[ClientFrame] | None = None
        self._draining = asyncio.Event()
        self._running: asyncio.Task[Any] | None = None  # whoever called `run`
        self._is_lost = False  # with upstream's socket, inside a turn
        self.close_code = 1000
        self.opened_at = time.monotonic()
        self.idle_since: float | None = self.opened_at  # None inside a turn
        self.turns = 0  # begun

    async def submit(self, message: ClientFrame) -> None:
        """Take one client frame; waits only while too much is waiting already."""
        got = message.frame
        upstream = self.kept.used
        if upstream is not None and upstream.is_open and not len(self._inbox):
            kind = frame_kind(got)
            if kind is not None and kind != CREATE:
                with suppress(UpstreamFault):  # whose turn reports the loss
                    await upstream.send(_as_bytes(got))
                message.free()
                return
        await self._inbox.put(message)

    def drain(self) -> None:
        """End the channel as soon as no turn is running."""
        self.close_code = SERVICE_RESTART
        self._draining.set()

    def cut(self) -> None:
        """End the channel at once, in the middle of a turn if need be."""
        if self._running is not None:
            self._running.cancel()

    async def run(self, sink: Sink) -> None:
        """Give the client's frames to `sink`; ends when the socket is to be closed.

        What the sink raises is raised here.
        """
        self._running = asyncio.current_task()
        drained = asyncio.create_task(self._draining.wait())
        try:
            while not self._is_lost:
                client, upstream = await self._next(drained)
                if client is not None:
                    self.idle_since = None
                    await self._take(client, sink)
                    self.idle_since = time.monotonic()
                elif upstream is not None:
                    seen = self._between_turns(upstream)
                    if seen is not None:
                        await written(sink(frame(seen)))
                else:
                    return
        finally:
            self._running = None
            drained.cancel()
            await self._inbox.close()
            getting = self._getting
            if getting is not None and not (getting.cancel() or getting.cancelled()):
                getting.result().free()
            await self.kept.drop()

    async def _next(
        self, drained: "asyncio.Task[bool]"
    ) -> tuple[ClientFrame | None, bytes | None]:
        """A client's frame, or one of the idle upstream; neither when draining."""
        while True:
            self._getting = self._getting or asyncio.create_task(self._inbox.get())
            waiting: set[asyncio.Future[Any]] = {drained, self._getting}
            upstream = self.kept.socket
            if upstream is not None:
                waiting.add(upstream.arrival())
            patience, first = self.kept.patience, asyncio.FIRST_COMPLETED
            done, _ = await asyncio.wait(waiting, timeout=patience, return_when=first)
            if not done:
                await self.kept.drop()
                continue
            # First what upstream has said: it must not be taken for the next turn's.
            if upstream is not None and upstream.arrival().done():
                try:
                    return None, await upstream.receive("stream")
                except UpstreamFault:
                    await self.kept.drop()  # invisible: the next turn has its own
                    continue
            if self._getting.done():
                got, self._getting = self._getting.result(), None
                return got, None
            return None, None

    async def _take(self, message: ClientFrame, sink: Sink) -> None:
        """Run the turn of a `response.create`; pass on or refuse anything else."""
        request_id: str | None = None
        got = message.take()
        try:
            kind = frame_kind(got)
            if kind is None:
                raise InvalidPayload.because("a frame is an object with a type")
            if kind != CREATE:
                await self._pass_up(got)
                return
            request = self._request_of(got)
            del got
            request_id = request.client.request_id
            self.turns += 1
            async with self._turns.begin(request) as turn:
                await self._run(turn, sink, message.free)
        except GatewayError as error:
            forget_traceback(error)
            if self._is_lost:
                return  # the close says it
            if isinstance(error, StoppedByOperator):
                await self.kept.drop()  # on which upstream goes on with it
            told = error_frame(
                error, request_id or error.request_id, codex=self._view.is_codex
            )
            await written(sink(told))
        finally:
            message.free()

    async def _pass_up(self, got: Frame) -> None:
        upstream = self.kept.used
        if upstream is None:
            raise NoUpstreamSession
        try:
            await upstream.send(_as_bytes(got))
        except UpstreamFault as fault:
            raise NoUpstreamSession from fault

    async def _run(self, turn: Turn, sink: Sink, on_commit: Callable[[], None]) -> None:
        """One turn's frames; keepalives before its commit point, too."""
        winning = asyncio.create_task(self._win(turn))
        try:
            while not winning.done():
                await asyncio.wait(
                    {winning}, timeout=self._limits.timing.data_keepalive
                )
                if not winning.done() and self._view.is_codex:
                    await written(sink(SocketSource.keepalive))
        finally:
            if not winning.done():
                winning.cancel()
                await asyncio.wait({winning})
            if not winning.cancelled():
                winning.exception()  # else the loop warns where the client has left
        relay = winning.result()
        on_commit()
        last = await relay.send_to(sink)
        if last:
            await written(sink(last))
        if relay.broken is STOPPED:
            await self.kept.drop()  # on which upstream goes on with it
        elif relay.broken is not None:
            # No terminal frame: the client reconnects silently and resends all.
            self._is_lost, self.close_code = True, UPSTREAM_LOST

    async def _win(self, turn: Turn) -> Relay:
        others: list[Frame] = []  # came since the turn began

        async def attempt(lease: Lease) -> Relay:
            upstream = await self._connected(turn, lease)
            turn.restart()
            relay = Relay(SocketSource(upstream), self._limits, turn)
            try:
                await upstream.send(turn.body(lease))
                turn.mark_sent()
                others.extend(await self._inbox.take_others())
                for other in others:
                    await upstream.send(_as_bytes(other))
                await relay.reach_commit_point()
            except UpstreamFault as fault:
                if fault.may_be_shown:
                    raise
                await self.kept.drop()
                if upstream.close_code == MESSAGE_TOO_BIG:
                    # About this request, on any account: told the same, the client
                    # sends it over HTTP at once.
                    self._is_lost, self.close_code = True, MESSAGE_TOO_BIG
                    raise PayloadTooLarge(_TOO_LARGE_UPSTREAM) from fault
                raise
            return relay

        try:
            return await self._turns.attempts.run(turn, attempt)
        except FailedStream as failed:
            return failed.relay  # the last word is upstream's own response.failed

    async def _connected(self, turn: Turn, lease: Lease) -> UpstreamSocket:
        """The upstream socket of the lease's account, opened when there is none."""
        kept, anchor = self.kept.of(lease.account.id), turn.anchor
        if kept is not None and (anchor is None or kept is self.kept.used):
            return self.kept.use(kept)
        if anchor is not None:
            # It lived on a socket that is gone: the client resends its history.
            raise PreviousResponseNotFound(anchor)
        await self.kept.drop()
        upstream = await self._sockets.connect(
            lease.account, turn.headers(lease), turn.exchange.requested_model
        )
        turn.exchange.mark("connect")
        return self.kept.use(upstream)

    def _between_turns(self, payload: bytes) -> bytes | None:
        """What upstream says unasked."""
        kind = event_type(payload)
        if kind == "error" or kind.startswith("response."):
            # About its socket, which it will close, or of a turn that has ended.
            return None
        return self._view.visible(kind, payload)


def error_frame(error: GatewayError, request_id: str | None, *, codex: bool) -> bytes:
    """An error as a frame; a client ignores one without a status, and hangs."""
    told: dict[str, Any] = {"type": "error", "status": error.status}
    told |= error.envelope(codex=codex)
    if request_id is not None and isinstance(told.get("error"), dict):
        told["error"].setdefault("request_id", request_id)
    if headers := error.headers(codex=codex):
        told["headers"] = headers
    return frame(orjson.dumps(told))


def _as_bytes(got: Frame) -> bytes:
    return got.encode() if isinstance(got, str) else got
