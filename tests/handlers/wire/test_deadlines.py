"""One timer for many waits: each gets all of its time, and no more."""

import asyncio
from functools import partial
from operator import sub

import pytest

from handlers.wire.deadlines import MOST_OVERDUE, Deadlines

SECONDS = 0.05
# Timers of the event loop count whole milliseconds.
EARLY = 0.002


@pytest.fixture
def waits():
    return Deadlines(SECONDS)


def test_who_waits_too_long_is_called_back_in_order(waits):
    async def run():
        called = []
        is_over = asyncio.Event()
        waits.begin("first", lambda: called.append("first"))
        waits.begin("ended", lambda: called.append("ended"))
        waits.begin("last", is_over.set)
        waits.end("ended")
        waits.end("unknown")
        async with asyncio.timeout(5):
            await is_over.wait()
        assert called == ["first"]

    asyncio.run(run())


async def waited(waits, who):
    """Seconds until `who` is called back."""
    loop = asyncio.get_running_loop()
    started, called_back = loop.time(), loop.create_future()
    waits.begin(who, lambda: called_back.set_result(None))
    async with asyncio.timeout(5):
        await called_back
    return loop.time() - started


def test_each_wait_has_its_whole_time(waits):
    async def run():
        waits.begin("ended", list)
        waits.end("ended")
        await asyncio.sleep(SECONDS / 2)  # its timer still runs
        assert await waited(waits, "first") >= SECONDS - EARLY
        assert await waited(waits, "second") >= SECONDS - EARLY

    asyncio.run(run())


def test_who_begins_anew_goes_behind_the_others(waits):
    async def run():
        called = []
        is_over = asyncio.Event()
        for who in ("again", "other", "again"):
            waits.begin(who, partial(called.append, who))
        waits.begin("last", is_over.set)
        async with asyncio.timeout(5):
            await is_over.wait()
        assert called == ["other", "again"]

    asyncio.run(run())


def test_a_wait_can_be_ended_by_another_ones_end(waits):
    async def run():
        called = []
        is_over = asyncio.Event()
        waits.begin("first", lambda: waits.end("second"))
        waits.begin("second", lambda: called.append("second"))
        waits.begin("third", is_over.set)
        async with asyncio.timeout(5):
            await is_over.wait()
        assert called == []

    asyncio.run(run())


def test_nobody_is_called_back_after_the_close(waits):
    async def run():
        called = []
        waits.begin("one", lambda: called.append("one"))
        waits.close()
        is_over = asyncio.Event()
        asyncio.get_running_loop().call_later(2 * SECONDS, is_over.set)
        await is_over.wait()
        assert called == []

    asyncio.run(run())


def test_who_is_due_at_once_is_called_back_in_portions(waits):
    """In between the loop does what else there is to do."""

    async def run():
        called, number = [], 5 * MOST_OVERDUE
        for who in range(number):
            waits.begin(who, partial(called.append, who))
        seen = [0]
        async with asyncio.timeout(5):
            while seen[-1] < number:
                await asyncio.sleep(0)
                seen.append(len(called))
        assert called == list(range(number))
        assert max(map(sub, seen[1:], seen)) == MOST_OVERDUE

    asyncio.run(run())
