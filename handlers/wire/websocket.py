"""The server's side of a WebSocket, as far as Tornado has no way to set it.

Relies on what Tornado does not document: `WebSocketHandler.get_websocket_protocol`,
`ws_connection`, `WebSocketProtocol.stream` and `BaseIOStream.max_buffer_size`, seen in
4.5, 6.1 and 6.6; a `WebSocketProtocol13` being made of its handler and its `params`
without side effects, seen in 6.1 and 6.6; and, in those two, its `_receive_frame`
reading each frame through `_read_bytes`, which counts `_wire_bytes_in`, and keeping an
unfinished message in `_fragmented_message_buffer`.
"""

import asyncio
from collections.abc import Callable

from tornado.iostream import BaseIOStream, StreamClosedError
from tornado.websocket import (
    WebSocketHandler,
    WebSocketProtocol,
    WebSocketProtocol13,
)

from gateway.admission.body_budget import BudgetLease
from gateway.errors import GatewayError
from gateway.protocol.websocket_frames import MESSAGE_TOO_BIG, TRY_AGAIN_LATER
from handlers.wire.arriving_bodies import ArrivingBodies
from handlers.wire.connections import ClientConnections
from handlers.wire.lingering_close import LingeringSockets
from handlers.wire.raw_stream import RawStream

assert {"get_websocket_protocol", "ws_connection"} <= set(
    WebSocketHandler.get.__code__.co_names
)
assert {"params"} <= set(WebSocketProtocol13.__init__.__code__.co_names)
assert {"stream"} <= set(WebSocketProtocol.__init__.__code__.co_names)
assert {"max_buffer_size"} <= set(BaseIOStream.__init__.__code__.co_names)
assert {"_read_bytes", "_fragmented_message_buffer"} <= set(
    WebSocketProtocol13._receive_frame.__code__.co_names
)
assert {"read_bytes", "_wire_bytes_in"} <= set(
    WebSocketProtocol13._read_bytes.__code__.co_names
)

# A large message is read, and counted, in pieces of this size.
_PIECE_BYTES = 64 * 1024


class LingeringWebSocketHandler(WebSocketHandler):
    """Counts what arrives; a client that sends too much can read the close frame."""

    connections: ClientConnections

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        made = super().get_websocket_protocol()
        if not isinstance(made, WebSocketProtocol13):
            return made
        return CountingProtocol(made, self, self.connections)

    def open_message_lease(self) -> BudgetLease:
        """What the next message counts for."""
        raise NotImplementedError

    def refuse_message(self, error: GatewayError) -> None:
        """Tell the client why the socket is closed inside its message."""

    def message_arrived(self) -> Callable[[], None]:
        """Call for each message: what gives back the memory it counts for."""
        assert isinstance(self.ws_connection, CountingProtocol)
        return self.ws_connection.end_message(is_whole=True)

    def raw_stream(self, max_buffer_bytes: int) -> RawStream:
        """The open socket's stream; so much of what it receives is buffered."""
        assert self.ws_connection is not None
        stream = self.ws_connection.stream
        assert stream is not None
        stream.max_buffer_size = max_buffer_bytes
        return RawStream(stream)


class ArrivingMessage:
    """One message while it arrives, and what it holds of the budget."""

    def __init__(
        self, lease: BudgetLease, bodies: ArrivingBodies, close: Callable[[], None]
    ) -> None:
        self._lease = lease
        self._bodies = bodies
        self.close_connection = close
        self.received = 0
        self._is_late = False

    def take(self, size: int) -> None:
        """Raises GatewayOverloaded; what came is to be dropped then."""
        self._lease.take(size)
        self.received += size

    def expect_more(self) -> None:
        """The rest has not come yet: from now on it has a deadline and a pace."""
        if self.received and not self._is_late:
            self._is_late = True
            self._bodies.begin(self, is_side_call=False)

    def end(self, *, is_whole: bool) -> Callable[[], None]:
        """Nothing more is to come; what is returned gives its memory back."""
        if is_whole:
            self._lease.note_arrival()
        if self._is_late:
            self._bodies.end(self)
        return self._lease.release


class CountingProtocol(WebSocketProtocol13):
    """Counts each message against its sender's share of the budget as it comes.

    After a close that a client may read while it still sends, it lingers.
    """

    def __init__(
        self,
        made: WebSocketProtocol13,
        handler: LingeringWebSocketHandler,
        connections: ClientConnections,
    ) -> None:
        super().__init__(handler, made.mask_outgoing, made.params)
        self._own_handler = handler
        self._bodies: ArrivingBodies = connections.bodies
        self._lingering: LingeringSockets = connections.lingering
        self._message = self._next_message()

    def end_message(self, *, is_whole: bool) -> Callable[[], None]:
        message, self._message = self._message, self._next_message()
        return message.end(is_whole=is_whole)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        super().close(code, reason)
        if code in (MESSAGE_TOO_BIG, TRY_AGAIN_LATER) and self.stream is not None:
            self._lingering.linger(self.stream.socket)

    async def _receive_frame_loop(self) -> None:
        try:
            await super()._receive_frame_loop()
        finally:
            self._message.end(is_whole=False)()
            del self._message  # which knows how to close this

    async def _receive_frame(self) -> None:
        await super()._receive_frame()
        if self._fragmented_message_buffer is None:
            self.end_message(
                is_whole=False
            )()  # a control frame, or nothing that was handed over

    async def _read_bytes(self, n: int) -> bytes:
        read = bytearray()
        while len(read) < n:
            size = min(n - len(read), _PIECE_BYTES)
            reading = asyncio.ensure_future(self.stream.read_bytes(size, partial=True))
            if not reading.done():
                self._message.expect_more()
            try:
                piece = await reading
            finally:
                del reading  # its exception would hold it, by this frame
            self._wire_bytes_in += len(piece)
            try:
                self._message.take(len(piece))
            except GatewayError as error:
                self._own_handler.refuse_message(error)
                raise StreamClosedError from error
            if len(piece) == n:
                return piece
            read += piece
        return bytes(read)

    def _next_message(self) -> ArrivingMessage:
        lease = self._own_handler.open_message_lease()
        return ArrivingMessage(lease, self._bodies, self._abort)
