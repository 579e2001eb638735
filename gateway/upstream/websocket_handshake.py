"""The opening handshake of WebSockets to upstream (RFC 6455, section 4)."""

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import Mapping

import aiohttp

from gateway.accounts.account import Account
from gateway.protocol.facts import Failure
from gateway.protocol.failures import read_failure
from gateway.protocol.local_failures import handshake_timeout
from gateway.protocol.sse import MAX_EVENT_BYTES
from gateway.settings import Settings
from gateway.upstream import UpstreamFault
from gateway.upstream.endpoints import Endpoint, url_of
from gateway.upstream.fair_reading import FairReading
from gateway.upstream.http import (
    ERROR_BODY_BYTES,
    ERROR_BODY_SECONDS,
    connection_failure,
)
from gateway.upstream.learned_traits import LearnedTraits
from gateway.upstream.websocket import UpstreamSocket

# The dialect of upstream's sockets; a client's own value goes before it.
SOCKET_PROTOCOL = "responses_websockets=2026-02-06"
# A socket that was opened before anybody needs it is kept so long, in seconds.
LONGEST_UNUSED = 30.0
# RFC 6455, section 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class UpstreamSockets:
    """Opens sockets; shares the session, and so its connector, with HTTP."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: Settings,
        learned: LearnedTraits,
    ) -> None:
        self._session = session
        self._learned = learned
        self._reading = FairReading()
        self._base_url = settings.upstream_base_url
        self._timeout = settings.connect_timeout
        self._max_message_bytes = min(settings.max_body_bytes, MAX_EVENT_BYTES)

    async def connect(
        self, account: Account, headers: Mapping[str, str], model: str | None
    ) -> UpstreamSocket:
        """Raises UpstreamFault; a refused upgrade carries its HTTP status.

        `model`: what the client asks for first, to learn from the answer.
        """
        url = url_of(Endpoint.RESPONSES, account, self._base_url)
        key = base64.b64encode(os.urandom(16))
        sent = {
            **({"openai-beta": SOCKET_PROTOCOL} if account.is_chatgpt else {}),
            **headers,
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-version": "13",
            "sec-websocket-key": key.decode(),
        }
        sent.pop("content-type", None)
        try:
            async with asyncio.timeout(2 * self._timeout):
                response = await self._session.get(
                    url, headers=sent, allow_redirects=False
                )
        except TimeoutError as error:
            raise UpstreamFault(handshake_timeout()) from error
        except aiohttp.ClientConnectorError as error:
            raise UpstreamFault(connection_failure(error, "connect")) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # What the client sent has left: upstream may have broken off for it.
            raise UpstreamFault(connection_failure(error, "handshake")) from error
        if response.status >= 400:
            raise UpstreamFault(await _refusal(response))
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
        given = response.headers.get("sec-websocket-accept")
        if response.status != 101 or given != accept:
            response.close()
            raise UpstreamFault(handshake_timeout())
        self._learned.observe(url, model, response.headers)
        limit = self._max_message_bytes
        return UpstreamSocket(response, account.id, limit, self._reading)


class KeptSocket:
    """A client socket's own socket to upstream: between its turns, or in advance."""

    def __init__(self) -> None:
        self.socket: UpstreamSocket | None = None
        self._unused_until: float | None = None  # monotonic; None once it is used

    def keep(self, socket: UpstreamSocket | None) -> None:
        """Keep a socket for a first turn, unless that is long in coming."""
        if socket is not None:
            self.socket = socket
            self._unused_until = time.monotonic() + LONGEST_UNUSED

    def use(self, socket: UpstreamSocket) -> UpstreamSocket:
        """A turn runs on it; it is kept for the next ones."""
        self.socket, self._unused_until = socket, None
        return socket

    @property
    def used(self) -> UpstreamSocket | None:
        """One on which a turn has run."""
        return self.socket if self._unused_until is None else None

    @property
    def patience(self) -> float | None:
        """Seconds until it is dropped unused; None: it is not."""
        end = self._unused_until
        return None if end is None else max(0.0, end - time.monotonic())

    def of(self, account_id: int) -> UpstreamSocket | None:
        """The socket, if it is open and the account's."""
        kept = self.socket
        is_fit = kept and kept.is_open and kept.account_id == account_id
        return kept if is_fit else None

    def end(self) -> None:
        """Let it go at once."""
        if self.socket is not None:
            self.socket.end()

    async def drop(self) -> None:
        socket, self.socket, self._unused_until = self.socket, None, None
        if socket is not None:
            await socket.close()


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
