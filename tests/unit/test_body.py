"""A body whose connection is gone before anybody looks at it."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.upstream.body import Body, BrokenBody

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


@dataclass
class Answer:
    """What the library gives for an answer whose head has come."""

    headers: dict
    status: int = 200
    connection: Any = None  # None: gone


class Connection(asyncio.Transport):
    """One that was closed behind the answer, with all that came before."""

    def __init__(self, came):
        super().__init__()
        self.transport = self
        self._body = Body(asyncio.Protocol(), self)
        self._body.data_received(HEAD + came)
        self._body.connection_lost(None)

    def get_protocol(self):
        return self._body

    def is_closing(self):
        return True


CHUNKED = {"transfer-encoding": "chunked"}


@pytest.mark.parametrize("headers", [{"content-length": "5"}, CHUNKED, {}])
def test_what_was_announced_and_never_came_is_broken(headers):
    body = Body.of(Answer(headers))
    with pytest.raises(BrokenBody):
        asyncio.run(body.read())


@pytest.mark.parametrize(
    "answer", [Answer({"content-length": "0"}), Answer({}, 204)], ids=["length", "204"]
)
def test_what_has_no_body_is_whole(answer):
    body = Body.of(answer)
    assert asyncio.run(body.read()) == b""
    assert body.error is None


@pytest.mark.parametrize(
    ("headers", "came"),
    [
        ({"content-length": "5"}, b"hello"),
        (CHUNKED, b"5\r\nhello\r\n0\r\n\r\n"),
        ({}, b"hello"),
    ],
)
def test_what_came_whole_is_whole_though_its_connection_is_gone(headers, came):
    body = Body.of(Answer(headers, connection=Connection(came)))
    assert asyncio.run(body.read()) == b"hello"
    assert asyncio.run(body.read()) == b""
    assert body.error is None
