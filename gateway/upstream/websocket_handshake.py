"""The opening handshake of WebSockets to upstream (RFC 6455, section 4)."""

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import Mapping

import aiohttp

from gateway.protocol.facts import Failure
from gateway.protocol.failures import read_failure
from gateway.protocol.local_failures import handshake_timeout
from gateway.protocol.sse import MAX_EVENT_BYTES
from gateway.settings import Settings
from gateway.upstream import UpstreamFault
from gateway.upstream.http import (
    ERROR_BODY_BYTES,
    ERROR_BODY_SECONDS,
    connection_failure,
)
from gateway.upstream.learned_traits import LearnedTraits
from gateway.upstream.websocket import UpstreamSocket

# The dialect of the upstream socket; a client's own value goes before it.
SOCKET_PROTOCOL = "responses_websockets=2026-02-06"
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
        self._timeout = settings.connect_timeout
        self._max_message_bytes = min(settings.max_body_bytes, MAX_EVENT_BYTES)

    async def connect(
        self, url: str, headers: Mapping[str, str], account_id: int, model: str | None
    ) -> UpstreamSocket:
        """Raises UpstreamFault; a refused upgrade carries its HTTP status.

        `model`: what the client asks for first, to learn from the answer.
        """
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
