"""Bases of all handlers: who may come in, error bodies, unwanted bodies."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson
from tornado.escape import utf8
from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from gateway.admission.client_address import AccessPolicy as Door
from gateway.admission.client_address import client_address
from gateway.admission.request_body import BodyReader
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
from gateway.turns.client_request import ClientFacts
from handlers.wire.deadlines import Deadlines
from handlers.wire.request_head import (
    ask_for_no_more,
    facts_of,
    fields_of,
    is_large_head,
    new_request_id,
)
from handlers.wire.unwanted_body import RestOfBody, say_no_more


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """What a route's prefix decides: the envelope of errors, and who may enter."""

    name: str  # codex, v1, admin or plain
    door: Door = Door.PROXY

    @property
    def is_codex(self) -> bool:
        return self.name == "codex"


class BaseHandler(RequestHandler):
    """Base of all handlers; `gateway` is the one injected dependency."""

    gateway: Gateway
    surface: RouteOptions
    current_key: Key | None = None

    def initialize(self, gateway: Gateway, surface: RouteOptions) -> None:
        self.settings["head_deadlines"].end(self.request.server_connection)
        self.gateway = gateway
        self.surface = surface
        self.request_id = new_request_id()
        self.head_lines = fields_of(self.request)
        self.facts = facts_of(self.request, self.head_lines, surface.door)

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.clear_header("Content-Type")
        if hasattr(self, "request_id"):  # not yet when the handler is made
            self.set_header("x-request-id", self.request_id)

    def prepare(self) -> None:
        """Decide from the headers alone; the body is not read before that."""
        self.set_header("x-request-id", self.request_id)
        if self.ends_connection:
            ask_for_no_more(self.request)
        if is_large_head(self.request.uri or "", self.head_lines):
            raise HeadersTooLarge
        self.authenticate()
        self.check_head()

    def check_head(self) -> None:
        """Raises MethodNotAllowed, which Tornado would only after the body."""
        name = (self.request.method or "").lower()
        if getattr(type(self), name) is getattr(RequestHandler, name):
            raise MethodNotAllowed

    def authenticate(self) -> None:
        """Raises GatewayError unless the request may come in."""
        try:
            self.current_key = self.gateway.access.admit(self.facts, time.time())
        except GatewayError as error:
            self.gateway.metrics.refuse(error.code)
            raise

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
        )

    def flush(self, include_footers: bool = False) -> "asyncio.Future[None]":
        """Who leaves asks to be left: a proxy keeps its connections."""
        is_leaving = self.gateway.is_draining and self.get_status() != 101
        if is_leaving or self.ends_connection:
            self.set_header("connection", "close")
        return super().flush(include_footers)

    def finish(
        self, chunk: str | bytes | dict[Any, Any] | None = None
    ) -> "asyncio.Future[None]":
        written = super().finish(chunk)
        connection = self.request.connection
        if self.ends_connection and isinstance(connection, HTTP1Connection):
            written.add_done_callback(lambda _: connection.close())
        return written

    @property
    def ends_connection(self) -> bool:
        """HTTP/1.0 knows no chunks: a stream ends with its connection, or never."""
        return self.request.version == "HTTP/1.0"

    def write_json(self, body: object, status: int = 200) -> None:
        self.set_status(status)
        self.set_header("content-type", "application/json")
        self.finish(orjson.dumps(body))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every failure leaves in its surface's envelope."""
        raised = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        error = as_gateway_error(raised, status_code)
        if raised is not None:
            forget_traceback(raised)  # it was logged, if it is worth that
        for name, value in error.headers(codex=self.surface.is_codex).items():
            self.set_header(name, value)
        self.set_ratelimit_headers(None)
        body = error.envelope(codex=self.surface.is_codex)
        if not isinstance(body.get("error"), dict):
            self.write_json(body, error.status)
            return
        body["error"].setdefault("request_id", self.request_id)
        self.write_json(body, error.status)

    def set_ratelimit_headers(self, model: str | None) -> None:
        """Tell an SDK client how its key stands; Codex has events of its own."""
        key = self.current_key
        if key is None or self.surface.is_codex:
            return
        headers = self.gateway.limiter.ratelimit_headers(key, model, time.time())
        for name, value in headers.items():
            self.set_header(name, value)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """A line, with its traceback, for what nobody expects of a client or us."""
        if not isinstance(value, GatewayError | HTTPError | StreamClosedError):
            super().log_exception(typ, value, tb)

    def compute_etag(self) -> None:
        """No hashing of bodies; what has an ETag sets it itself."""


@stream_request_body
class BodilessHandler(BaseHandler):
    """Answers from the head alone: a body, if there is one, is dropped."""

    _refusal: GatewayError | None = None

    def initialize(self, gateway: Gateway, surface: RouteOptions) -> None:
        super().initialize(gateway, surface)
        self.rest = RestOfBody(self.request)
        self._deadlines: Deadlines = self.settings["body_deadlines"]
        # Tornado answers a method it does not know before the body, and hangs up. A
        # proxy has to hear of it: its next client's request would find nobody.
        self.rest.hangs_up = self.request.method not in self.SUPPORTED_METHODS

    def prepare(self) -> None:
        if self.rest.is_coming:
            self._deadlines.begin(self.rest, self.rest.give_up)
        try:
            super().prepare()
        except GatewayError as error:
            if not self.refuse(error):
                raise

    def stop_waiting(self) -> None:
        """The body has come, or does not matter any more."""
        self._deadlines.end(self.rest)

    def refuse(self, error: GatewayError) -> bool:
        """Whether the error is raised later, in place of the request's method."""
        self._refusal = error
        setattr(self, (self.request.method or "").lower(), self._raise_refusal)
        return self.rest.is_worth_waiting()

    def data_received(self, chunk: bytes) -> None:
        self.rest.count(len(chunk))
        if self._refusal is None:
            self.take(chunk)

    def take(self, chunk: bytes) -> None:
        """One piece of the body; nobody wants it here."""

    def finish(
        self, chunk: str | bytes | dict[Any, Any] | None = None
    ) -> "asyncio.Future[None]":
        if self.rest.is_being_dropped:
            return self.flush()  # the answer has left
        if not self.rest.is_to_be_dropped:
            return super().finish(chunk)
        assert not isinstance(chunk, dict)
        body = utf8(chunk or b"")
        self.set_header("content-length", str(len(body)))
        self.write(body)
        self.rest.drop(self.finish)
        written = self.flush()
        written.add_done_callback(lambda _: say_no_more(self.request.connection))
        return written

    @property
    def ends_connection(self) -> bool:
        return self.rest.hangs_up or super().ends_connection

    def on_finish(self) -> None:
        self.stop_waiting()

    def on_connection_close(self) -> None:
        self.stop_waiting()
        self.rest.cancel()

    def _raise_refusal(self, *args: str, **kwargs: str) -> None:
        assert self._refusal is not None
        raise self._refusal


class BodyHandler(BodilessHandler):
    """A request with a body, read only after its sender was let in.

    Subclasses carry the `stream_request_body` decorator.
    """

    max_body_bytes: ClassVar[int | None] = None  # None: as the settings say

    def initialize(self, gateway: Gateway, surface: RouteOptions) -> None:
        super().initialize(gateway, surface)
        limit = self.max_body_bytes or gateway.settings.max_body_bytes
        self._limit = limit
        self.body = BodyReader(gateway.body_budget, limit)

    def check_head(self) -> None:
        super().check_head()
        if self.rest.to_come > self._limit:
            raise PayloadTooLarge

    def take(self, chunk: bytes) -> None:
        """Keep the piece, or refuse the body: its rest is not wanted any more."""
        try:
            self.body.feed(chunk)
        except GatewayError as error:
            self.body.release()
            if not self.refuse(error):
                self.send_error(error.status, exc_info=(type(error), error, None))

    async def read_body(self) -> bytes:
        """The decoded body."""
        self.stop_waiting()
        return await self.body.decoded(self.request.headers.get("content-encoding", ""))

    def on_finish(self) -> None:
        super().on_finish()
        self.body.release()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.body.release()


def as_gateway_error(raised: object, status: int) -> GatewayError:
    """What a client is told of an exception; internals stay inside."""
    if isinstance(raised, GatewayError):
        return raised
    known: Mapping[int, type[GatewayError]] = {
        400: InvalidPayload,
        404: NotFound,
        405: MethodNotAllowed,
        413: PayloadTooLarge,
    }
    return known.get(status, GatewayError)()
