"""POST …/responses and …/responses/compact, on both surfaces."""

from typing import ClassVar

from gateway.upstream.endpoints import Endpoint
from handlers.api.folding import folded_response
from handlers.api.loading import responses_request
from handlers.api.stream import ReplyHandler


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
                return await self.stream(reply)
            body = await folded_response(reply)
            kept = reply.whole.keep(len(body))
            self.start(reply, "application/json")
        await self.send_whole(body, kept)


class CompactHandler(ResponsesHandler):
    """Passes on the JSON document with which upstream answers a compaction."""

    compact: ClassVar[bool] = True
    endpoint: ClassVar[Endpoint] = Endpoint.COMPACT
