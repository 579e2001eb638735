"""An answer's body, handed on the moment it is read.

The HTTP library parses heads well and gives bodies out chunk by chunk, to a task
that has to be woken; both cost more than relaying the bytes. So a `Body` stands
between the transport and the library: it passes the head on, keeps what follows, and
when that has ended shows the library an empty body, so that it takes the connection
back into its pool.
"""

import asyncio
import re
from collections.abc import Callable, Mapping

import aiohttp

from gateway.protocol.framing import Endless, Framing, framing_of
from gateway.upstream import UpstreamFault

# Takes what one read gave. A future: it has enough until that is done.
Sink = Callable[[bytes], "asyncio.Future[None] | None"]

# What is held for nobody who takes it; beyond that, upstream has to wait.
HIGH_WATER_BYTES = 64 * 1024
# Most servers end lines with CR LF; the library takes a bare LF as well.
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_INTERIM = re.compile(rb"HTTP/1\.[01] 1\d\d")


class BrokenBody(Exception):
    """The body is not whole, or not what HTTP allows."""

    def __init__(self, message: str, *, is_clean: bool = False) -> None:
        super().__init__(message)
        self.is_clean = is_clean  # the connection was closed in good order


class Body(asyncio.Protocol):
    """One answer's body: `of` once its head is known, then `read` or `pour`."""

    def __init__(self, library: asyncio.Protocol, transport: asyncio.Transport) -> None:
        self._library = library
        self._transport = transport
        self._head: bytes | None = b""  # where it begins and ends; None: it is over
        self._framing: Framing | None = None
        self._held: list[bytes] = []  # as it came, until the head is known
        self._held_bytes = 0
        self._is_paused = False
        self._lost: BrokenBody | None = None  # the connection is
        self._waiter: asyncio.Future[None] | None = None
        self._pour: Pour | None = None
        self.is_ended = False  # nothing more will come
        self.error: BrokenBody | None = None  # of a body that ended early

    @classmethod
    def of(cls, response: aiohttp.ClientResponse) -> "Body":
        """The body behind an answer whose head has come."""
        connection = response.connection
        if connection is not None and connection.transport is not None:
            body = connection.transport.get_protocol()
            assert isinstance(body, Body)
        else:
            # The head told the library that there is none, or the connection is lost.
            body = cls(asyncio.Protocol(), asyncio.Transport())
            body._lost = BrokenBody("Connection lost with the head")
        body._begin(response.status, response.headers)
        return body

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        try:
            self._framing = framing_of(status, headers)
        except ValueError as error:
            self._end(BrokenBody(str(error)))
            return
        self._decode(self.take())
        if self._lost is not None and not self.is_ended:
            self._notice_loss(self._lost)

    @property
    def has_more(self) -> bool:
        """Whether something has come that was not taken."""
        return bool(self._held)

    async def read(self) -> bytes:
        """What has come, b"" at the end. Raises BrokenBody.

        A cancelled read loses nothing.
        """
        while not self._held and not self.is_ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if not self._held and self.error is not None:
            raise self.error
        piece = self.take()
        self.resume()
        return piece

    def pour(self, sink: Sink, translate: Callable[[Exception], Exception]) -> "Pour":
        """Have all that comes handed to `sink`; begins with `Pour.deliver`."""
        self._pour = Pour(self, sink, translate)
        return self._pour

    def leave(self, pour: "Pour") -> None:
        if self._pour is pour:
            self._pour = None

    def take(self) -> bytes:
        """What is held."""
        held, self._held, self._held_bytes = self._held, [], 0
        return held[0] if len(held) == 1 else b"".join(held)

    def pause(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            data = self._pass_head(data)
        if not data or self.is_ended:
            return
        if self._framing is None:
            self._hold(data)
        else:
            self._decode(data)

    def eof_received(self) -> bool | None:
        return self._library.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = BrokenBody(f"Connection lost: {exc}", is_clean=exc is None)
        self._library.connection_lost(exc)
        if self._framing is not None and not self.is_ended:
            self._notice_loss(self._lost)

    def pause_writing(self) -> None:
        self._library.pause_writing()

    def resume_writing(self) -> None:
        self._library.resume_writing()

    def _pass_head(self, data: bytes) -> bytes:
        """Hand the library what belongs to the head; the rest is body."""
        known = self._head or b""
        seen = known + data
        end = _HEAD_END.search(seen, max(0, len(known) - 3))
        if end is None:
            self._head = seen if len(seen) < 16 else seen[:12] + seen[-3:]
            self._library.data_received(data)
            return b""
        cut = end.end() - len(known)
        is_interim = _INTERIM.match(seen) is not None
        self._head = b"" if is_interim else None
        self._library.data_received(data[:cut])
        rest = data[cut:]
        return self._pass_head(rest) if is_interim and rest else rest

    def _decode(self, data: bytes) -> None:
        framing = self._framing
        assert framing is not None
        piece = framing.feed(data)
        if piece:
            self._hold(piece)
        if framing.fault is not None:
            self._end(BrokenBody(framing.fault))
        elif framing.is_over:
            self._end(None)
        elif piece:
            self._tell()

    def _hold(self, piece: bytes) -> None:
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > HIGH_WATER_BYTES:
            self.pause()

    def _tell(self) -> None:
        """Let who takes the body know that there is more of it, or no more."""
        if self._pour is not None:
            self._pour.deliver()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _notice_loss(self, lost: BrokenBody) -> None:
        is_proper = isinstance(self._framing, Endless) and lost.is_clean
        self._end(None if is_proper else lost)

    def _end(self, error: BrokenBody | None) -> None:
        self.is_ended, self.error = True, error
        if error is None and self._lost is None:
            self._give_back()
        self._tell()

    def _give_back(self) -> None:
        """Let the library see the end, too, so that it keeps the connection."""
        framing = self._framing
        assert framing is not None
        end = framing.end
        if end is None or framing.has_surplus or self._transport.is_closing():
            return  # who owns the answer closes it
        self.resume()
        self._transport.set_protocol(self._library)
        if end:
            self._library.data_received(end)


class Pour:
    """Feeds a body to a sink; `ended` is done when there is no more.

    What the sink raises (UpstreamFault, OSError, ValueError) ends it.
    """

    def __init__(
        self, body: Body, sink: Sink, translate: Callable[[Exception], Exception]
    ) -> None:
        """`translate` makes of a BrokenBody what `ended` raises."""
        self._body = body
        self._sink: Sink | None = sink
        self._translate = translate
        self._deadline: asyncio.TimerHandle | None = None
        self.is_full = False  # the sink has enough for now
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def deliver(self) -> None:
        """Give the sink what has come, and notice the end."""
        body = self._body
        while body.has_more and not self.is_full and self._sink is not None:
            try:
                waiting = self._sink(body.take())
            except (UpstreamFault, OSError, ValueError) as error:
                self._end(error)
                return
            if waiting is not None:
                self.is_full = True
                body.pause()
                waiting.add_done_callback(self._go_on)
                return
        if self.is_full:
            return
        body.resume()
        if body.is_ended:
            self._end(body.error and self._translate(body.error))

    def end_within(self, seconds: float) -> None:
        """End in so many seconds, if the body does not before."""
        if self._deadline is None and not self.ended.done():
            loop = self.ended.get_loop()
            self._deadline = loop.call_later(seconds, self._end, None)

    def stop(self) -> None:
        """Hand nothing over any more; idempotent.

        Body and sink are let go of: both lead back here, and a turn's memory is to
        go with the turn.
        """
        self._sink = None
        self._body.leave(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if not self.ended.done():
            self.ended.cancel()
        elif not self.ended.cancelled():
            self.ended.exception()  # who was cancelled will not ask for it

    def _go_on(self, waited: "asyncio.Future[None]") -> None:
        self.is_full = False
        if waited.cancelled() or waited.exception() is not None:
            return  # the client left; its handler ends the exchange
        self.deliver()

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
        self.stop()
