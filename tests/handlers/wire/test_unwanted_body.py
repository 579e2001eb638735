"""A refused body that is still being sent is read for a while, and only so much."""

import asyncio

import pytest
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPServerRequest,
    RequestStartLine,
)

from handlers.wire.unwanted_body import MAX_DISCARDED_BYTES, IncomingBody

KIB = 1024


def incoming(**headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    headers = HTTPHeaders({"host": "localhost", **named})
    return IncomingBody(
        HTTPServerRequest(
            start_line=RequestStartLine("POST", "/", "HTTP/1.1"),
            headers=headers,
            connection=HTTPConnection(),
        )
    )


@pytest.mark.parametrize(
    ("headers", "is_awaited"),
    [
        ({"content_length": str(256 * KIB)}, True),
        ({"content_length": str(256 * KIB + 1)}, False),
        ({"content_length": "10", "expect": "100-continue"}, False),
        ({"transfer_encoding": "chunked"}, False),
    ],
)
def test_the_rest_of_a_small_body_is_waited_for(headers, is_awaited):
    body = incoming(**headers)
    assert body.should_be_awaited() is is_awaited
    assert body.ends_connection is not is_awaited


def test_so_much_is_thrown_away_and_no_more_is_read():
    async def run():
        assert MAX_DISCARDED_BYTES == 256 * KIB
        ended = asyncio.Event()
        body = incoming(content_length=str(10**9))
        assert body.count(600 * KIB) is None  # before it was refused
        assert not body.should_be_awaited()
        body.discard(60, ended.set)
        assert body.count(200 * KIB) is None
        pause = body.count(56 * KIB)
        assert pause is not None
        assert not ended.is_set()
        body.cancel()  # the client has hung up
        await pause

    asyncio.run(run())


@pytest.mark.parametrize("seconds", [60, 0.001])
def test_it_ends_with_the_rest_or_with_the_time(seconds):
    async def run():
        ended = asyncio.Event()
        body = incoming(content_length=str(300 * KIB))
        assert not body.should_be_awaited()
        body.discard(seconds, ended.set)
        if seconds > 1:
            body.count(250 * KIB)
            assert not ended.is_set()
            body.count(50 * KIB)
        await asyncio.wait_for(ended.wait(), 5)
        assert not body.is_arriving

    asyncio.run(run())
