"""POST …/responses and …/responses/compact, on both surfaces."""

from typing import NoReturn

from tornado.web import stream_request_body

from gateway.errors import NoAccounts, PreviousResponseNotFound, UpstreamAnswer
from gateway.protocol.lenient_json import dump, text
from gateway.protocol.response_fold import ResponseFold
from gateway.protocol.sse import events
from gateway.turns.http import Reply
from gateway.upstream.endpoints import Endpoint
from handlers.api.loading import responses_request
from handlers.api.stream import StreamHandler
from handlers.wire.raw_stream import ClientStream
from schemas.surfaces import Surface

# Failures that keep a status of their own when a stream is folded into one answer.
FOLDED_STATUS = {e.code: e.status for e in (PreviousResponseNotFound, NoAccounts)}
TOO_DEEP = {
    "code": "upstream_protocol_error",
    "message": "The upstream answer is nested too deeply",
}


class ReplyHandler(StreamHandler):
    """Writes what the gateway replies."""

    def start(self, reply: Reply, content_type: str | None = None) -> None:
        for name, value in reply.headers.items():
            self.set_header(name, value)
        self.set_ratelimit_headers(reply.model)
        if content_type is not None:
            self.set_header("content-type", content_type)

    async def stream(self, reply: Reply) -> None:
        """Upstream's bytes as they come, as fast as the client takes them."""
        self.start(reply)
        self.set_header("cache-control", "no-cache, no-transform")
        self.set_header("x-accel-buffering", "no")  # nginx would collect otherwise
        await self.finish(await reply.send_to(ClientStream(self).write))


@stream_request_body
class ResponsesHandler(ReplyHandler):
    """Codex always gets a stream; the public surface one JSON unless it asks."""

    async def post(self) -> None:
        surface = Surface.CODEX if self.surface.is_codex else Surface.V1
        request = responses_request(
            self.client_facts(), self.current_key, surface, await self.read_body()
        )
        async with self.gateway.proxy.exchange(request) as reply:
            self.body.release()
            if self.surface.is_codex or reply.wants_stream:
                await self.stream(reply)
            else:
                await self._fold(reply)

    async def _fold(self, reply: Reply) -> None:
        fold = ResponseFold()

        def feed(block: bytes) -> None:
            for event in events(block):
                fold.feed(event.type, event.data)

        feed(await reply.send_to(feed))
        response = fold.result()
        if response.get("status") == "failed":
            raise_failure(response.get("error"))
        body = dump(response)
        if body is None:
            raise_failure(TOO_DEEP)
        self.start(reply, "application/json")
        self.finish(body)


@stream_request_body
class CompactHandler(ReplyHandler):
    """A compaction: JSON through, as upstream gives it."""

    async def post(self) -> None:
        surface = Surface.CODEX if self.surface.is_codex else Surface.V1
        request = responses_request(
            self.client_facts(),
            self.current_key,
            surface,
            await self.read_body(),
            compact=True,
        )
        assert request.route is Endpoint.COMPACT
        async with self.gateway.proxy.exchange(request) as reply:
            self.body.release()
            await self.stream(reply)


def raise_failure(error: object) -> NoReturn:
    """A failure event becomes an HTTP error when nothing was sent yet."""
    told = error if isinstance(error, dict) else {}
    code = told.get("code")
    code = str(code) if isinstance(code, str | int) and code else "upstream_error"
    message = text(told.get("message")) or "The upstream service failed"
    if dump(told) is None:
        told = {}  # it cannot be said again
    shown = {"type": "server_error", **told, "code": code, "message": message}
    raise UpstreamAnswer(FOLDED_STATUS.get(code, 502), message, {"error": shown})
