"""The server's side of a WebSocket, as far as Tornado has no way to set it.

Relies on what Tornado does not document: `WebSocketHandler.get_websocket_protocol`,
`ws_connection`, `WebSocketProtocol.stream` and `BaseIOStream.max_buffer_size`, seen in
4.5, 6.1 and 6.6; and a `WebSocketProtocol13` being made of its handler and its `params`
without side effects, seen in 6.1 and 6.6.
"""

from tornado.iostream import BaseIOStream
from tornado.websocket import (
    WebSocketHandler,
    WebSocketProtocol,
    WebSocketProtocol13,
)

from gateway.protocol.websocket_frames import MESSAGE_TOO_BIG
from handlers.wire.connections import ClientConnections
from handlers.wire.lingering_close import LingeringSockets
from handlers.wire.raw_stream import RawStream

assert {"get_websocket_protocol", "ws_connection"} <= set(
    WebSocketHandler.get.__code__.co_names
)
assert {"params"} <= set(WebSocketProtocol13.__init__.__code__.co_names)
assert {"stream"} <= set(WebSocketProtocol.__init__.__code__.co_names)
assert {"max_buffer_size"} <= set(BaseIOStream.__init__.__code__.co_names)


class LingeringWebSocketHandler(WebSocketHandler):
    """Closes so that a client whose message is too big can read the close frame."""

    connections: ClientConnections

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        made = super().get_websocket_protocol()
        if not isinstance(made, WebSocketProtocol13):
            return made
        return LingeringProtocol(made, self.connections.lingering)

    def raw_stream(self, max_buffer_bytes: int) -> RawStream:
        """The open socket's stream; so much of what it receives is buffered."""
        assert self.ws_connection is not None
        stream = self.ws_connection.stream
        assert stream is not None
        stream.max_buffer_size = max_buffer_bytes
        return RawStream(stream)


class LingeringProtocol(WebSocketProtocol13):
    """Keeps reading for a while after it closed on a message that is too big."""

    def __init__(self, made: WebSocketProtocol13, lingering: LingeringSockets) -> None:
        super().__init__(made.handler, made.mask_outgoing, made.params)
        self._lingering = lingering

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        super().close(code, reason)
        if code == MESSAGE_TOO_BIG and self.stream is not None:
            self._lingering.linger(self.stream.socket)
