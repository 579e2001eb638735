"""HTTP to upstream: one `send`, whose failures arrive as facts.

Nothing of the HTTP library's own reaches upstream: no automatic headers, no
cookies, no redirects, no proxy from the environment.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Self

import aiohttp
from yarl import URL

from gateway.protocol.facts import Failure, Phase
from gateway.protocol.failures import read_failure
from gateway.protocol.local_failures import (
    network_failure,
    protocol_error,
    upstream_timeout,
)
from gateway.settings import Settings
from gateway.upstream import UpstreamFault
from gateway.upstream.body import BodyDelivery, BrokenAnswer, Sink
from gateway.upstream.connection import HEAD_BYTES, Connection, RawResponse
from gateway.upstream.egress import EgressProxyFailed, open_connector
from gateway.upstream.fair_reading import FairReading

# An error answer is read up to here; more than that explains nothing.
ERROR_BODY_BYTES = 64 * 1024
ERROR_BODY_SECONDS = 3.0  # comes with its head; each attempt may wait for it
# What one read hands over at most; also the high-water mark of back-pressure.
READ_BUFFER_BYTES = 64 * 1024
# What the library would add where it is missing.
AUTOMATIC = ("user-agent", "accept", "accept-encoding", "content-type")


def open_session(settings: Settings) -> aiohttp.ClientSession:
    """A session that adds nothing of its own; close it after all requests."""
    return aiohttp.ClientSession(
        connector=open_connector(settings),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=AUTOMATIC,
        auto_decompress=False,
        trust_env=False,
        read_bufsize=READ_BUFFER_BYTES,
        max_line_size=HEAD_BYTES,
        max_field_size=HEAD_BYTES,
        timeout=_timeout(settings),
    )


def _timeout(settings: Settings) -> aiohttp.ClientTimeout:
    """Of connecting, looking up the name included; what follows has our deadlines."""
    return aiohttp.ClientTimeout(
        connect=settings.first_event_timeout, sock_connect=settings.connect_timeout
    )


class Destination(NamedTuple):
    """Where a URL leads."""

    address: aiohttp.ClientRequest  # as the connector wants it told
    first_lines: bytes  # of each request


class UpstreamResponse:
    """Status and headers of an answer whose body is still to be read."""

    def __init__(self, answer: RawResponse) -> None:
        self.status, self.headers, self._body = answer

    @property
    def has_more(self) -> bool:
        """Whether something has come that was not read."""
        return self._body.has_more

    @property
    def is_over(self) -> bool:
        """Whether all of the body has been read, and it was whole."""
        body = self._body
        return body.is_ended and not body.has_more and body.error is None

    def close(self) -> None:
        """End it wherever it is; idempotent.

        Closing, not releasing: an unread rest must not hold the connection, and a
        client that left must be seen upstream at once.
        """
        self._body.close()

    async def read(self, phase: Phase) -> bytes:
        """What has arrived, b"" at the end. A cancelled read loses nothing."""
        try:
            return await self._body.read()
        except BrokenAnswer as error:
            raise UpstreamFault(connection_failure(error, phase)) from error

    def deliver_to(self, sink: Sink) -> BodyDelivery:
        """Have the rest of the body handed to `sink` as it arrives."""
        return self._body.deliver_to(
            sink, lambda error: UpstreamFault(connection_failure(error, "stream"))
        )

    async def read_refusal(self) -> bytes:
        """What can be had of an error body, within bounds of size and time."""
        body = b""
        try:
            async with asyncio.timeout(ERROR_BODY_SECONDS):
                while len(body) < ERROR_BODY_BYTES and (
                    chunk := await self._body.read()
                ):
                    body += chunk
        except (BrokenAnswer, TimeoutError):
            pass  # what came has to do
        return body[:ERROR_BODY_BYTES]


class UpstreamHttp:
    """Sends requests, over connections of its own; close it after all of them."""

    def __init__(self, settings: Settings) -> None:
        self._connector = open_connector(settings)
        self._connect_timeout = _timeout(settings)
        self._head_timeout = settings.first_event_timeout
        self._destinations: dict[str, Destination] = {}
        self._reading = FairReading()

    async def send(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        on_connected: Callable[[], None] | None = None,
    ) -> UpstreamResponse:
        """Post `body` as it is; who calls closes what it returns.

        `on_connected` is called before the first byte leaves. Raises UpstreamFault
        unless the answer is a 200.
        """
        answer = UpstreamResponse(await self._post(url, headers, body, on_connected))
        if answer.status == 200 and not _is_encoded(answer):
            return answer
        try:
            raise UpstreamFault(await _refusal(answer))
        finally:
            answer.close()

    async def _post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        on_connected: Callable[[], None] | None,
    ) -> RawResponse:
        phase: Phase = "connect"
        try:
            destination = self._destination(url)
            head = _head(destination.first_lines, headers, len(body))
            until = asyncio.get_running_loop().time() + self._head_timeout
            lease = await self._connector.connect(
                destination.address, [], self._connect_timeout
            )
            phase = "headers"
            if on_connected is not None:
                on_connected()
            return await Connection.of(lease, self._reading).ask(head, body, until)
        except TimeoutError as error:
            raise UpstreamFault(upstream_timeout(phase)) from error
        except (aiohttp.ClientError, OSError, BrokenAnswer, ValueError) as error:
            raise UpstreamFault(connection_failure(error, phase)) from error

    def _destination(self, url: str) -> Destination:
        """Raises ValueError for what is no URL."""
        known = self._destinations.get(url)
        if known is None:
            address = aiohttp.ClientRequest(
                "POST", URL(url), loop=asyncio.get_running_loop()
            )
            first_lines = (
                f"POST {address.url.raw_path_qs} HTTP/1.1\r\n"
                f"Host: {address.headers['Host']}\r\n"
            )
            known = Destination(address, first_lines.encode("ascii"))
            self._destinations[url] = known
        return known

    async def close(self) -> None:
        await self._connector.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _head(first_lines: bytes, headers: Mapping[str, str], length: int) -> bytes:
    """A request's head. Raises ValueError for what would not be one."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if not lines.count("\n") == lines.count("\r") == len(headers):
        raise ValueError("A header holds the end of a line")
    last_line = b"Content-Length: %d\r\n\r\n" % length
    return first_lines + lines.encode("latin-1") + last_line


def _is_encoded(answer: UpstreamResponse) -> bool:
    """Whether upstream compressed although identity was asked for."""
    return answer.headers.get("content-encoding", "identity") != "identity"


async def _refusal(answer: UpstreamResponse) -> Failure:
    if answer.status == 200:
        encoding = answer.headers["content-encoding"][:40]
        return protocol_error(
            f"The upstream answer has an unexpected encoding: {encoding!a}"
        )
    body = await answer.read_refusal()
    return read_failure(answer.status, answer.headers, body, time.time())


def connection_failure(error: Exception, phase: Phase) -> Failure:
    """DNS, TCP and TLS trouble. The text names the kind, never an address."""
    if isinstance(error, EgressProxyFailed):
        message, code, phase = str(error), "egress_proxy_failed", "connect"
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        message, code = "The upstream host name could not be resolved", "dns_failure"
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        message, code = "The upstream certificate is not valid", "certificate_invalid"
    elif isinstance(error, aiohttp.ClientSSLError):
        message, code = "The TLS handshake with upstream failed", "tls_failure"
    elif phase == "connect":
        message, code = "The upstream refused the connection", "connection_refused"
    elif phase == "stream":
        message = "The upstream stream ended before the response was complete"
        code = "stream_incomplete"
    else:
        message, code = "The upstream closed the connection", "connection_reset"
    return network_failure(message, code, phase)
