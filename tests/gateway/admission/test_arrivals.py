"""Whose body is read: a key's rate and places are asked first, and nothing is lost."""

import asyncio

import pytest

from gateway.admission.arrivals import Arrivals
from gateway.errors import GatewayOverloaded, KeyLimitReached
from gateway.keys.counters import Charge
from gateway.keys.key import Key
from gateway.keys.limiter import Limiter
from gateway.protocol.facts import Usage
from tests.serving import until

NOTHING = Charge(Usage(input_tokens=25))


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


def key(**rules):
    return Key(1, "one", "sk-cgw-one", "digest", 0, **rules)


def start(limiter, of):
    return limiter.reserve(of, NOTHING, "gpt-5.5")


@pytest.mark.gen_test
async def test_the_rate_counts_those_on_their_way_and_counts_nothing_itself():
    clock, one = Clock(), key(rpm=2)
    limiter = Limiter(clock)
    arrivals = Arrivals(limiter)
    for _ in range(2):
        await arrivals.enter(one)
    with pytest.raises(KeyLimitReached) as caught:
        await arrivals.enter(one)
    assert caught.value.resets_at == clock.now + 60
    arrivals.leave(one)  # a body that never came
    await arrivals.enter(one)
    for _ in range(2):
        arrivals.leave(one)
    (await start(limiter, one)).release()
    clock.now += 20
    (await start(limiter, one)).release()
    with pytest.raises(KeyLimitReached) as caught:
        await arrivals.enter(one)
    assert caught.value.resets_at == clock.now + 40
    clock.now += 41
    await arrivals.enter(one)
    with pytest.raises(KeyLimitReached) as caught:
        await arrivals.enter(one)
    assert caught.value.resets_at == clock.now + 19


@pytest.mark.gen_test
async def test_no_more_bodies_are_on_their_way_than_turns_may_start():
    one, limiter = key(concurrency=2), Limiter()
    arrivals = Arrivals(limiter)
    running = await start(limiter, one)
    await arrivals.enter(one)
    entered = []

    async def enter(name):
        await arrivals.enter(one)
        entered.append(name)

    asked = [asyncio.create_task(enter(name)) for name in "abc"]
    await until(lambda: arrivals.waiting == 3)
    running.release()
    await until(lambda: entered == ["a"])
    arrivals.leave(one)
    await until(lambda: entered == ["a", "b"])
    asked[2].cancel()
    await asyncio.wait(asked)
    assert arrivals.waiting == 0
    for _ in range(2):
        arrivals.leave(one)
    for _ in range(2):
        await asyncio.wait_for(arrivals.enter(one), 1)


@pytest.mark.gen_test
async def test_who_leaves_in_the_moment_of_being_admitted_gives_the_place_on():
    one, limiter = key(concurrency=1), Limiter()
    arrivals = Arrivals(limiter)
    await arrivals.enter(one)
    first, second = [asyncio.create_task(arrivals.enter(one)) for _ in range(2)]
    await until(lambda: arrivals.waiting == 2)
    arrivals.leave(one)
    first.cancel()
    await asyncio.wait_for(second, 10)
    assert first.cancelled()


@pytest.mark.gen_test
async def test_who_gives_up_first_does_not_hold_up_the_next():
    one, limiter = key(concurrency=1), Limiter()
    arrivals = Arrivals(limiter)
    await arrivals.enter(one)
    first, second = [asyncio.create_task(arrivals.enter(one)) for _ in range(2)]
    await until(lambda: arrivals.waiting == 2)
    first.cancel()
    arrivals.leave(one)
    await asyncio.wait_for(second, 10)


@pytest.mark.gen_test
async def test_waiting_for_a_place_ends():
    one, limiter = key(concurrency=1), Limiter()
    arrivals = Arrivals(limiter, max_wait=0.05)
    await start(limiter, one)
    with pytest.raises(GatewayOverloaded):
        await arrivals.enter(one)
    assert arrivals.waiting == 0
