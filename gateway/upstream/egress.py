"""The way out: straight, or through the proxy that the owner set; never another.

Every connection through a proxy is a tunnel, to http:// upstreams as well: CONNECT
(RFC 9110, 9.3.6) or SOCKS 5 (RFC 1928, RFC 1929). The proxy looks up the names.
"""

import asyncio
import base64
import math
import re
import ssl
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from gateway.settings import Settings

# Semi-private, checked with aiohttp 3.14: what its connectors for Unix sockets and
# named pipes override, and what they make of an open connection.
assert hasattr(aiohttp.BaseConnector, "_create_connection")
MOST_REPLY_BYTES = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})\b")
_VERSION, _BY_PASSWORD = 5, 2
# RFC 1928, section 6.
_SOCKS_REPLIES = {
    1: "it failed",
    2: "its rules do not allow it",
    3: "the network cannot be reached",
    4: "the host cannot be reached",
    5: "the connection was refused",
    6: "the way is too long",
    7: "it does not know the command",
    8: "it does not know the kind of address",
}


class EgressProxyFailed(aiohttp.ClientConnectionError):
    """The egress proxy did not lead to upstream; its text holds no address."""


def open_connector(settings: Settings) -> aiohttp.BaseConnector:
    """What all connections out are made by; close it after them."""
    if settings.egress_proxy is None:
        return aiohttp.TCPConnector(limit=0, ttl_dns_cache=60)
    return TunnelConnector(URL(settings.egress_proxy.reveal()))


class TunnelConnector(aiohttp.BaseConnector):
    """Connects through one proxy: http, https or socks5."""

    def __init__(self, proxy: URL) -> None:
        super().__init__(limit=0)
        self._proxy = proxy
        self._upstream_tls = ssl.create_default_context()
        self._proxy_tls = _tls_of(proxy)

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 (as the library calls it)
    ) -> ResponseHandler:
        ends = asyncio.get_running_loop().time() + (timeout.sock_connect or math.inf)
        try:
            async with asyncio.timeout_at(ends):
                _, transport = await open_tunnel(self._proxy, req.url, self._proxy_tls)
        except TimeoutError as error:
            raise EgressProxyFailed(
                "The egress proxy gave no connection in time"
            ) from error
        protocol: ResponseHandler = self._factory()
        try:
            if req.is_ssl():
                async with asyncio.timeout_at(ends):
                    transport = await self._secure(transport, protocol, req)
            else:
                transport.set_protocol(protocol)
        except BaseException:
            transport.abort()
            raise
        protocol.connection_made(transport)
        return protocol

    async def _secure(
        self,
        transport: asyncio.Transport,
        protocol: ResponseHandler,
        req: aiohttp.ClientRequest,
    ) -> asyncio.Transport:
        """TLS with upstream, inside the tunnel."""
        host = (req.url.raw_host or "").rstrip(".")
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, protocol, self._upstream_tls, server_hostname=host
            )
        except ssl.SSLCertVerificationError as error:
            raise aiohttp.ClientConnectorCertificateError(
                req.connection_key, error
            ) from error
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
        assert secured is not None
        return secured


async def open_stream(
    settings: Settings, target: URL
) -> tuple[asyncio.StreamReader, asyncio.Transport]:
    """A connection that is not HTTP's, by the same way; its owner gives the deadline.

    Raises OSError, or EgressProxyFailed.
    """
    if settings.egress_proxy is not None:
        proxy = URL(settings.egress_proxy.reveal())
        loop = asyncio.get_running_loop()  # certificates are read from the disk
        proxy_tls = await loop.run_in_executor(None, _tls_of, proxy)
        return await open_tunnel(proxy, target, proxy_tls)
    return await _connect(target, None)


async def open_tunnel(
    proxy: URL, target: URL, proxy_tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.Transport]:
    """A connection to the proxy that leads on to the target."""
    try:
        reader, transport = await _connect(proxy, proxy_tls)
    except ssl.SSLError as error:
        raise EgressProxyFailed(
            "The TLS handshake with the egress proxy failed"
        ) from error
    except OSError as error:
        raise EgressProxyFailed("The egress proxy cannot be reached") from error
    try:
        if proxy.scheme == "socks5":
            await _open_socks(proxy, target, reader, transport)
        else:
            await _open_http(proxy, target, reader, transport)
    except (OSError, EOFError, asyncio.LimitOverrunError) as error:
        transport.abort()
        raise EgressProxyFailed("The egress proxy broke off") from error
    except BaseException:
        transport.abort()
        raise
    return reader, transport


async def _connect(
    target: URL, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.Transport]:
    reader = asyncio.StreamReader(MOST_REPLY_BYTES)
    transport, _ = await asyncio.get_running_loop().create_connection(
        lambda: asyncio.StreamReaderProtocol(reader),
        target.raw_host or "",
        target.port or 0,
        ssl=tls,
    )
    return reader, transport


def _tls_of(proxy: URL) -> ssl.SSLContext | None:
    return ssl.create_default_context() if proxy.scheme == "https" else None


async def _open_http(
    proxy: URL, target: URL, reader: asyncio.StreamReader, transport: asyncio.Transport
) -> None:
    """Ask an HTTP proxy for the tunnel. Raises EgressProxyFailed when it refuses."""
    host = f"[{target.raw_host}]" if ":" in (target.raw_host or "") else target.raw_host
    head = f"CONNECT {host}:{target.port} HTTP/1.1\r\nHost: {host}:{target.port}\r\n"
    if proxy.user is not None:
        named = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode())
        head += f"Proxy-Authorization: Basic {named.decode()}\r\n"
    transport.write(head.encode("ascii") + b"\r\n")
    answer = _STATUS.match(await reader.readuntil(b"\r\n\r\n"))
    if answer is None:
        raise EgressProxyFailed("The egress proxy does not speak HTTP")
    status = int(answer[1])
    if status == 407:
        raise EgressProxyFailed("The egress proxy refuses our credentials")
    if not 200 <= status < 300:
        raise EgressProxyFailed(f"The egress proxy refuses (status {status})")


async def _open_socks(
    proxy: URL, target: URL, reader: asyncio.StreamReader, transport: asyncio.Transport
) -> None:
    """Ask a SOCKS proxy for the tunnel. Raises EgressProxyFailed when it refuses."""
    methods = b"\0" if proxy.user is None else bytes((0, _BY_PASSWORD))
    transport.write(bytes((_VERSION, len(methods))) + methods)
    version, method = await reader.readexactly(2)
    if version != _VERSION:
        raise EgressProxyFailed("The egress proxy does not speak SOCKS 5")
    if method == _BY_PASSWORD and proxy.user is not None:
        user, password = _sized(proxy.user), _sized(proxy.password or "")
        transport.write(b"\1" + user + password)
        method = (await reader.readexactly(2))[1]
    if method != 0:
        raise EgressProxyFailed("The egress proxy refuses our credentials")
    port = (target.port or 0).to_bytes(2, "big")
    transport.write(bytes((_VERSION, 1, 0)) + _address(target.raw_host or "") + port)
    _, reply, _, kind = await reader.readexactly(4)
    if reply != 0:
        why = _SOCKS_REPLIES.get(reply, f"reply {reply}")
        raise EgressProxyFailed(f"The egress proxy does not reach upstream: {why}")
    size = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
    await reader.readexactly(size + 2)


def _sized(text: str) -> bytes:
    encoded = text.encode()
    return bytes((len(encoded),)) + encoded


def _address(host: str) -> bytes:
    """RFC 1928, section 5."""
    try:
        address = ip_address(host)
    except ValueError:
        return b"\3" + _sized(host)
    return (b"\1" if address.version == 4 else b"\4") + address.packed
