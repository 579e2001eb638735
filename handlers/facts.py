"""What a request tells before any of it is read."""

from tornado.httputil import HTTPServerRequest

# Codex sends about 2 kB; proxies add some.
MAX_HEAD_BYTES = 64 * 1024


def has_large_head(request: HTTPServerRequest) -> bool:
    """Whether path and headers are more than a client gets served."""
    sizes = [len(name) + len(value) for name, value in request.headers.get_all()]
    return sum(sizes, len(request.uri or "")) > MAX_HEAD_BYTES


def lower_headers(request: HTTPServerRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.get_all()}


def peer_address(request: HTTPServerRequest) -> str:
    """The socket's peer, never a header's word for it."""
    context = getattr(request.connection, "context", None)
    address = getattr(context, "address", None)
    if isinstance(address, tuple):
        return str(address[0])
    return ""


def is_upgrade(request: HTTPServerRequest) -> bool:
    return request.headers.get("upgrade", "").lower() == "websocket"
