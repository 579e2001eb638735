"""POST …/responses and …/responses/compact, on both surfaces."""

from typing import ClassVar

from gateway.failover.final_error import folded_error
from gateway.protocol.lenient_json import dump
from gateway.protocol.response_fold import ResponseFold
from gateway.turns.http import Reply
from gateway.upstream.endpoints import Endpoint
from handlers.api.loading import responses_request
from handlers.api.stream import ReplyHandler, feed_events

TOO_DEEP = {
    "code": "upstream_protocol_error",
    "message": "The upstream answer is nested too deeply",
}


class ResponsesHandler(ReplyHandler):
    """Streams to Codex always; on /v1 it folds the stream unless one is asked for."""

    compact: ClassVar[bool] = False

    async def post(self) -> None:
        request = responses_request(
            self.client_facts(),
            self.current_key,
            self.surface,
            await self.read_body(),
            rules=self.gateway.rules,
            compact=self.compact,
        )
        async with self.gateway.proxy.exchange(request) as reply:
            self.release_body()
            if self.compact or self.surface.is_codex or reply.wants_stream:
                await self.stream(reply)
            else:
                await self._fold(reply)

    async def _fold(self, reply: Reply) -> None:
        fold = ResponseFold()
        await feed_events(reply, fold.feed)
        response = fold.result()
        if response.get("status") == "failed":
            raise folded_error(response.get("error"))
        body = dump(response)
        if body is None:
            raise folded_error(TOO_DEEP)
        self.start(reply, "application/json")
        self.finish(body)


class CompactHandler(ResponsesHandler):
    """Passes on the JSON document with which upstream answers a compaction."""

    compact: ClassVar[bool] = True
    endpoint: ClassVar[Endpoint] = Endpoint.COMPACT
