"""A body whose connection goes, with and without what was announced."""

import asyncio

import pytest

from gateway.protocol.http_framing import framing_of
from gateway.upstream.body import Body, BrokenAnswer
from gateway.upstream.connection import RawResponse
from gateway.upstream.http import UpstreamResponse

CHUNKED = {"transfer-encoding": "chunked"}
CLEANLY = BrokenAnswer("gone", is_clean=True)


class Source:
    """Where it comes from; notes how it was left."""

    left = None

    def pause(self):
        pass

    def resume(self):
        pass

    def close(self):
        self.left = "closed"

    def finish(self, *, has_surplus):
        self.left = "with more" if has_surplus else "whole"


def body_of(headers, came=b"", status=200):
    source = Source()
    body = Body(source, framing_of(status, headers))
    body.feed(came)
    return body, source


@pytest.mark.parametrize("headers", [{"content-length": "5"}, CHUNKED])
@pytest.mark.parametrize("is_clean", [False, True])
def test_what_was_announced_and_never_came_is_broken(headers, is_clean):
    body, source = body_of(headers)
    body.lose(BrokenAnswer("gone", is_clean=is_clean))
    with pytest.raises(BrokenAnswer):
        asyncio.run(body.read())
    assert source.left == "closed"


def test_without_a_length_only_a_clean_end_is_one():
    body, source = body_of({})
    body.lose(BrokenAnswer("reset"))
    with pytest.raises(BrokenAnswer):
        asyncio.run(body.read())
    assert source.left == "closed"


@pytest.mark.parametrize(
    ("headers", "status"), [({"content-length": "0"}, 200), ({}, 204)]
)
def test_what_has_no_body_is_whole(headers, status):
    body, source = body_of(headers, status=status)
    assert asyncio.run(body.read()) == b""
    assert body.error is None
    assert source.left == "whole"


@pytest.mark.parametrize(
    ("headers", "came", "left"),
    [
        ({"content-length": "5"}, b"hello", "whole"),
        ({"content-length": "5"}, b"hello again", "with more"),
        (CHUNKED, b"5\r\nhello\r\n0\r\n\r\n", "whole"),
        (CHUNKED, b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1", "with more"),
    ],
)
def test_what_came_whole_gives_its_connection_back(headers, came, left):
    body, source = body_of(headers, came)
    assert source.left == left
    assert asyncio.run(body.read()) == b"hello"
    assert asyncio.run(body.read()) == b""
    body.close()  # may serve another by now
    assert source.left == left


def test_what_ends_with_its_connection_is_whole():
    body, _ = body_of({}, b"hello")
    body.lose(CLEANLY)
    assert asyncio.run(body.read()) == b"hello"
    assert asyncio.run(body.read()) == b""


def test_what_is_closed_early_closes_its_connection():
    body, source = body_of(CHUNKED, b"5\r\nhello")
    body.close()
    assert source.left == "closed"


def test_an_answer_is_over_once_all_that_came_was_read():
    body, _ = body_of({"content-length": "5"}, b"12345")
    response = UpstreamResponse(RawResponse(200, {}, body))
    assert body.is_ended
    assert not response.is_over
    assert asyncio.run(body.read()) == b"12345"
    assert response.is_over
