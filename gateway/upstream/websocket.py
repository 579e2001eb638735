"""WebSockets to upstream: the HTTP library's handshake and writer, our own reader.

Whole messages arrive as the frames they came in, so that a relay can pass them on
without taking them apart. `set_parser` is where the library's own reader sits.
"""

import asyncio
from collections import deque
from contextlib import suppress

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import WebSocketWriter

from gateway.protocol import websocket_frames
from gateway.protocol.facts import Phase
from gateway.protocol.local_failures import socket_closed
from gateway.upstream import UpstreamFault
from gateway.upstream.body import Sink
from gateway.upstream.fair_reading import FairReading, ReadingControl

# Semi-private, checked with aiohttp 3.14: the connection hands all it reads to the
# parser set here, and keeps the payload only to tell it of the connection's end.
_PARAMETERS = ResponseHandler.set_parser.__code__.co_varnames[:3]
assert _PARAMETERS == ("self", "parser", "payload")
# Messages nobody has asked for yet: beyond this, upstream is not read any more.
MOST_HELD_BYTES = 256 * 1024


class UpstreamSocket:
    """One open socket of one account. Owned by one channel, which closes it.

    Messages are received one by one (`receive`), or delivered to a sink as they
    arrive (`deliver_to`); none is lost between the two.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        account_id: int,
        limit: int,
        order: FairReading,
    ) -> None:
        connection = response.connection
        assert connection is not None
        assert connection.protocol is not None
        assert connection.transport is not None
        self.account_id = account_id
        self.is_open = True
        self.close_code: int | None = None  # upstream's, once it has closed
        self._response = response
        self._transport = connection.transport
        self._reading = ReadingControl(connection.transport, order)
        self.pause, self.resume = self._reading.pause, self._reading.resume
        self._writer = WebSocketWriter(
            connection.protocol, connection.transport, use_mask=True
        )
        self._splitter = websocket_frames.FrameSplitter(limit)
        self._held: deque[bytes] = deque()  # payloads
        self._held_bytes = 0
        self._delivery: SocketDelivery | None = None
        self._arrival: asyncio.Future[None] | None = None
        connection.protocol.set_parser(self, self)

    async def send(self, text: bytes) -> None:
        """Send one text frame. Raises UpstreamFault when the socket is gone."""
        try:
            await self._writer.send_frame(text, aiohttp.WSMsgType.TEXT)
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamFault(socket_closed("headers")) from error

    def arrival(self) -> "asyncio.Future[None]":
        """Done when there is something to receive, or the socket has ended."""
        if self._arrival is None or self._arrival.done():
            self._arrival = asyncio.get_running_loop().create_future()
        if self._held or not self.is_open:
            self._wake()
        return self._arrival

    async def receive(self, phase: Phase) -> bytes:
        """The payload of the next message. Raises UpstreamFault at the end."""
        while not self._held:
            if not self.is_open:
                raise UpstreamFault(socket_closed(phase))
            await self.arrival()
        payload = self._held.popleft()
        self._held_bytes -= len(payload)
        self.resume()
        return payload

    @property
    def has_more(self) -> bool:
        """Whether a message has arrived that was not received."""
        return bool(self._held)

    def deliver_to(self, sink: Sink) -> "SocketDelivery":
        """Have runs of whole frames given to the sink as they arrive."""
        self._delivery = SocketDelivery(self, sink)
        return self._delivery

    def detach(self, delivery: "SocketDelivery") -> None:
        """Keep what arrives from now on for `receive`, or the next delivery."""
        if self._delivery is delivery:
            self._delivery = None

    def take_held(self) -> bytes:
        """The frames that arrived and were not received."""
        held, self._held, self._held_bytes = self._held, deque(), 0
        return b"".join(map(websocket_frames.frame, held))

    async def close(self) -> None:
        """Say goodbye, where upstream still listens, and let the connection go."""
        if self.is_open:
            self.is_open = False
            with suppress(aiohttp.ClientError, OSError):  # it may be gone already
                await self._writer.close()
        self.end()

    # What the library calls its parser.

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """One read; whether it broke the protocol, and nothing left over."""
        self._reading.count(len(data))
        try:
            run = self._splitter.feed(data)
        except websocket_frames.ProtocolError:
            self.end()
            return True, b""
        for control in self._splitter.controls:
            self._answer(control)
        self._splitter.controls.clear()
        if run:
            if self._delivery is None:
                self.hold(run)
            else:
                self._delivery.give(run)
        if self._splitter.error is not None:
            self.end()
        return self._splitter.error is not None, b""

    def feed_eof(self) -> None:
        self.end()

    def set_exception(
        self, error: BaseException, cause: BaseException | None = None
    ) -> None:
        self.end()

    def hold(self, run: bytes) -> None:
        """Keep a run of frames for `receive`."""
        for _, payload in websocket_frames.payloads(run):
            self._held.append(payload)
            self._held_bytes += len(payload)
        if self._held_bytes > MOST_HELD_BYTES:
            self.pause()
        self._wake()

    def _answer(self, control: websocket_frames.Control) -> None:
        if control.opcode == websocket_frames.PING:
            self._transport.write(_pong(control.payload))
        elif control.opcode == websocket_frames.CLOSE:
            if len(control.payload) >= 2:  # RFC 6455, section 5.5.1
                self.close_code = int.from_bytes(control.payload[:2], "big")
            self.end()

    def end(self) -> None:
        """Let the connection go at once; idempotent."""
        self.is_open = False
        self._response.close()
        self._wake()
        if self._delivery is not None:
            self._delivery.lose()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


class SocketDelivery:
    """Gives runs of whole frames to a sink, until the turn or the socket ends."""

    def __init__(self, socket: UpstreamSocket, sink: Sink) -> None:
        self._socket = socket
        self._sink: Sink | None = sink
        self.is_full = False  # the sink has enough for now
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def deliver(self) -> None:
        """Give the sink what has arrived, and notice a socket that has ended."""
        held = self._socket.take_held()
        self._socket.resume()
        if held:
            self.give(held)
        if not self._socket.is_open:
            self.lose()

    def give(self, run: bytes) -> None:
        """Hand one run over; the socket is not read while the sink has enough."""
        if self._sink is None:
            return
        try:
            waiting = self._sink(run)
        except OSError:
            self.ended.cancel()  # the client left, and the turn with it
            self._socket.end()
            return
        if waiting is not None and self._socket.is_open:
            self.is_full = True
            self._socket.pause()
            waiting.add_done_callback(self._resume)

    def lose(self) -> None:
        """The socket has ended inside the turn."""
        if not self.ended.done():
            self.ended.set_exception(UpstreamFault(socket_closed()))

    def end_within(self, seconds: float) -> None:
        """End at once: nothing of the turn follows its last frame."""
        if not self.ended.done():
            self.ended.set_result(None)
        self.stop()

    def stop(self) -> None:
        """Hand over nothing any more; idempotent. Lets go of the sink's turn."""
        self._sink = None
        self._socket.detach(self)
        if not self.ended.done():
            self.ended.cancel()
        elif not self.ended.cancelled():
            self.ended.exception()  # who was cancelled will not ask for it

    def _resume(self, waited: "asyncio.Future[None]") -> None:
        self.is_full = False
        self._socket.resume()


def _pong(payload: bytes) -> bytes:
    """Encode a pong; its mask (RFC 6455, 5.3) has nothing to hide."""
    head = bytes((0x80 | websocket_frames.PONG, 0x80 | len(payload)))
    return head + b"\0\0\0\0" + payload
