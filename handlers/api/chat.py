"""POST /v1/chat/completions: a Responses exchange in the vocabulary of chat."""

import asyncio
import time

from gateway.protocol.chat.completion import ChatFold, ChatStream
from gateway.protocol.sse import events
from gateway.turns.client_request import Loaded
from gateway.turns.failover import folded_error
from gateway.turns.http import Reply
from gateway.upstream.endpoints import Endpoint
from handlers.api.loading import client_request, key_policy
from handlers.api.stream import ReplyHandler, feed_events
from schemas.chat import ChatOptions
from schemas.request import load_chat_request


class ChatCompletionsHandler(ReplyHandler):
    async def post(self) -> None:
        body = await self.read_body()
        key = self.current_key
        options = ChatOptions(stream=False, include_usage=False)

        def load() -> Loaded:
            nonlocal options
            loaded, options = load_chat_request(body, policy=key_policy(key))
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
            self.body.release()
            if options.stream:
                await self._stream(reply, options)
            else:
                await self._fold(reply)

    async def _stream(self, reply: Reply, options: ChatOptions) -> None:
        client = self.start_stream(reply)
        chat = ChatStream(
            model=reply.model or "",
            include_usage=options.include_usage,
            created=int(time.time()),
        )

        def chunks_of(block: bytes) -> bytes:
            return b"".join(
                chat.feed(event.type, event.data) if event.data else event.raw
                for event in events(block)
            )

        def write(block: bytes) -> "asyncio.Future[None] | None":
            chunks = chunks_of(block)
            return client.write(chunks) if chunks else None

        await self.finish(chunks_of(await reply.send_to(write)))

    async def _fold(self, reply: Reply) -> None:
        fold = ChatFold(model=reply.model or "", created=int(time.time()))
        await feed_events(reply, fold.feed)
        completion = fold.result()
        if "error" in completion:
            raise folded_error(completion["error"])
        self.start(reply, "application/json")
        self.write_json(completion)
