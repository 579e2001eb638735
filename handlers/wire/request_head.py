"""Request head: what is known of a request before its body is read.

Relies on what Tornado does not document, seen in 4.5, 6.1 and 6.6:
`HTTP1Connection.context.address` is the socket's peer, and the request's own headers
decide whether an HTTP/1.0 connection is kept, and whether "100 Continue" is sent.
"""

import random

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerRequest

from gateway.admission.client_address import AccessPolicy, RequestFacts
from handlers.wire.arriving_heads import NUMBERS, CountedStream

assert {"context"} <= set(HTTP1Connection.__init__.__code__.co_names)
assert {"_request_headers"} <= set(HTTP1Connection.write_headers.__code__.co_names)

# Codex sends about 2 kB; proxies add some.
MAX_HEAD_BYTES = 64 * 1024

_PROXY_HEADERS = ("x-forwarded-for", "forwarded", "x-real-ip", "via")

HeaderLines = list[tuple[str, str]]  # names in lower case


def new_request_id() -> str:
    """A unique id, which is no secret.

    The system's own source of randomness takes a system call: 12 µs of a small turn.
    """
    return f"{random.getrandbits(128):032x}"


def header_lines(request: HTTPServerRequest) -> HeaderLines:
    return [(name.lower(), value) for name, value in request.headers.get_all()]


def request_facts(
    request: HTTPServerRequest, lines: HeaderLines, access: AccessPolicy
) -> RequestFacts:
    """What deciding about access needs."""
    return RequestFacts(
        peer=peer_address(request),
        headers=dict(lines),
        policy=access,
        is_upgrade=is_upgrade(request),
        path=request.path,
    )


def is_large_head(uri: str, lines: HeaderLines) -> bool:
    """Whether path and headers are larger than the gateway serves."""
    size = len(uri)
    for name, value in lines:
        size += len(name) + len(value)
    return size > MAX_HEAD_BYTES


def peer_address(request: HTTPServerRequest) -> str:
    """The socket's peer, whatever headers say; "" for a Unix socket."""
    context = getattr(request.connection, "context", None)
    address = getattr(context, "address", None)
    return str(address[0]) if isinstance(address, tuple) else ""


def connection_number(request: HTTPServerRequest) -> int:
    """The same for all requests of a client's connection, and never another's.

    A proxy's carries those of many: each of them counts as a connection's first.
    """
    stream = getattr(request.connection, "stream", None)
    is_own = not any(name in request.headers for name in _PROXY_HEADERS)
    return (
        stream.number if is_own and isinstance(stream, CountedStream) else next(NUMBERS)
    )


def own_url(request: HTTPServerRequest) -> str:
    """Where its socket was reached, whatever headers say; "" for a Unix socket."""
    stream = getattr(request.connection, "stream", None)
    address = stream.socket.getsockname() if stream is not None else ""
    if not isinstance(address, tuple):
        return ""
    host, port = address[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def prevent_keep_alive(request: HTTPServerRequest) -> None:
    """Have Tornado end the connection of an HTTP/1.0 request that asks to keep it."""
    if request.headers.get("Connection", "").lower() == "keep-alive":
        request.headers["Connection"] = "close"


def accept_expectation(request: HTTPServerRequest) -> None:
    """Have Tornado answer "100 Continue" in any case (RFC 9110, 10.1.1)."""
    headers = request.headers
    if "Expect" in headers and headers["Expect"].strip().lower() == "100-continue":
        headers["Expect"] = "100-continue"


def is_upgrade(request: HTTPServerRequest) -> bool:
    headers = request.headers
    return "Upgrade" in headers and headers["Upgrade"].lower() == "websocket"
