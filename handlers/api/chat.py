"""POST /v1/chat/completions: a Responses exchange behind another vocabulary."""

import asyncio
import time

from tornado.web import stream_request_body

from gateway.protocol.chat import ChatFold, ChatStream
from gateway.protocol.sse import events
from gateway.turns.client_request import ClientRequest, Loaded
from gateway.turns.http import Reply
from gateway.upstream.endpoints import Endpoint
from handlers.api.loading import key_policy, refusing
from handlers.api.responses import ReplyHandler, raise_failure
from handlers.wire.raw_stream import ClientStream
from schemas.chat import ChatOptions
from schemas.request import load_chat_request

DONE = b"data: [DONE]\n\n"


@stream_request_body
class ChatCompletionsHandler(ReplyHandler):
    async def post(self) -> None:
        body = await self.read_body()
        policy = key_policy(self.current_key)
        options = ChatOptions(stream=False, include_usage=False)

        def load() -> Loaded:
            nonlocal options
            loaded, options = load_chat_request(body, policy=policy)
            return loaded

        request = ClientRequest(
            client=self.client_facts(),
            surface="chat",
            transport="http",
            route=Endpoint.RESPONSES,
            key=self.current_key,
            size=len(body),
            load=refusing(load),
        )
        async with self.gateway.proxy.exchange(request) as reply:
            self.body.release()
            if options.stream:
                await self._stream(reply, options)
            else:
                await self._fold(reply)

    async def _stream(self, reply: Reply, options: ChatOptions) -> None:
        self.start(reply)
        self.set_header("cache-control", "no-cache, no-transform")
        self.set_header("x-accel-buffering", "no")
        chat = ChatStream(
            model=reply.model or "",
            include_usage=options.include_usage,
            created=int(time.time()),
        )
        client = ClientStream(self)

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

        def feed(block: bytes) -> None:
            for event in events(block):
                fold.feed(event.type, event.data)

        feed(await reply.send_to(feed))
        completion = fold.result()
        if "error" in completion:
            raise_failure(completion["error"])
        self.start(reply, "application/json")
        self.write_json(completion)
