"""A stream of upstream's as the one document that a client gets who does not stream."""

import time
from collections.abc import Callable

import orjson

from gateway.failover.final_error import folded_error
from gateway.protocol.chat.completion import ChatFold
from gateway.protocol.lenient_json import dump
from gateway.protocol.response_fold import ResponseFold
from gateway.protocol.sse import events
from gateway.turns.http import Reply
from schemas.chat import ChatOptions

TOO_DEEP = {
    "code": "upstream_protocol_error",
    "message": "The upstream answer is nested too deeply",
}


async def folded_response(reply: Reply) -> bytes:
    """The response; raises what a failed one is answered with."""
    fold = ResponseFold(reply.whole.take)
    await _feed_events(reply, fold.feed)
    response = fold.result()
    if response.get("status") == "failed":
        raise folded_error(response.get("error"))
    body = dump(response)
    if body is None:
        raise folded_error(TOO_DEEP)
    return body


async def folded_chat(reply: Reply, options: ChatOptions) -> bytes:
    """The chat completion; raises what a failed one is answered with."""
    fold = ChatFold(
        reply.shown_model or "",
        int(time.time()),
        uses_functions=options.uses_functions,
        take=reply.whole.take,
    )
    await _feed_events(reply, fold.feed)
    completion = fold.result()
    if "error" in completion:
        raise folded_error(completion["error"])
    return orjson.dumps(completion)


async def _feed_events(reply: Reply, feed: Callable[[str, bytes], None]) -> None:
    """Feed the type and data of each event."""

    def feed_block(block: bytes) -> None:
        for event in events(block):
            feed(event.type, event.data)

    feed_block(await reply.send_to(feed_block))
