"""Base of all handlers: admits a request by its head, and writes errors in one form."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from gateway.admission.client_address import (
    AccessPolicy,
    client_address,
    client_network,
)
from gateway.admission.origins import cors_headers
from gateway.admission.refused_request import light_row
from gateway.app import Gateway
from gateway.errors import (
    GatewayError,
    HeadersTooLarge,
    InvalidPayload,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    forget_traceback,
)
from gateway.keys.key import Key
from gateway.protocol.headers import is_from_codex
from gateway.turns.client_request import ClientFacts
from handlers.wire.connections import ClientConnections
from handlers.wire.request_head import (
    accept_expectation,
    connection_number,
    header_lines,
    is_large_head,
    new_request_id,
    prevent_keep_alive,
    request_facts,
)
from handlers.wire.response_end import close_connection
from handlers.wire.response_head import begin_head
from schemas.surfaces import Surface

_ERROR_OF_STATUS: Mapping[int, type[GatewayError]] = {
    one.status: one
    for one in (InvalidPayload, NotFound, MethodNotAllowed, PayloadTooLarge)
}


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """What a route decides: the rules and error bodies of a surface, and who may enter.

    A route that is no client's API has error bodies like those of /v1.
    """

    surface: Surface = Surface.V1
    access: AccessPolicy = AccessPolicy.PROXY


RouteEntry = tuple[str, type[RequestHandler], RouteOptions]


class BaseHandler(RequestHandler):
    """Base of all handlers; their dependencies are given to `initialize`."""

    current_key: Key | None = None
    is_unlogged = False  # an operator's own mistakes
    request_id = ""  # until `initialize`: Tornado sets the first headers before

    def initialize(
        self, gateway: Gateway, options: RouteOptions, connections: ClientConnections
    ) -> None:
        connections.end_head_deadline(self.request)
        self.gateway = gateway
        self.surface = options.surface
        self.connections = connections
        self.request_id = new_request_id()
        self.head_lines = header_lines(self.request)
        self.facts = request_facts(self.request, self.head_lines, options.access)
        accept_expectation(self.request)

    def clear(self) -> None:
        begin_head(self)
        self.set_default_headers()

    def set_default_headers(self) -> None:
        if not self.request_id:
            return
        self.set_header("x-request-id", self.request_id)
        for name, value in cors_headers(self.facts, self.gateway.settings).items():
            self.set_header(name, value)

    def prepare(self) -> Awaitable[None] | None:
        """Decide from the head alone; the body is not read before that."""
        self.set_default_headers()
        if self.ends_connection:
            prevent_keep_alive(self.request)
        if is_large_head(self.request.uri or "", self.head_lines):
            raise HeadersTooLarge
        self.authenticate()
        self.check_head()
        return None

    def check_head(self) -> None:
        """Raises MethodNotAllowed, which Tornado would only after the body."""
        if self.request.method not in self.allowed_methods():
            raise MethodNotAllowed

    @classmethod
    def allowed_methods(cls) -> tuple[str, ...]:
        """The methods it serves: HEAD where GET is (RFC 9110, 9.1)."""
        return _methods_of(cls)  # type: ignore[arg-type]

    def head(self, *args: str, **kwargs: str) -> "Awaitable[None] | None":
        """The head of what GET answers; Tornado leaves the body out."""
        return self.get(*args, **kwargs)

    def authenticate(self) -> None:
        """Raises GatewayError unless the request may come in."""
        self.current_key = self.gateway.access.admit(self.facts, time.time())

    def note_refusal(self, error: GatewayError) -> None:
        """Leave a light row, unless a turn has left one, or nobody is to know."""
        if error.is_logged or self.is_unlogged:
            return
        gateway, key = self.gateway, self.current_key
        gateway.metrics.refuse(type(error).code)  # no word of upstream's
        if not gateway.access.is_visit(self.facts, time.time()):
            row = light_row(error, self.facts, gateway.settings, key)
            door = type(self).__name__.removesuffix("Handler")
            named = {"request_id": error.request_id or self.request_id, "door": door}
            gateway.store.refusals.note({**row, **named, "surface": self.surface.api})

    def client_facts(self) -> ClientFacts:
        headers = self.facts.headers
        return ClientFacts(
            request_id=self.request_id,
            address=client_address(self.facts, self.gateway.settings),
            headers=self.head_lines,
            user_agent=headers.get("user-agent", ""),
            client_request_id=headers.get("x-client-request-id")
            or headers.get("x-request-id"),
            sees_windows=not self.gateway.ring.ever_made,
            prefers_key=self.gateway.settings.v1_prefers_keys
            and not (self.surface.is_codex or is_from_codex(headers)),
            network=client_network(self.facts, self.gateway.settings),
            device_id=self.facts.device_id,
            connection=connection_number(self.request),
        )

    def flush(self, include_footers: bool = False) -> "asyncio.Future[None]":
        """A draining gateway ends connections, which proxies would keep."""
        is_leaving = self.gateway.is_draining and self.get_status() != 101
        if is_leaving or self.ends_connection:
            self.set_header("connection", "close")
        return super().flush(include_footers)

    def finish(
        self, chunk: str | bytes | dict[Any, Any] | None = None
    ) -> "asyncio.Future[None]":
        written = super().finish(chunk)
        if self.ends_connection:
            written.add_done_callback(lambda _: close_connection(self.request))
        return written

    @property
    def ends_connection(self) -> bool:
        """HTTP/1.0 has no chunks: only its connection's end can end a stream."""
        return self.request.version == "HTTP/1.0"

    def write_json(self, body: object, status: int = 200) -> None:
        self.set_status(status)
        self.set_header("content-type", "application/json")
        self.finish(orjson.dumps(body))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write any failure as an error body of the route's surface."""
        raised = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        error = _gateway_error(raised, status_code)
        if raised is not None:
            forget_traceback(raised)  # it was logged, if it is worth that
        self.note_refusal(error)
        for name, value in error.headers(codex=self.surface.is_codex).items():
            self.set_header(name, value)
        if isinstance(error, MethodNotAllowed):  # RFC 9110, 15.5.6
            self.set_header("allow", ", ".join(self.allowed_methods()))
        self.set_ratelimit_headers(None)
        self.write_error_body(error)

    def write_error_body(self, error: GatewayError) -> None:
        """End the response with the error, in the form of the route's surface."""
        body = error.envelope(codex=self.surface.is_codex)
        if isinstance(body.get("error"), dict):
            body["error"].setdefault("request_id", self.request_id)
        self.write_json(body, error.status)

    def set_ratelimit_headers(self, model: str | None) -> None:
        """Show what is left of the key's limits; Codex has events of its own for it."""
        key = self.current_key
        if key is None or self.surface.is_codex:
            return
        headers = self.gateway.limiter.ratelimit_headers(key, model, time.time())
        for name, value in headers.items():
            self.set_header(name, value)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log, with its traceback, what neither clients nor we are known to cause."""
        if not isinstance(value, GatewayError | HTTPError | StreamClosedError):
            super().log_exception(typ, value, tb)

    def compute_etag(self) -> None:
        """No hashing of bodies; what has an ETag sets it itself."""


def _gateway_error(raised: object, status: int) -> GatewayError:
    """The error that a client sees for an exception; internals are not shown."""
    if isinstance(raised, GatewayError):
        return raised
    return _ERROR_OF_STATUS.get(status, GatewayError)()


@cache
def _methods_of(handler: type[BaseHandler]) -> tuple[str, ...]:
    own = tuple(
        method
        for method in RequestHandler.SUPPORTED_METHODS
        if getattr(handler, method.lower()) is not getattr(BaseHandler, method.lower())
    )
    return (*own, "HEAD") if "GET" in own else own
