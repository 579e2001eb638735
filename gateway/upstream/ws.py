"""WebSockets to upstream: one `connect`, frames as text, losses as facts."""

import asyncio
import time
from collections.abc import Mapping

import aiohttp

from gateway.protocol.facts import Failure, Phase
from gateway.protocol.failures import read_failure
from gateway.settings import Settings
from gateway.upstream import UpstreamFault

# Seconds for the closing handshake; the socket is cut afterwards.
CLOSE_TIMEOUT = 2.0


class UpstreamSocket:
    """One open socket of one account. Owned by one channel, which closes it."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, account_id: int
    ) -> None:
        self._socket = socket
        self._watched: asyncio.Task[aiohttp.WSMessage] | None = None
        self.account_id = account_id

    @property
    def is_open(self) -> bool:
        return not self._socket.closed

    async def send(self, text: bytes) -> None:
        """Send one text frame. Raises UpstreamFault when the socket is gone."""
        try:
            await self._socket.send_frame(text, aiohttp.WSMsgType.TEXT)
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamFault(_lost("headers")) from error

    def watch(self) -> "asyncio.Task[aiohttp.WSMessage]":
        """The next frame as a task, for who waits for something else as well.

        `receive` gives what the task has got; it is never lost.
        """
        self._watched = self._watched or asyncio.create_task(self._socket.receive())
        return self._watched

    async def receive(self, phase: Phase) -> str | bytes:
        """The next frame, text or binary. Raises UpstreamFault at the end."""
        if self._watched is None:
            message = await self._socket.receive()
        else:
            message = await asyncio.shield(self._watched)
            self._watched = None
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            data: str | bytes = message.data
            return data
        raise UpstreamFault(_lost(phase))

    async def close(self) -> None:
        if self._watched is not None:
            self._watched.cancel()
        await self._socket.close()


class UpstreamSockets:
    """Opens sockets; shares the session, and so its connector, with HTTP."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        self._session = session
        self._timeout = settings.connect_timeout
        self._max_frame_bytes = settings.max_body_bytes

    async def connect(
        self, url: str, headers: Mapping[str, str], account_id: int
    ) -> UpstreamSocket:
        """Raises UpstreamFault; a refused upgrade carries its HTTP status."""
        try:
            async with asyncio.timeout(2 * self._timeout):
                socket = await self._session.ws_connect(
                    url,
                    headers=headers,
                    compress=0,
                    max_msg_size=self._max_frame_bytes,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT),
                )
        except TimeoutError as error:
            raise UpstreamFault(
                Failure(
                    phase="handshake",
                    origin="network",
                    message="The upstream did not answer the WebSocket handshake",
                    code="upstream_handshake_timeout",
                )
            ) from error
        except aiohttp.WSServerHandshakeError as error:
            refusal = read_failure(error.status, error.headers or {}, b"", time.time())
            raise UpstreamFault(refusal.in_phase("handshake")) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UpstreamFault(
                Failure(
                    phase="connect",
                    origin="network",
                    message="The upstream refused the connection",
                    code="connection_refused",
                )
            ) from error
        return UpstreamSocket(socket, account_id)


def _lost(phase: Phase) -> Failure:
    return Failure(
        phase=phase,
        origin="upstream",
        message="The upstream closed the socket before the response was complete",
        code="stream_incomplete",
    )
