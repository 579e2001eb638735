"""Counters are persisted and restored, whatever the clock does."""

import asyncio

import pytest

from gateway.errors import KeyLimitReached
from gateway.keys.counters import WINDOWS_KEPT
from gateway.keys.key import Measure
from gateway.keys.limiter import Limiter
from tests.gateway.keys.limits import (
    CREATED,
    DAY,
    key,
    limit,
    turn,
    used,
    written,
)

# Persistence


def test_changed_counters_are_handed_over_once_and_restored(limiter, clock):
    a_key = key(limit(100), limit(9, Measure.REQUESTS, "1d", id=2))

    async def run():
        await turn(limiter, a_key, 10)
        await turn(limiter, a_key, 20)
        rows = written(limiter)
        assert rows == [(1, CREATED, 30), (2, CREATED, 2)]
        assert written(limiter) == []
        other = Limiter(clock)
        other.ledger.restore((*row, 0) for row in rows)
        assert other.report(a_key, CREATED) == limiter.report(a_key, CREATED)

    asyncio.run(run())


def test_counters_of_past_windows_are_not_restored(limiter, clock):
    a_key = key(limit(100, window="1m"))
    limiter.ledger.restore([(1, CREATED, 100, 0), (1, CREATED + 60, 40, 0)])
    clock.now = CREATED + 65
    assert used(limiter, a_key) == [40]
    clock.now = CREATED + 120
    assert used(limiter, a_key) == [0]


def test_a_new_limit_does_not_inherit_the_counter_of_its_id(limiter):
    async def run():
        await turn(limiter, key(limit(100)), 50)
        assert used(limiter, key(limit(100, Measure.INPUT))) == [0]

    asyncio.run(run())


def test_a_changed_maximum_keeps_what_was_used(limiter):
    async def run():
        await turn(limiter, key(limit(50)), 50)
        assert used(limiter, key(limit(100))) == [50]
        await turn(limiter, key(limit(100)), 10)

    asyncio.run(run())


def test_limits_no_key_has_any_more_are_forgotten(limiter):
    async def run():
        await turn(limiter, key(limit(50)), 50)
        limiter.ledger.restore([(2, CREATED, 50, 0)])
        limiter.ledger.retain(iter([key(limit(50))]))
        assert used(limiter, key(limit(50))) == [50]
        limiter.ledger.retain([])
        assert used(limiter, key(limit(50), limit(50, id=2))) == [0, 0]

    asyncio.run(run())


def test_a_clock_set_back_does_not_give_a_window_back(limiter, clock):
    a_key = key(limit(50, window="1m"))

    async def run():
        clock.now = CREATED + 61
        await turn(limiter, a_key, 50)
        clock.now = CREATED + 59
        with pytest.raises(KeyLimitReached):
            await turn(limiter, a_key, 1)

    asyncio.run(run())


def test_a_clock_that_was_far_ahead_does_not_hold_the_counter_there(limiter, clock):
    a_key = key(limit(50, window="1m"))

    async def run():
        clock.now = CREATED + 365 * DAY
        await turn(limiter, a_key, 50)
        clock.now = CREATED + 10
        await turn(limiter, a_key, 50)
        with pytest.raises(KeyLimitReached) as caught:
            await turn(limiter, a_key, 1)
        assert caught.value.resets_at == CREATED + 60

    asyncio.run(run())


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("ahead", [60, 90, 365 * DAY])
def test_a_clock_that_was_ahead_gives_no_used_window_back(
    limiter, clock, ahead, is_restarted
):
    a_key = key(limit(50, window="1m"))

    async def run():
        await turn(limiter, a_key, 50)
        clock.now += ahead
        await turn(limiter, a_key, 20)
        clock.now -= ahead
        if is_restarted:
            restarted = Limiter(clock)
            restarted.ledger.restore((*row, 0) for row in written(limiter))
            restarted.ledger.retain([a_key])
        with pytest.raises(KeyLimitReached) as caught:
            await turn(restarted if is_restarted else limiter, a_key, 1)
        assert caught.value.resets_at == CREATED + 60

    asyncio.run(run())


def test_only_some_windows_of_a_limit_are_remembered(limiter, clock):
    a_key = key(limit(50, window="1m"))

    async def run():
        for _ in range(2 * WINDOWS_KEPT):
            await turn(limiter, a_key, 50)
            clock.now += 60
        (windows,) = limiter.ledger._windows.values()
        assert len(windows) == WINDOWS_KEPT

    asyncio.run(run())


def test_a_clock_before_the_creation_is_in_the_first_window(limiter, clock):
    a_key = key(limit(50, window="1m"))

    async def run():
        clock.now = CREATED - 1000
        await turn(limiter, a_key, 50)
        assert used(limiter, a_key) == [50]

    asyncio.run(run())
