"""An answer's body, handed on the moment it is read."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from gateway.errors import GatewayError
from gateway.protocol.http_framing import Endless, Framing
from gateway.upstream import UpstreamFault

# Takes what one read gave. A future: it has enough until that is done.
Sink = Callable[[bytes], "asyncio.Future[None] | None"]

# What is held for nobody who takes it; beyond that, upstream has to wait.
HIGH_WATER_BYTES = 64 * 1024


class BrokenAnswer(Exception):
    """The answer is not whole, or not what HTTP allows."""

    def __init__(self, message: str, *, is_clean: bool = False) -> None:
        super().__init__(message)
        self.is_clean = is_clean  # the connection was closed in good order


class Source(Protocol):
    """The connection a body comes from."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self) -> None: ...
    def finish(self, *, has_surplus: bool) -> None:
        """Nothing of the body will come any more, and nothing is missing."""


class Body:
    """One response's body: `read` it, have it delivered, or `close` it early."""

    def __init__(self, source: Source, framing: Framing) -> None:
        self._source: Source | None = source  # None: it may serve another by now
        self._framing = framing
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._delivery: BodyDelivery | None = None
        self.is_ended = False  # nothing more will come
        self.error: BrokenAnswer | None = None  # of a body that ended early

    @property
    def has_more(self) -> bool:
        """Whether something has come that was not taken."""
        return bool(self._held)

    async def read(self) -> bytes:
        """What has come, b"" at the end. Raises BrokenAnswer.

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

    def deliver_to(
        self, sink: Sink, translate: Callable[[Exception], Exception]
    ) -> "BodyDelivery":
        """Have all that comes handed to `sink`; begins with its `deliver`."""
        self._delivery = BodyDelivery(self, sink, translate)
        return self._delivery

    def detach(self, delivery: "BodyDelivery") -> None:
        if self._delivery is delivery:
            self._delivery = None

    def take(self) -> bytes:
        """What is held."""
        held, self._held, self._held_bytes = self._held, [], 0
        return held[0] if len(held) == 1 else b"".join(held)

    def pause(self) -> None:
        if self._source is not None:
            self._source.pause()

    def resume(self) -> None:
        if self._source is not None:
            self._source.resume()

    def close(self) -> None:
        """End it wherever it is; idempotent."""
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        framing = self._framing
        piece = framing.feed(data)
        if piece:
            self._held.append(piece)
            self._held_bytes += len(piece)
            if self._held_bytes > HIGH_WATER_BYTES:
                self.pause()
        if framing.fault is not None:
            self._end(BrokenAnswer(framing.fault))
        elif framing.is_over:
            self._end(None)
        elif piece:
            self._notify()

    def lose(self, lost: BrokenAnswer) -> None:
        """Its connection is lost: with some framings that is the proper end."""
        is_proper = isinstance(self._framing, Endless) and lost.is_clean
        self._end(None if is_proper else lost)

    def _end(self, error: BrokenAnswer | None) -> None:
        self.is_ended, self.error = True, error
        if error is not None:
            self.close()
        elif self._source is not None:
            source, self._source = self._source, None
            source.finish(has_surplus=self._framing.has_surplus)
        self._notify()

    def _notify(self) -> None:
        """Let who takes the body know that there is more of it, or no more."""
        if self._delivery is not None:
            self._delivery.deliver()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class BodyDelivery:
    """Feeds a body to a sink; `ended` is done when there is no more.

    What the sink raises (UpstreamFault, GatewayError, OSError, ValueError) ends it.
    """

    def __init__(
        self, body: Body, sink: Sink, translate: Callable[[Exception], Exception]
    ) -> None:
        """`translate` makes of a BrokenAnswer what `ended` raises."""
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
            except (UpstreamFault, GatewayError, OSError, ValueError) as error:
                self._end(error)
                return
            if waiting is not None:
                self.is_full = True
                body.pause()
                waiting.add_done_callback(self._resume_delivery)
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
        self._body.detach(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if not self.ended.done():
            self.ended.cancel()
        elif not self.ended.cancelled():
            self.ended.exception()  # who was cancelled will not ask for it

    def _resume_delivery(self, waited: "asyncio.Future[None]") -> None:
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
