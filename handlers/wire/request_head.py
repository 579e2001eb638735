"""What a request tells before any of it is read."""

import random

from tornado.httputil import HTTPServerRequest

from gateway.admission.client_address import AccessPolicy as Door
from gateway.admission.client_address import RequestFacts

# Codex sends about 2 kB; proxies add some.
MAX_HEAD_BYTES = 64 * 1024


Fields = list[tuple[str, str]]  # header lines, names in lower case


def new_request_id() -> str:
    """Tells requests apart, and is no secret.

    The system's own source of randomness takes a system call: 12 µs of a small turn.
    """
    return f"{random.getrandbits(128):032x}"


def fields_of(request: HTTPServerRequest) -> Fields:
    return [(name.lower(), value) for name, value in request.headers.get_all()]


def facts_of(request: HTTPServerRequest, fields: Fields, door: Door) -> RequestFacts:
    """What the head tells of who asks."""
    return RequestFacts(
        peer=peer_address(request),
        headers=dict(fields),
        policy=door,
        is_upgrade=is_upgrade(request),
    )


def is_large_head(uri: str, fields: Fields) -> bool:
    """Whether path and headers are more than a client gets served."""
    size = len(uri)
    for name, value in fields:
        size += len(name) + len(value)
    return size > MAX_HEAD_BYTES


def peer_address(request: HTTPServerRequest) -> str:
    """The socket's peer, never a header's word for it."""
    context = getattr(request.connection, "context", None)
    address = getattr(context, "address", None)
    if isinstance(address, tuple):
        return str(address[0])
    return ""


def ask_for_no_more(request: HTTPServerRequest) -> None:
    """Let the request end its connection: Tornado would promise to keep it."""
    if request.headers.get("Connection", "").lower() == "keep-alive":
        request.headers["Connection"] = "close"


def is_upgrade(request: HTTPServerRequest) -> bool:
    return request.headers.get("upgrade", "").lower() == "websocket"
