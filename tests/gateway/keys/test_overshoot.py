"""How far turns that run at once can pass a limit, and what is reserved for each."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.keys.counters import WindowCounter
from gateway.keys.key import Measure
from gateway.keys.limiter import Limiter
from gateway.protocol.facts import Usage
from tests.gateway.keys.limits import (
    Clock,
    key,
    limit,
    primed,
    settled,
    started,
    unknown,
    used,
)


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
