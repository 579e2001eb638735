"""Bases of handlers by what they do with a body: discard it, or read it."""

import asyncio
from collections.abc import Awaitable
from typing import Any, ClassVar

from tornado.escape import utf8
from tornado.web import stream_request_body

from gateway.admission.body_budget import sender_of
from gateway.admission.client_address import AccessPolicy, client_network
from gateway.admission.request_body import BodyReader
from gateway.app import Gateway
from gateway.errors import GatewayError, PayloadTooLarge, forget_traceback
from handlers.base import BaseHandler, RouteOptions
from handlers.wire.connections import ClientConnections
from handlers.wire.unwanted_body import (
    IncomingBody,
    forget_unread_body,
    shut_down_writing,
)

# Of a request that needs no key: what Codex sends is a tenth of it.
SIDE_BODY_BYTES = 64 * 1024


@stream_request_body
class BodilessHandler(BaseHandler):
    """Responds to the head alone: a body, if there is one, is discarded."""

    has_own_door: ClassVar[bool] = False  # it authenticates by something else
    _refusal: GatewayError | None = None
    _has_deadline = False  # for its body, or the rest of one that is refused
    _limit: int | None = None  # of the body, where there is one

    def initialize(
        self, gateway: Gateway, options: RouteOptions, connections: ClientConnections
    ) -> None:
        super().initialize(gateway, options, connections)
        self.is_side_call = (
            options.access is AccessPolicy.SIDE and not self.has_own_door
        )
        if self.is_side_call:
            self._limit = SIDE_BODY_BYTES
        self.incoming = IncomingBody(self.request)
        # Tornado answers a method it does not know before the body, and closes the
        # connection: a proxy that kept it would lose its next client's request.
        self.incoming.ends_connection = (
            self.request.method not in self.SUPPORTED_METHODS
        )

    def prepare(self) -> Awaitable[None] | None:
        lookup = self.lookup()
        return self._prepare() if lookup is None else self._prepare_after(lookup)

    def lookup(self) -> Awaitable[None] | None:
        """Of what another process may have issued: a device's token."""
        oauth = self.gateway.oauth
        if not oauth.access.is_unknown(self.facts):
            return None
        network = client_network(self.facts, self.gateway.settings)
        return oauth.learn(self.facts, network)

    async def _prepare_after(self, lookup: Awaitable[None]) -> None:
        await lookup
        ready = self._prepare()
        if ready is not None:
            await ready

    def _prepare(self) -> Awaitable[None] | None:
        try:
            super().prepare()
        except GatewayError as error:
            if not self.refuse(error):
                raise
            return None
        return self.expect_body()

    def expect_body(self) -> Awaitable[None] | None:
        """The head is accepted; the body is read when what this returns is done."""
        self.begin_body_deadline()
        return None

    def check_head(self) -> None:
        super().check_head()
        if self._limit is not None and self.incoming.remaining > self._limit:
            raise PayloadTooLarge

    def begin_body_deadline(self) -> None:
        """The body is read from now on."""
        if self.incoming.is_arriving:
            self._has_deadline = True
            self.connections.bodies.begin(self.incoming, is_side_call=self.is_side_call)

    def end_body_deadline(self) -> None:
        """The body has arrived, or does not matter any more."""
        if self._has_deadline:
            self._has_deadline = False
            self.connections.bodies.end(self.incoming)
            self.connections.refusals.end(self.incoming)

    def refuse(self, error: GatewayError) -> bool:
        """Whether the error is raised later, in place of the request's method."""
        self.end_body_deadline()
        forget_traceback(error)
        self._refusal = error
        is_later = self.incoming.should_be_awaited()
        if is_later:
            setattr(self, self._method_name, self._raise_refusal)
        if is_later and self.incoming.is_arriving:
            self._has_deadline = True
            self.connections.refusals.begin(self.incoming, self._send_refusal)
        return is_later

    def data_received(self, chunk: bytes) -> "asyncio.Future[None] | None":
        pause = self.incoming.count(len(chunk))
        if self._refusal is None:
            try:
                self.feed_body(chunk)
            except GatewayError as error:
                if not self.refuse(error):
                    self._send_refusal()
        return pause

    def feed_body(self, chunk: bytes) -> None:
        """Take one piece of a body that is not refused; here, discard it.

        What it raises refuses the body, and with it what is still to arrive.
        """
        if self._limit is not None and self.incoming.received > self._limit:
            raise PayloadTooLarge

    def finish(
        self, chunk: str | bytes | dict[Any, Any] | None = None
    ) -> "asyncio.Future[None]":
        if self.incoming.is_being_discarded:
            return self.flush()  # the response has been sent
        if not self.incoming.should_be_discarded:
            return super().finish(chunk)
        assert not isinstance(chunk, dict)
        body = utf8(chunk or b"")
        self.set_header("content-length", str(len(body)))
        self.write(body)
        seconds = self.connections.refused_body_seconds
        if self.incoming.was_awaited:
            seconds /= 2
        self.incoming.discard(seconds, self.finish)
        written = self.flush()
        written.add_done_callback(lambda _: shut_down_writing(self.request))
        return written

    @property
    def ends_connection(self) -> bool:
        return self.incoming.ends_connection or super().ends_connection

    def on_finish(self) -> None:
        self.end_body_deadline()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.end_body_deadline()
        self.incoming.cancel()
        # What it leaves are no cycles, for the collector that breaks them runs seldom.
        vars(self).pop(self._method_name, None)
        forget_unread_body(self.request)
        # As Tornado does when a response is finished.
        self.ui = None  # type: ignore[assignment]

    @property
    def _method_name(self) -> str:
        return (self.request.method or "").lower()

    def _raise_refusal(self, *args: str, **kwargs: str) -> None:
        assert self._refusal is not None
        self.end_body_deadline()
        del vars(self)[self._method_name]  # it holds the handler
        raise self._refusal

    def _send_refusal(self) -> None:
        """Refuse now: the rest is too large to be waited for, or does not come."""
        error = self._refusal
        assert error is not None
        self.incoming.ends_connection = True
        self.send_error(error.status, exc_info=(type(error), error, None))


class BodyHandler(BodilessHandler):
    """Reads the request's body, once its sender has been admitted."""

    max_body_bytes: ClassVar[int | None] = None  # None: as the settings say
    _body: BodyReader | None = None  # until its sender has been admitted

    def initialize(
        self, gateway: Gateway, options: RouteOptions, connections: ClientConnections
    ) -> None:
        super().initialize(gateway, options, connections)
        limits = (self._limit, self.max_body_bytes, gateway.settings.max_body_bytes)
        self._limit = min(limit for limit in limits if limit is not None)

    def check_head(self) -> None:
        super().check_head()
        assert self._limit is not None
        gateway = self.gateway
        budget = gateway.side_budget if self.is_side_call else gateway.body_budget
        network = client_network(self.facts, gateway.settings)
        sender = sender_of(self.current_key, network)
        self._body = BodyReader(budget, sender, self._limit)

    def feed_body(self, chunk: bytes) -> None:
        """Keep the piece."""
        assert self._body is not None
        try:
            self._body.feed(chunk)
        except GatewayError:
            self.release_body()
            raise

    async def read_body(self) -> bytes:
        """The decoded body."""
        self.end_body_deadline()
        assert self._body is not None
        encoding = self.request.headers.get("content-encoding", "")
        return await self._body.decoded(encoding)

    def release_body(self) -> None:
        """Give back what the body holds of the budget; it is not needed any more."""
        if self._body is not None:
            self._body.release()

    def on_finish(self) -> None:
        super().on_finish()
        self.release_body()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.release_body()
