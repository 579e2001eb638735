"""GET …/responses with an Upgrade: many turns on one WebSocket."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from tornado.iostream import StreamClosedError

from gateway.admission.body_budget import BudgetLease, sender_of
from gateway.errors import GatewayError, UpgradeRequired
from gateway.protocol.websocket_frames import TRY_AGAIN_LATER, Frame
from gateway.turns.client_request import ClientRequest
from gateway.turns.frame_queue import ClientFrame
from gateway.turns.websocket import UPSTREAM_LOST, WebSocketSession, error_frame
from handlers.api.loading import responses_request
from handlers.bodies import BodilessHandler
from handlers.wire.request_head import new_request_id
from handlers.wire.websocket import LingeringWebSocketHandler

# Messages are read in pieces, with which the beginnings of the next ones may come.
MOST_BUFFERED_BYTES = 1024 * 1024


class ResponsesSocket(LingeringWebSocketHandler, BodilessHandler):
    """Queues the client's frames for its channel, which writes to the client itself."""

    _channel: WebSocketSession | None = None
    _is_open = False
    _channel_task: "asyncio.Task[None] | None" = None

    def check_head(self) -> None:
        """A refusal is a plain HTTP response, before the upgrade."""
        super().check_head()
        key = self.current_key
        if not self.gateway.pool.can_open_socket(key.accounts if key else None):
            raise UpgradeRequired
        turn_state = self.request.headers.get("x-codex-turn-state")
        if turn_state:
            self.set_header("x-codex-turn-state", turn_state)

    @classmethod
    def allowed_methods(cls) -> tuple[str, ...]:
        return ("GET",)  # an upgrade has no head to ask for alone

    async def get(self, *args: str, **kwargs: str) -> None:
        """The channel counts as a socket of its sender's from here on."""
        gateway, key = self.gateway, self.current_key
        self._client = self.client_facts()
        self._sender = sender_of(key, self._client.network)
        gateway.channels.make_room(self._sender)
        channel = self._channel = gateway.open_channel(
            self._sender, self._request_of, self._client, is_codex=self.surface.is_codex
        )
        try:
            headers, network = self._client.headers, self._client.network
            told = await gateway.upgrades.prepare(channel.kept, headers, network, key)
            for name, value in told.items():
                self.set_header(name, value)
            if self._channel is not None:  # the client has not left meanwhile
                await super().get(*args, **kwargs)
        finally:
            if not self._is_open:
                channel.kept.end()
                self.on_close()

    def check_origin(self, origin: str) -> bool:
        """Foreign origins were refused before, as on every route."""
        return True

    def open(self, *args: str, **kwargs: str) -> None:
        self._is_open = True
        self._client_stream = self.raw_stream(MOST_BUFFERED_BYTES)
        self._channel_task = asyncio.create_task(self._run_channel())

    def on_message(self, message: Frame) -> "Coroutine[Any, Any, None] | None":
        """Queue the frame; waits only when the channel's small budget is full."""
        if self.ws_connection is None:
            return None  # it was closed, and this had not been read yet
        assert self._channel is not None
        return self._channel.submit(ClientFrame(message, self.message_arrived()))

    def open_message_lease(self) -> BudgetLease:
        return self.gateway.body_budget.open_lease(self._sender)

    def refuse_message(self, error: GatewayError) -> None:
        """The frame says why, unless it would be taken for a running turn's."""
        channel = self._channel
        if self.ws_connection is not None and channel and channel.idle_since:
            told = error_frame(error, None, codex=self.surface.is_codex)
            self._client_stream.write(told)
        self.close(TRY_AGAIN_LATER)

    def on_close(self) -> None:
        if self._channel_task is not None:
            self._channel_task.cancel()
        if self._channel is not None:
            self.gateway.channels.discard(self._channel)
        # They hold this handler: a socket's memory is to be free when it ends, not
        # when the collector of cycles comes by.
        self._channel_task = self._channel = None

    def _request_of(self, frame: Frame) -> ClientRequest:
        """One turn's request. A key disabled meanwhile is refused here."""
        client = self._client._replace(request_id=new_request_id())
        try:
            key = self.gateway.access.admit(self.facts, time.time())
        except GatewayError as error:
            error.request_id = client.request_id
            self.note_refusal(error)
            raise
        return responses_request(
            client,
            key,
            self.surface,
            frame,
            rules=self.gateway.rules,
        )

    async def _run_channel(self) -> None:
        code = UPSTREAM_LOST
        channel = self._channel
        assert channel is not None
        try:
            await channel.run(self._client_stream.write)
            code = channel.close_code
        except StreamClosedError:
            return
        finally:
            self.close(code)
