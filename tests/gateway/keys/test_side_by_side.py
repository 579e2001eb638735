"""Turns run side by side while two fit into what is left, else one after the other."""

import asyncio

import pytest

from gateway.errors import KeyLimitReached
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
    unknown,
    used,
)


def reserved(limiter, a_key):
    now = limiter._clock()
    return [one.reserved for one in limiter.ledger.all_counters(a_key, now)]


def test_two_that_fit_run_side_by_side_and_a_third_waits(limiter):
    a_key = key(limit(100))

    async def run():
        first = await limiter.reserve(a_key, spend(40), "m")
        second = await limiter.reserve(a_key, spend(60), "m")
        (third,) = await started(limiter.reserve(a_key, spend(1), "m"))
        assert not third.done()
        second.settle(Usage(10), 0)
        (await third).release()
        first.release()

    asyncio.run(run())


def test_two_that_do_not_fit_run_one_after_the_other(limiter):
    a_key = key(limit(100))

    async def run():
        first = await limiter.reserve(a_key, spend(51), "m")
        (second,) = await started(limiter.reserve(a_key, spend(50), "m"))
        assert not second.done()
        first.settle(Usage(50), 0)
        await second

    asyncio.run(run())


def test_the_first_is_admitted_while_anything_is_left(limiter):
    a_key = key(limit(100))

    async def run():
        await turn(limiter, a_key, 99)
        (await limiter.reserve(a_key, spend(10**6), "m")).release()
        assert used(limiter, a_key) == [99]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("maximum", "expected"),
    [
        (100_000, 1_000 + 50_000),  # half of what is left
        (6_000, 1_000 + 4_000),  # at least
        (10**9, 1_000 + 128_000),  # at most what the model writes
    ],
)
def test_for_a_turn_of_which_nothing_is_known_half_of_the_rest_is_set_aside(
    limiter, maximum, expected
):
    a_key = key(limit(maximum))

    async def run():
        await limiter.reserve(a_key, unknown(1_000), "m")
        assert reserved(limiter, a_key) == [expected]

    asyncio.run(run())


def test_half_of_the_rest_is_taken_in_each_limit_s_own_measure(limiter):
    a_key = key(
        limit(90_000, Measure.OUTPUT),
        limit(90_000, Measure.INPUT, id=2),
        limit(100, Measure.REQUESTS, id=3),
        limit(1_000_000, Measure.COST, id=4),
    )

    async def run():
        await limiter.reserve(a_key, unknown(1_000, model="gpt-5.4"), "gpt-5.4")
        # 2.50 and 15 dollars for a million tokens.
        assert reserved(limiter, a_key) == [45_000, 1_000, 1, 2_500 + 500_000]

    asyncio.run(run())


def test_what_upstream_was_told_to_keep_to_is_the_most(limiter):
    a_key = key(limit(100_000))

    async def run():
        await limiter.reserve(a_key, unknown(1_000, most=50), "m")
        assert reserved(limiter, a_key) == [1_050]

    asyncio.run(run())


def test_who_waits_too_long_for_the_rest_of_a_limit_gets_the_limit_s_answer(clock):
    limiter = Limiter(clock, Patience(limit=0.02, place=60))
    a_key = key(limit(100))

    async def run():
        first = await limiter.reserve(a_key, spend(100), "m")
        with pytest.raises(KeyLimitReached, match="tokens 7d limit") as caught:
            await limiter.reserve(a_key, spend(1), "m")
        assert caught.value.resets_at == CREATED + 7 * 86_400
        first.release()
        await asyncio.wait_for(turn(limiter, a_key, 1), 10)

    asyncio.run(run())


def test_turns_wait_thirty_seconds_for_a_limit_and_sixty_for_a_place():
    assert Patience() == (30.0, 60.0)


def test_a_small_turn_does_not_overtake_a_large_one(limiter):
    a_key = key(limit(100))

    async def run():
        first = await limiter.reserve(a_key, spend(50), "m")
        large, small = await started(
            limiter.reserve(a_key, spend(60), "m"),
            limiter.reserve(a_key, spend(10), "m"),
        )
        assert not large.done()
        assert not small.done()
        first.release()
        await settled()
        assert large.done()
        assert small.done()  # 70 of 100

    asyncio.run(run())


def test_who_gives_up_makes_way_for_those_behind(limiter):
    a_key = key(limit(100))

    async def run():
        await limiter.reserve(a_key, spend(50), "m")
        large, small = await started(
            limiter.reserve(a_key, spend(60), "m"),
            limiter.reserve(a_key, spend(10), "m"),
        )
        large.cancel()
        await settled()
        assert small.done()

    asyncio.run(run())


def test_who_waits_for_one_limit_does_not_stop_who_wants_of_another(limiter):
    a_key = key(limit(100), limit(10, model="big", id=2))

    async def run():
        first = await limiter.reserve(a_key, spend(10), "big")
        waiting, other = await started(
            limiter.reserve(a_key, spend(5), "big"),
            limiter.reserve(a_key, spend(5), "small"),
        )
        assert not waiting.done()
        assert other.done()
        first.release()
        await waiting

    asyncio.run(run())


def test_an_estimate_never_charges_more_than_was_reserved(limiter):
    a_key = key(limit(100_000), limit(10, Measure.REQUESTS, id=2))

    async def run():
        first = await limiter.reserve(a_key, unknown(1_000), "m")
        first.settle(Usage(1_000, output_tokens=10**6), 0, within_reserved=True)
        assert used(limiter, a_key) == [51_000, 1]
        second = await limiter.reserve(a_key, unknown(1_000), "m")
        second.settle(Usage(1_000, output_tokens=7), 0, within_reserved=True)
        assert used(limiter, a_key) == [52_007, 2]

    asyncio.run(run())
