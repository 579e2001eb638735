"""Requests per minute and turns at a time."""

import asyncio

import pytest

from gateway.errors import KeyLimitReached
from tests.gateway.keys.limits import (
    CREATED,
    key,
    spend,
    started,
    turn,
)

# Rate and concurrency


def test_requests_per_minute_are_refused_with_the_second_of_the_next(limiter, clock):
    a_key = key(rpm=2)

    async def run():
        await turn(limiter, a_key, 1)
        clock.now += 20.5
        await turn(limiter, a_key, 1)
        clock.now += 39
        with pytest.raises(KeyLimitReached, match="requests per minute") as caught:
            await turn(limiter, a_key, 1)
        assert caught.value.resets_at == CREATED + 70
        clock.now = CREATED + 70
        await turn(limiter, a_key, 1)
        with pytest.raises(KeyLimitReached) as caught:
            await turn(limiter, a_key, 1)
        assert caught.value.resets_at == CREATED + 91  # 90.5, rounded up

    asyncio.run(run())


def test_a_lowered_rate_names_when_enough_have_left(limiter, clock):
    async def run():
        for _ in range(3):
            await turn(limiter, key(rpm=3), 1)
            clock.now += 10
        with pytest.raises(KeyLimitReached) as caught:
            await turn(limiter, key(rpm=1), 1)
        assert caught.value.resets_at == CREATED + 90

    asyncio.run(run())


def test_a_clock_set_back_does_not_lock_a_key_out(limiter, clock):
    a_key = key(rpm=1)

    async def run():
        await turn(limiter, a_key, 1)
        clock.now -= 5
        await turn(limiter, a_key, 1)

    asyncio.run(run())


def test_turns_above_the_concurrency_wait_for_one_to_end(limiter):
    a_key = key(concurrency=2)

    async def run():
        first = await limiter.reserve(a_key, spend(1), "m")
        await limiter.reserve(a_key, spend(1), "m")
        (third,) = await started(limiter.reserve(a_key, spend(1), "m"))
        assert not third.done()
        first.release()
        await third

    asyncio.run(run())
