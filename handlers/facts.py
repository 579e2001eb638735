"""What a request tells before any of it is read."""

from tornado.httputil import HTTPServerRequest


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
