"""Bodies and messages: in each window of time a part of them has to come."""

import asyncio
from dataclasses import astuple, dataclass

from handlers.wire.arriving_bodies import ArrivalLimits, ArrivingBodies

WINDOW = 0.03
# Timers of the event loop count whole milliseconds.
EARLY = 0.002


@dataclass(eq=False)
class Body:
    closed: asyncio.Event
    received: int = 0

    def close_connection(self):
        self.closed.set()


def test_each_window_counts_by_itself():
    async def run():
        bodies = ArrivingBodies(ArrivalLimits(pace_window=WINDOW, pace=1_000))
        body, clock = Body(asyncio.Event(), 7), asyncio.get_running_loop().time
        began = clock()
        bodies.begin(body, is_side_call=False)
        body.received += 500  # enough for many windows, but all in the first
        await asyncio.wait_for(body.closed.wait(), 5)
        assert clock() - began >= 2 * (WINDOW - EARLY)
        bodies.close()

    asyncio.run(run())


def test_the_limits_are_those_that_the_documents_name():
    assert astuple(ArrivalLimits()) == (300.0, 600.0, 10.0, 20.0, 1024, 1.0, 60.0)
