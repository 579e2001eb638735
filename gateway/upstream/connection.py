"""One connection to upstream: a request goes out, its answer comes in, over and over.

The HTTP library resolves, connects, encrypts, and keeps what is idle. What is said on
the wire is said here: its requests and responses are made for many purposes, and cost
more than all that a relay does with them.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import (
    HttpProcessingError,
    HttpResponseParser,
    RawResponseMessage,
)

from gateway.protocol.http_framing import framing_of
from gateway.upstream.body import Body, BrokenAnswer
from gateway.upstream.fair_reading import FairReading, ReadingControl

# Semi-private, checked with aiohttp 3.14: what the connector's pool knows a connection
# by is its protocol, which the transport need not call for as long as it learns that
# the connection is lost.
assert issubclass(ResponseHandler, BaseProtocol)
# An answer with a longer head, interim ones included, is an attack or a defect.
HEAD_BYTES = 64 * 1024
# What of a request's body is handed to the transport at once.
PIECE_BYTES = 64 * 1024
# Most servers end lines with CR LF; the parser takes a bare LF as well.
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_VERSION = b"HTTP/"


class RawResponse(NamedTuple):
    """An answer whose head has come."""

    status: int
    headers: Mapping[str, str]  # do not mind the case
    body: Body


class Connection(asyncio.Protocol):
    """Made by `of`, once; asked again and again while upstream keeps it open."""

    def __init__(
        self, library: BaseProtocol, transport: asyncio.Transport, order: FairReading
    ) -> None:
        self._library = library  # what the pool knows it by
        self._transport = transport
        self._reading = ReadingControl(transport, order)
        self._lease: aiohttp.connector.Connection | None = None  # from ask to end
        self._answered: asyncio.Future[RawResponse] | None = None
        self._heads = bytearray()  # what has come before the body
        self._heads_end = 0  # where the interim ones in it end
        self._body: Body | None = None
        self._is_kept = False  # by upstream, after this answer
        self._sending: asyncio.Task[None] | None = None  # a large request
        self._room: asyncio.Future[None] | None = None  # when the transport has some

    @classmethod
    def of(
        cls, lease: aiohttp.connector.Connection, order: FairReading
    ) -> "Connection":
        """The connection behind what the library opened, or had kept.

        Raises BrokenAnswer when it was lost in the moment of opening it.
        """
        if lease.transport is None or lease.protocol is None:
            lease.close()
            raise BrokenAnswer("Connection lost before it was used")
        connection = lease.transport.get_protocol()
        if not isinstance(connection, Connection):
            connection = cls(lease.protocol, lease.transport, order)
            lease.transport.set_protocol(connection)
        connection._lease = lease
        return connection

    async def ask(self, head: bytes, body: bytes, until: float) -> RawResponse:
        """Send a request; the answer, whose body is to be read, or closed.

        Raises BrokenAnswer, and TimeoutError where no answer has come when the loop's
        clock says `until`. Who gives up waiting leaves a closed connection.
        """
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[RawResponse] = loop.create_future()
        self._answered = answered
        deadline = loop.call_at(until, _run_out, answered)
        if len(body) <= PIECE_BYTES:
            self._transport.write(head + body)
        else:
            self._sending = loop.create_task(self._send(head, body))
        is_answered = False
        try:
            answer = await answered
            is_answered = True
        finally:
            deadline.cancel()
            if not is_answered:
                self.close()
                if answered.done() and not answered.cancelled():
                    answered.exception()  # else the loop warns that nobody asked
        return answer

    async def _send(self, head: bytes, body: bytes) -> None:
        """Piece by piece: upstream may refuse it before it has all come."""
        self._transport.write(head)
        pieces = memoryview(body)
        for at in range(0, len(body), PIECE_BYTES):
            if self._room is not None:
                await self._room
            if self._transport.is_closing():
                return
            self._transport.write(pieces[at : at + PIECE_BYTES])

    def finish(self, *, has_surplus: bool) -> None:
        """The answer has come whole: keep the connection, where that can be."""
        is_sent = self._sending is None or self._sending.done()
        is_idle = is_sent and self._is_kept and not has_surplus
        if not is_idle or self._transport.is_closing():
            self.close()
            return
        self.resume()
        lease = self._let_go()
        if lease is not None:
            lease.release()

    def close(self) -> None:
        """End it, wherever it is."""
        if self._sending is not None and not self._sending.done():
            self._sending.cancel()
            self._transport.abort()  # its rest would have to be sent before
        lease = self._let_go()
        if lease is not None:
            lease.close()

    def _let_go(self) -> aiohttp.connector.Connection | None:
        """Forget the request and its answer."""
        lease, self._lease = self._lease, None
        self._answered = self._body = self._sending = None
        return lease

    def pause(self) -> None:
        self._reading.pause()

    def resume(self) -> None:
        self._reading.resume()

    def data_received(self, data: bytes) -> None:
        self._reading.count(len(data))
        if self._body is not None:
            self._body.feed(data)
        elif self._answered is None or self._answered.done():
            # Nobody asked: it would be taken for the answer to the next request.
            self._transport.abort()
        else:
            self._read_head(self._answered, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._library.connection_lost(exc)
        self.resume_writing()
        lost = BrokenAnswer(f"Connection lost: {exc}", is_clean=exc is None)
        if self._body is not None:
            self._body.lose(lost)
        elif self._answered is not None and not self._answered.done():
            self._answered.set_exception(lost)

    def pause_writing(self) -> None:
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    def _read_head(self, answered: "asyncio.Future[RawResponse]", data: bytes) -> None:
        """Look for the answer's head, behind any interim ones (RFC 9110, 15.2)."""
        heads = self._heads
        searched = max(self._heads_end, len(heads) - 3)
        heads += data
        try:
            while found := _HEAD_END.search(heads, searched):
                searched = found.end()
                if searched > HEAD_BYTES:
                    raise ValueError("The answer's head is too long")
                message = self._parsed(bytes(heads[self._heads_end : searched]))
                self._heads_end = searched
                if message.code >= 200 or message.code == 101:
                    break
            else:
                _check_begun(heads, self._heads_end)
                return
            body = Body(self, framing_of(message.code, message.headers))
        except (HttpProcessingError, ValueError) as error:
            answered.set_exception(BrokenAnswer(str(error)))
            return
        self._heads, self._heads_end = bytearray(), 0
        self._body = body
        self._is_kept = not (message.should_close or message.upgrade)
        answered.set_result(RawResponse(message.code, message.headers, body))
        body.feed(bytes(heads[searched:]))

    def _parsed(self, head: bytes) -> RawResponseMessage:
        """Raises HttpProcessingError for what HTTP does not allow."""
        parser = HttpResponseParser(
            self._library,
            asyncio.get_running_loop(),
            HEAD_BYTES,
            max_line_size=HEAD_BYTES,
            max_field_size=HEAD_BYTES,
            response_with_body=False,
        )
        [(message, _)] = parser.feed_data(head)[0]
        return message


def _check_begun(heads: bytearray, at: int) -> None:
    """Raises ValueError for what will be no head, or too long a one."""
    begun = len(heads) - at
    if len(heads) > HEAD_BYTES or not heads.startswith(_VERSION[:begun], at):
        raise ValueError("That is no head of an answer")


def _run_out(answered: "asyncio.Future[RawResponse]") -> None:
    if not answered.done():
        answered.set_exception(TimeoutError())
