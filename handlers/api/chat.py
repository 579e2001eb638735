"""POST /v1/chat/completions: a Responses exchange in the vocabulary of chat."""

import asyncio
import time

from gateway.protocol.chat.completion import ChatStream
from gateway.protocol.sse import Event, events
from gateway.turns.client_request import Loaded
from gateway.turns.http import Reply
from gateway.upstream.endpoints import Endpoint
from handlers.api.folding import folded_chat
from handlers.api.key_rules import key_policy
from handlers.api.loading import client_request
from handlers.api.stream import ReplyHandler
from schemas.chat import ChatOptions
from schemas.request import load_chat_request

# A chat stream is the gateway's own: of what upstream sends without data only the sign
# of life stays. Clients take an empty event for broken JSON.
_KEEPALIVE = b": keepalive\n\n"


class ChatCompletionsHandler(ReplyHandler):
    async def post(self) -> None:
        body = await self.read_body()
        key, rules = self.current_key, self.gateway.rules
        options = ChatOptions(stream=False, include_usage=False)

        def load() -> Loaded:
            nonlocal options
            loaded, options = load_chat_request(body, policy=key_policy(key, rules))
            return loaded

        request = client_request(
            self.client_facts(),
            key,
            self.surface,
            Endpoint.RESPONSES,
            len(body),
            load,
        )
        async with self.gateway.proxy.exchange(request) as reply:
            self.release_body()
            if options.stream:
                return await self._stream(reply, options)
            body = await folded_chat(reply, options)
            kept = reply.whole.keep(len(body))
            self.start(reply, "application/json")
        await self.send_whole(body, kept)

    async def _stream(self, reply: Reply, options: ChatOptions) -> None:
        client = self.start_stream(reply, "text/event-stream")
        chat = ChatStream(
            reply.shown_model or "",
            int(time.time()),
            include_usage=options.include_usage,
            uses_functions=options.uses_functions,
        )

        def chunk_of(event: Event) -> bytes:
            if event.data:
                return chat.feed(event.type, event.data)
            return _KEEPALIVE if event.raw.startswith(b":") else b""

        def chunks_of(block: bytes) -> bytes:
            return b"".join(map(chunk_of, events(block)))

        def write(block: bytes) -> "asyncio.Future[None] | None":
            chunks = chunks_of(block)
            return client.write(chunks) if chunks else None

        await self.finish(chunks_of(await reply.send_to(write)))
