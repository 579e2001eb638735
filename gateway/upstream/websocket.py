"""WebSockets to upstream: the HTTP library's handshake and writer, our own reader.

Whole messages arrive as the frames they came in, so that a relay can pass them on
without taking them apart. `set_parser` is where the library's own reader sits.
"""

import asyncio
import base64
import hashlib
import os
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

import aiohttp
from aiohttp.http import WebSocketWriter

from gateway.protocol import websocket_frames
from gateway.protocol.facts import Failure, Phase
from gateway.protocol.failures import read_failure
from gateway.protocol.local_failures import handshake_timeout, socket_closed
from gateway.settings import Settings
from gateway.upstream import UpstreamFault
from gateway.upstream.body import Sink
from gateway.upstream.http import (
    ERROR_BODY_BYTES,
    ERROR_BODY_SECONDS,
    connection_failure,
)

# RFC 6455, section 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# Messages nobody has asked for yet: beyond this, upstream is not read any more.
MOST_HELD_BYTES = 256 * 1024


class UpstreamSocket:
    """One open socket of one account. Owned by one channel, which closes it.

    Messages are waited for one by one (`receive`), or poured into a sink as they
    come (`pour`); none is lost between the two.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, account_id: int, limit: int
    ) -> None:
        connection = response.connection
        assert connection is not None
        assert connection.protocol is not None
        assert connection.transport is not None
        self.account_id = account_id
        self.is_open = True
        self.is_paused = False  # by a sink that has enough
        self._response = response
        self._transport = connection.transport
        self._writer = WebSocketWriter(
            connection.protocol, connection.transport, use_mask=True
        )
        self._splitter = websocket_frames.FrameSplitter(limit)
        self._held: deque[bytes] = deque()  # payloads
        self._held_bytes = 0
        self._sink: Sink | None = None
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
        self._transport.resume_reading()
        return payload

    def pour(self, sink: Sink | None) -> None:
        """Have runs of whole frames given to the sink as they come; None: no more."""
        self._sink = sink
        if sink is None:
            return
        held = b"".join(websocket_frames.frame(payload) for payload in self._held)
        self._held.clear()
        self._held_bytes = 0
        self._transport.resume_reading()
        if held:
            self._give(sink, held)

    async def close(self) -> None:
        """Say goodbye, where upstream still listens, and let the connection go."""
        if self.is_open:
            self.is_open = False
            with suppress(aiohttp.ClientError, OSError):  # it may be gone already
                await self._writer.close()
        self._end()

    # What the library calls its parser.

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """One read; whether it broke the protocol, and nothing left over."""
        try:
            run = self._splitter.feed(data)
        except websocket_frames.ProtocolError:
            self._end()
            return True, b""
        for control in self._splitter.controls:
            self._answer(control)
        self._splitter.controls.clear()
        if run:
            if self._sink is None:
                self.hold(run)
            else:
                self._give(self._sink, run)
        if self._splitter.error is not None:
            self._end()
        return self._splitter.error is not None, b""

    def feed_eof(self) -> None:
        self._end()

    def set_exception(
        self, error: BaseException, cause: BaseException | None = None
    ) -> None:
        self._end()

    def hold(self, run: bytes) -> None:
        """Keep a run of frames for `receive`."""
        for _, payload in websocket_frames.payloads(run):
            self._held.append(payload)
            self._held_bytes += len(payload)
        if self._held_bytes > MOST_HELD_BYTES:
            self._transport.pause_reading()
        self._wake()

    def _give(self, sink: Sink, run: bytes) -> None:
        try:
            waiting = sink(run)
        except OSError:
            self._end()  # the client left; its handler ends the turn
            return
        if waiting is not None and self.is_open:
            self.is_paused = True
            self._transport.pause_reading()
            waiting.add_done_callback(self._go_on)

    def _go_on(self, waited: "asyncio.Future[None]") -> None:
        self.is_paused = False
        self._transport.resume_reading()

    def _answer(self, control: websocket_frames.Control) -> None:
        if control.opcode == websocket_frames.PING:
            self._transport.write(_pong(control.payload))
        elif control.opcode == websocket_frames.CLOSE:
            self._end()

    def _end(self) -> None:
        self.is_open = False
        self._response.close()
        self._wake()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


class UpstreamSockets:
    """Opens sockets; shares the session, and so its connector, with HTTP."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        self._session = session
        self._timeout = settings.connect_timeout
        self._max_message_bytes = settings.max_body_bytes

    async def connect(
        self, url: str, headers: Mapping[str, str], account_id: int
    ) -> UpstreamSocket:
        """Raises UpstreamFault; a refused upgrade carries its HTTP status."""
        key = base64.b64encode(os.urandom(16))
        sent = {
            **headers,
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-version": "13",
            "sec-websocket-key": key.decode(),
        }
        try:
            async with asyncio.timeout(2 * self._timeout):
                response = await self._session.get(
                    url, headers=sent, allow_redirects=False
                )
        except TimeoutError as error:
            raise UpstreamFault(handshake_timeout()) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamFault(connection_failure(error, "connect")) from error
        if response.status >= 400:
            raise UpstreamFault(await _refusal(response))
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
        given = response.headers.get("sec-websocket-accept")
        if response.status != 101 or given != accept:
            response.close()
            raise UpstreamFault(handshake_timeout())
        return UpstreamSocket(response, account_id, self._max_message_bytes)


async def _refusal(response: aiohttp.ClientResponse) -> Failure:
    body = b""
    try:
        async with asyncio.timeout(ERROR_BODY_SECONDS):
            body = await response.content.read(ERROR_BODY_BYTES)
    except (aiohttp.ClientError, OSError):
        pass  # the status has to do
    finally:
        response.close()
    failure = read_failure(response.status, response.headers, body, time.time())
    return failure.in_phase("handshake")


def _pong(payload: bytes) -> bytes:
    """A client's frame has a mask; that of a pong needs to hide nothing."""
    mask = b"\0\0\0\0"
    return b"%c%c%b%b" % (
        0x80 | websocket_frames.PONG,
        0x80 | len(payload),
        mask,
        payload,
    )
