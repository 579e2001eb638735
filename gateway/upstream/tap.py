"""Upstream's bytes handed on the moment they are read, without a task in between.

Waking a task for every read costs more than relaying its bytes. A tap takes the
place of the HTTP library's protocol on its transport: the library still parses
what arrives, and what it parsed is taken at once and given to a sink.
"""

import asyncio
from collections.abc import Callable

import aiohttp

from gateway.upstream import UpstreamFault

# Takes what one read gave. A future: it has enough until that is done.
Sink = Callable[[bytes], "asyncio.Future[None] | None"]


class Tap(asyncio.Protocol):
    """Feeds one answer's body to a sink; `ended` is done when there is no more.

    Back-pressure is the library's own: while the sink has enough, its buffer fills
    up to the high-water mark, and it stops reading from the transport.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        sink: Sink,
        translate: Callable[[Exception], UpstreamFault],
    ) -> None:
        """`translate` makes a fault of what the library raises.

        What the sink raises (UpstreamFault, OSError, ValueError) ends the tap.
        """
        self._content = response.content
        self._sink = sink
        self._translate = translate
        self.is_full = False  # the sink has enough for now
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._response = response
        self._transport: asyncio.BaseTransport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin, with what has arrived already."""
        connection = self._response.connection
        # None: the body has come whole, and its connection has been given back.
        if connection is not None and connection.transport is not None:
            inner = connection.transport.get_protocol()
            assert isinstance(inner, asyncio.Protocol)
            self._transport, self._inner = connection.transport, inner
            self._transport.set_protocol(self)
        self._deliver()

    def end_within(self, seconds: float) -> None:
        """End in so many seconds, if the body does not before."""
        if self._deadline is None and not self.ended.done():
            loop = self.ended.get_loop()
            self._deadline = loop.call_later(seconds, self._end, None)

    def remove(self) -> None:
        """Give the transport back to the library; idempotent."""
        transport, self._transport = self._transport, None
        if transport is not None and transport.get_protocol() is self:
            transport.set_protocol(self._inner)
        if self._deadline is not None:
            self._deadline.cancel()
        self._sink = _nowhere  # what closes over this tap, as sinks do, goes with it
        if not self.ended.done():
            self.ended.cancel()
        elif not self.ended.cancelled():
            self.ended.exception()  # who was cancelled will not ask for it

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)
        if not self.is_full:
            self._deliver()

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)
        if not self.is_full:
            self._deliver()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def _deliver(self) -> None:
        """Give the sink what has been parsed, and notice the end."""
        content = self._content
        while not self.ended.done():
            try:
                # Taking may set the library's parser to work again on what it had
                # put aside: there is more then, of which no read will tell.
                chunk = content.read_nowait()
            except (aiohttp.ClientError, OSError) as error:
                self._end(self._translate(error))
                return
            if not chunk:
                break
            try:
                waiting = self._sink(chunk)
            except (UpstreamFault, OSError, ValueError) as error:
                self._end(error)
                return
            if waiting is not None:
                self.is_full = True
                waiting.add_done_callback(self._resume)
                return
        if content.at_eof():
            self._end(None)

    def _resume(self, waited: "asyncio.Future[None]") -> None:
        self.is_full = False
        if waited.cancelled() or waited.exception() is not None:
            return  # the client left; its handler ends the exchange
        self._deliver()

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
        self.remove()


def _nowhere(chunk: bytes) -> None:
    """The sink of a tap that was removed."""
