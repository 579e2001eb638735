"""GET …/responses with an Upgrade: many turns on one socket."""

import asyncio
import time
import weakref
from collections.abc import Callable
from functools import partial

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketHandler, WebSocketProtocol

from gateway.errors import UpgradeRequired
from gateway.turns.client_request import ClientRequest
from gateway.turns.client_view import ClientView
from gateway.turns.frame_queue import Frame
from gateway.turns.websocket import UPSTREAM_LOST, Channel
from handlers.api.loading import responses_request
from handlers.base import BodilessHandler
from handlers.wire.lingering_close import LastWords
from handlers.wire.raw_stream import RawStream
from handlers.wire.request_head import new_request_id
from schemas.surfaces import Surface

# With the end of a frame may come the beginning of the next ones.
NEXT_FRAMES_BYTES = 1024 * 1024
TOO_BIG = 1009


class ResponsesSocket(WebSocketHandler, BodilessHandler):
    """The channel's frames go straight to the client; `on_message` hands over."""

    _channel: Channel
    _pump: "asyncio.Task[None] | None" = None

    def check_head(self) -> None:
        """A refusal is a plain HTTP answer, before the upgrade."""
        super().check_head()
        key = self.current_key
        if not self.gateway.pool.can_open_socket(key.accounts if key else None):
            raise UpgradeRequired
        turn_state = self.request.headers.get("x-codex-turn-state")
        if turn_state:
            self.set_header("x-codex-turn-state", turn_state)

    def check_origin(self, origin: str) -> bool:
        """Foreign origins were refused before, as on every route."""
        return True

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """The protocol, made to give a client the time to read what it did wrong."""
        protocol = super().get_websocket_protocol()
        if protocol is None:
            return None
        # Weakly: what is an attribute of the protocol must not hold it.
        weak, close = weakref.ref(protocol), type(protocol).close
        last_words: LastWords = self.settings["last_words"]
        readably = partial(_close_readably, weak, close, last_words)
        setattr(protocol, "close", readably)  # noqa: B010
        return protocol

    def open(self, *args: str, **kwargs: str) -> None:
        self._client = self.client_facts()
        view = ClientView(
            is_codex=self.surface.is_codex,
            requested_model=None,
            keys_in_use=not self._client.sees_windows,
        )
        self._channel = self.gateway.open_channel(self._request_of, view)
        connection = self.ws_connection
        assert connection is not None
        assert connection.stream is not None
        # A frame is read whole; how large it may be, the application's setting says.
        connection.stream.max_buffer_size = (
            self.gateway.settings.max_body_bytes + NEXT_FRAMES_BYTES
        )
        self._client_stream = RawStream(connection.stream)
        self._pump = asyncio.create_task(self._relay())

    async def on_message(self, message: Frame) -> None:
        """Queue the frame; waits only when the channel's small budget is full."""
        await self._channel.submit(message)

    def on_close(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            self.gateway.channels.discard(self._channel)
            # They hold this handler: a socket's memory is to be free when it ends,
            # not when the collector of cycles comes by.
            del self._pump, self._channel

    def _request_of(self, frame: Frame) -> ClientRequest:
        """One turn's request. A key disabled meanwhile is refused here."""
        key = self.gateway.access.admit(self.facts, time.time())
        return responses_request(
            self._client._replace(request_id=new_request_id()),
            key,
            Surface.CODEX_SOCKET if self.surface.is_codex else Surface.V1_SOCKET,
            frame,
        )

    async def _relay(self) -> None:
        code = UPSTREAM_LOST
        channel = self._channel
        try:
            await channel.run(self._client_stream.write)
            code = channel.close_code
        except StreamClosedError:
            return
        finally:
            self.close(code)


def _close_readably(
    weak: "weakref.ref[WebSocketProtocol]",
    close: Callable[[WebSocketProtocol, int | None, str | None], None],
    last_words: LastWords,
    code: int | None = None,
    reason: str | None = None,
) -> None:
    protocol = weak()
    if protocol is None:
        return
    close(protocol, code, reason)
    if code == TOO_BIG and protocol.stream is not None:
        last_words.outlive(protocol.stream.socket)
