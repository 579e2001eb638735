"""Turns reserve, wait for what others reserved, and settle."""

import asyncio
import time

import pytest

from gateway.errors import GatewayOverloaded, KeyLimitReached
from gateway.keys.key import Measure
from gateway.keys.limiter import Limiter
from gateway.keys.reservation import Patience
from gateway.protocol.facts import Usage
from tests.gateway.keys.limits import (
    CREATED,
    key,
    limit,
    settled,
    spend,
    started,
    turn,
    used,
    written,
)

# Reservations


def test_a_turn_waits_for_reservations_instead_of_being_refused(limiter):
    a_key = key(limit(100))

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        (second,) = await started(limiter.reserve(a_key, spend(8192), "m"))
        assert not second.done()
        first.settle(Usage(60), 0)
        (await second).settle(Usage(60), 0)
        assert used(limiter, a_key) == [120]

    asyncio.run(run())


def test_waiting_turns_are_refused_when_the_truth_leaves_nothing(limiter):
    a_key = key(limit(100))

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        (second,) = await started(limiter.reserve(a_key, spend(1), "m"))
        first.settle(Usage(100), 0)
        with pytest.raises(KeyLimitReached):
            await second

    asyncio.run(run())


def test_the_report_shows_no_more_reserved_than_is_left(limiter):
    a_key = key(limit(100))

    async def run():
        await turn(limiter, a_key, 60)
        await limiter.reserve(a_key, spend(8192), "m")
        assert limiter.report(a_key, CREATED)[0]["reserved_value"] == 40

    asyncio.run(run())


def test_a_released_turn_took_nothing(limiter):
    a_key = key(limit(100), limit(1, Measure.REQUESTS, id=2))

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        (second,) = await started(limiter.reserve(a_key, spend(8192), "m"))
        first.release()
        (await second).release()
        assert used(limiter, a_key) == [0, 0]
        assert {row[2] for row in written(limiter)} == {0}

    asyncio.run(run())


def test_a_turn_ends_once(limiter):
    a_key = key(limit(1000), concurrency=1)

    async def run():
        reservation = await limiter.reserve(a_key, spend(10), "m")
        reservation.settle(Usage(10), 0)
        reservation.settle(Usage(10), 0)
        reservation.release()
        rows = limiter.report(a_key, CREATED)
        assert [row["current_value"] for row in rows] == [10, 0]
        assert rows[0]["reserved_value"] == 0

    asyncio.run(run())


def test_the_first_to_wait_is_the_first_admitted(limiter):
    a_key = key(limit(100))
    order = []

    async def queue(name):
        reservation = await limiter.reserve(a_key, spend(8192), "m")
        order.append(name)
        reservation.settle(Usage(1), 0)

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        tasks = await started(queue("a"), queue("b"), queue("c"))
        first.settle(Usage(1), 0)
        tasks += await started(queue("d"))
        await asyncio.gather(*tasks)
        assert order == ["a", "b", "c", "d"]

    asyncio.run(run())


def test_a_turn_of_another_model_does_not_stand_in_the_queue(limiter):
    a_key = key(limit(100, model="big"))

    async def run():
        await limiter.reserve(a_key, spend(8192), "big")
        (waiting,) = await started(limiter.reserve(a_key, spend(1), "big"))
        await asyncio.wait_for(limiter.reserve(a_key, spend(1), "small"), 10)
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(run())


def test_patience_with_a_place_ends_with_an_answer_that_may_be_retried(clock):
    limiter = Limiter(clock, Patience(limit=60, place=0.02))
    a_key = key(limit(100), concurrency=1)

    async def run():
        first = await limiter.reserve(a_key, spend(1), "m")
        with pytest.raises(GatewayOverloaded, match="hold all its places"):
            await limiter.reserve(a_key, spend(1), "m")
        first.release()
        await asyncio.wait_for(turn(limiter, a_key, 1), 10)

    asyncio.run(run())


def test_a_turn_cancelled_while_it_waits_leaves_nothing_behind(limiter):
    a_key = key(limit(100))

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        second, third = await started(
            limiter.reserve(a_key, spend(8192), "m"),
            limiter.reserve(a_key, spend(8192), "m"),
        )
        second.cancel()
        await settled()
        first.release()
        (await third).release()
        assert limiter.report(a_key, CREATED)[0]["reserved_value"] == 0

    asyncio.run(run())


def test_a_turn_cancelled_as_it_is_admitted_gives_its_place_to_the_next(limiter):
    a_key = key(limit(100), concurrency=1)

    async def run():
        first = await limiter.reserve(a_key, spend(8192), "m")
        second, third = await started(
            limiter.reserve(a_key, spend(8192), "m"),
            limiter.reserve(a_key, spend(8192), "m"),
        )
        first.release()  # admits the second, which has not run yet
        second.cancel()
        (await asyncio.wait_for(third, 10)).release()
        assert second.cancelled()
        rows = limiter.report(a_key, CREATED)
        assert [row["reserved_value"] for row in rows] == [0, 0]
        assert rows[1]["current_value"] == 0

    asyncio.run(run())


def test_only_so_many_turns_of_one_key_wait(limiter):
    a_key = key(concurrency=1)

    async def run():
        await limiter.reserve(a_key, spend(1), "m")
        tasks = [
            asyncio.ensure_future(limiter.reserve(a_key, spend(1), "m"))
            for _ in range(201)
        ]
        await settled()
        assert [task.done() for task in tasks] == [False] * 200 + [True]
        with pytest.raises(GatewayOverloaded, match="are waiting"):
            await tasks.pop()
        for task in tasks:
            task.cancel()

    asyncio.run(run())


def test_the_end_of_a_window_lets_waiting_turns_in():
    began = time.monotonic()
    limiter = Limiter(lambda: CREATED + 59.95 + time.monotonic() - began)
    a_key = key(limit(100, window="1m"))

    async def run():
        await limiter.reserve(a_key, spend(8192), "m")
        await asyncio.wait_for(limiter.reserve(a_key, spend(8192), "m"), 5)

    asyncio.run(run())


def test_a_newcomer_at_the_edge_of_a_window_does_not_overtake(limiter, clock):
    a_key = key(limit(100, window="1m"))

    async def run():
        await limiter.reserve(a_key, spend(8192), "m")
        (waiting,) = await started(limiter.reserve(a_key, spend(8192), "m"))
        clock.now = CREATED + 60
        (newcomer,) = await started(limiter.reserve(a_key, spend(8192), "m"))
        assert waiting.done()
        assert not newcomer.done()
        newcomer.cancel()

    asyncio.run(run())


def test_a_turn_counts_in_the_window_it_was_admitted_in(limiter, clock):
    a_key = key(limit(100, window="1m"))

    async def run():
        reservation = await limiter.reserve(a_key, spend(100), "m")
        clock.now = CREATED + 61
        assert used(limiter, a_key) == [0]
        reservation.settle(Usage(100), 0)
        assert used(limiter, a_key) == [0]
        assert written(limiter) == [(1, CREATED, 100)]

    asyncio.run(run())


def test_an_estimate_of_nothing_still_holds_a_place(limiter):
    a_key = key(limit(1, Measure.COST))

    async def run():
        await limiter.reserve(a_key, spend(0), "m")
        (waiting,) = await started(limiter.reserve(a_key, spend(0), "m"))
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(run())
