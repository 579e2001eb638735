"""Hang-ups: when hundreds of clients leave at once, their connections end in portions.

Relies on what Tornado does not document, seen in 6.1 and 6.6: a stream whose read finds
nothing (`None`) leaving the loop's handler as it is, and `close` ending that.
"""

import asyncio

from tornado.ioloop import IOLoop
from tornado.iostream import BaseIOStream

# The others of the loop get a turn after so many: each takes a third of a millisecond,
# with all that ends with it.
MOST_HUNG_UP = 16


class HangUps:
    """Streams whose clients have left, and which end in later turns of the loop."""

    def __init__(self) -> None:
        self._waiting: dict[BaseIOStream, None] = {}
        self._ended = 0  # in this turn

    def may_end(self, stream: BaseIOStream) -> bool:
        """Whether the stream ends now; else it is read no more until it does."""
        if self._ended < MOST_HUNG_UP:
            self._count()
            return True
        # What has been read up to here is worked on meanwhile.
        stream.io_loop.update_handler(stream.fileno(), IOLoop.ERROR)
        self._waiting[stream] = None
        return False

    def _count(self) -> None:
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._ended += 1

    def _next_turn(self) -> None:
        self._ended = 0
        for stream in list(self._waiting)[:MOST_HUNG_UP]:
            del self._waiting[stream]
            if not stream.closed():
                self._count()
                stream.close()
