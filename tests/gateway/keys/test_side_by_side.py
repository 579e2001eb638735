"""Turns run side by side while two fit into what is left, else one after the other."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import KeyLimitReached
from gateway.keys.counters import Charge, WindowCounter
from gateway.keys.key import Measure
from gateway.keys.limiter import Limiter
from gateway.keys.reservation import Patience
from gateway.pricing.pricing import Prices
from gateway.protocol.facts import Usage
from tests.gateway.keys.limits import (
    CREATED,
    Clock,
    key,
    limit,
    settled,
    spend,
    started,
    turn,
    used,
)

PRICES = Prices().table


def unknown(tokens, most=128_000, model=None):
    """A turn of which only the input is known."""
    usage = Usage(tokens, output_tokens=min(4_000, most))
    quote = PRICES.quote(model, None)
    return Charge(usage, None, model, quote, most, is_expected=False)


def primed(tokens, most=128_000):
    """A turn of a key whose turns were tiny until now."""
    return Charge(Usage(tokens, output_tokens=4_000), None, None, None, most)


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
        await asyncio.wait_for(turn(limiter, a_key, 1), 1)

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


async def run_all(limiter, a_key, estimates, actual):
    """Turns that all come at once and use so much each."""
    tasks = await started(
        *(limiter.reserve(a_key, estimate, "m") for estimate in estimates)
    )
    while ready := [task for task in tasks if task.done()]:
        tasks = [task for task in tasks if not task.done()]
        for task in ready:
            if task.exception() is None:
                task.result().settle(Usage(actual), 0)
        await settled()
    for task in tasks:
        task.cancel()


def test_forty_large_turns_after_tiny_ones_use_three_times_the_limit_at_most(limiter):
    a_key = key(limit(100_000))
    asyncio.run(run_all(limiter, a_key, [primed(1_000)] * 40, 129_000))
    assert used(limiter, a_key)[0] <= 300_000


def test_what_is_expected_is_believed_as_long_as_the_largest_cost_three_limits(limiter):
    a_key = key(limit(1_000_000))

    async def run():
        tasks = await started(
            *(limiter.reserve(a_key, primed(1_000), "m") for _ in range(40))
        )
        running = [task.result() for task in tasks if task.done()]
        assert len(running) == 3_000_000 // 129_000
        running[0].release()
        await settled()
        assert sum(task.done() for task in tasks) == len(running) + 1
        for task in tasks:
            task.cancel()

    asyncio.run(run())


tokens = st.integers(0, 300_000)


@settings(max_examples=60)
@given(st.integers(1, 10**6), st.lists(tokens, min_size=1, max_size=40), tokens)
def test_turns_of_a_new_key_overshoot_by_few(maximum, inputs, actual):
    """However many come at once, and whatever they really take: by two of them, or by
    as many of the largest as fit."""
    limiter, a_key = Limiter(Clock()), key(limit(maximum))

    asyncio.run(run_all(limiter, a_key, map(unknown, inputs), actual))
    side_by_side = max(2, maximum // 128_000)
    assert used(limiter, a_key)[0] < maximum + actual * side_by_side


@settings(max_examples=60)
@given(st.integers(1, 10**6), st.lists(tokens, min_size=1, max_size=40))
def test_turns_of_a_known_key_overshoot_by_two_limits_or_two_turns(maximum, inputs):
    """Though each of them takes all that it can."""
    limiter, a_key = Limiter(Clock()), key(limit(maximum))
    actual = max(inputs) + 128_000
    same = [primed(max(inputs))] * len(inputs)
    asyncio.run(run_all(limiter, a_key, same, actual))
    assert used(limiter, a_key)[0] <= max(3 * maximum, maximum + 2 * actual)


amounts = st.integers(0, 500_000)


@given(amounts, amounts, amounts, amounts, st.sampled_from(list(Measure)))
def test_what_is_reserved_lies_between_the_least_and_the_most(
    maximum, spent, size, most, measure
):
    counter = WindowCounter(limit(maximum + 1, measure), 0, 60, used=spent)
    estimate = unknown(size, most)
    least, highest = (
        estimate._replace(usage=Usage(size, output_tokens=output)).amount(measure)
        for output in (min(4_000, most), most)
    )
    hold = counter.hold(estimate)
    counter.reserve(hold)
    assert max(1, least) <= hold.reserved <= max(1, highest)
    assert hold.reserved <= hold.largest == max(1, highest)
    assert (counter.reserved, counter.running) == (hold.reserved, 1)
    counter.free(hold)
    assert (counter.reserved, counter.running, counter.largest) == (0, 0, 0)
