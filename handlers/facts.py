"""What a request tells before any of it is read."""

from tornado.httputil import HTTPServerRequest

# Codex sends about 2 kB; proxies add some.
MAX_HEAD_BYTES = 64 * 1024


Fields = list[tuple[str, str]]  # header lines, names in lower case


def fields_of(request: HTTPServerRequest) -> Fields:
    return [(name.lower(), value) for name, value in request.headers.get_all()]


def is_large_head(uri: str, fields: Fields) -> bool:
    """Whether path and headers are more than a client gets served."""
    sizes = [len(name) + len(value) for name, value in fields]
    return sum(sizes, len(uri)) > MAX_HEAD_BYTES


def peer_address(request: HTTPServerRequest) -> str:
    """The socket's peer, never a header's word for it."""
    context = getattr(request.connection, "context", None)
    address = getattr(context, "address", None)
    if isinstance(address, tuple):
        return str(address[0])
    return ""


def is_upgrade(request: HTTPServerRequest) -> bool:
    return request.headers.get("upgrade", "").lower() == "websocket"
