"""Bases of handlers that stream: one for any stream, one for upstream's responses."""

import asyncio
from collections.abc import Awaitable
from typing import Any, ClassVar

from gateway.admission.body_budget import BudgetLease
from gateway.errors import GatewayError
from gateway.keys.key import Key
from gateway.turns.http import Reply
from gateway.upstream.endpoints import Endpoint
from handlers.bodies import BodyHandler
from handlers.wire.raw_stream import ClientStream
from handlers.wire.response_end import break_off, cancel_handler, has_begun


class StreamHandler(BodyHandler):
    """A response that may take longer than its client stays."""

    _client_gone = False
    _task: "asyncio.Task[Any] | None" = None

    def prepare(self) -> Awaitable[None] | None:
        self._task = asyncio.current_task()
        return super().prepare()

    def on_connection_close(self) -> None:
        """Cancel the handler: every `finally` below it runs, and no more."""
        super().on_connection_close()
        self._client_gone = True
        task, self._task = self._task, None  # which would hold the handler
        if task is not None:
            cancel_handler(task)

    def on_finish(self) -> None:
        super().on_finish()
        self._task = None

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """After the first byte, break the connection instead of an error response."""
        if self._client_gone or self.incoming.is_being_discarded:
            return
        if has_begun(self):
            break_off(self)
            return
        super().send_error(status_code, **kwargs)


class ReplyHandler(StreamHandler):
    """Writes what the gateway replies: as a stream, or folded into one document."""

    endpoint: ClassVar[Endpoint] = Endpoint.RESPONSES
    _arriving: Key | None = None  # whose body is on its way, where that counts

    def expect_body(self) -> Awaitable[None] | None:
        key = self.current_key
        if key is None or not (key.rpm or key.concurrency):
            return super().expect_body()
        return self._expect_body_of(key)

    async def _expect_body_of(self, key: Key) -> None:
        """Ask the key's rate and concurrency before its body is read."""
        try:
            await self.gateway.arrivals.enter(key)
        except GatewayError as error:
            if not self.refuse(error):
                raise
            return
        self._arriving = key
        self.begin_body_deadline()

    def end_body_deadline(self) -> None:
        super().end_body_deadline()
        if self._arriving is not None:
            self.gateway.arrivals.leave(self._arriving)
            self._arriving = None

    def start(self, reply: Reply, content_type: str | None = None) -> None:
        """Set the head of the response."""
        for name, value in reply.headers.items():
            self.set_header(name, value)
        self.set_ratelimit_headers(reply.model)
        if content_type is not None:
            self.set_header("content-type", content_type)

    def start_stream(
        self, reply: Reply, content_type: str | None = None
    ) -> ClientStream:
        """Set the head of a streamed response; what is returned writes its body."""
        self.start(reply, content_type)
        self.set_header("cache-control", "no-cache, no-transform")
        self.set_header("x-accel-buffering", "no")  # nginx would collect otherwise
        return ClientStream(self)

    async def stream(self, reply: Reply) -> None:
        """Pass upstream's bytes on as they arrive, as fast as the client reads."""
        client = self.start_stream(reply)
        await self.finish(await reply.send_to(client.write))

    async def send_whole(self, body: bytes, kept: BudgetLease) -> None:
        """Send a folded answer after its turn; it counts until the client has it."""
        try:
            await self.finish(body)
        finally:
            kept.release()
