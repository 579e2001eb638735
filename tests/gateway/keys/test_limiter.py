"""The Limiter refuses what a used-up limit does not allow."""

import asyncio

import pytest

from gateway.errors import KeyLimitReached
from gateway.keys.key import Measure
from gateway.protocol.facts import Usage
from tests.gateway.keys.limits import (
    CREATED,
    DAY,
    key,
    limit,
    spend,
    turn,
    used,
)

# Refusal


def test_a_used_up_limit_refuses_until_its_window_ends(limiter, clock):
    a_key = key(limit(100))

    async def run():
        await turn(limiter, a_key, 100)
        with pytest.raises(KeyLimitReached) as caught:
            await turn(limiter, a_key, 1)
        assert str(caught.value) == (
            "API key tokens 7d limit exceeded. Usage resets at 2025-12-01T16:00:00Z."
        )
        assert caught.value.resets_at == CREATED + 7 * DAY
        assert caught.value.plan_type == "api_key"
        clock.now = CREATED + 7 * DAY - 0.001
        with pytest.raises(KeyLimitReached):
            await turn(limiter, a_key, 1)
        clock.now = CREATED + 7 * DAY
        await turn(limiter, a_key, 1)

    asyncio.run(run())


def test_a_turn_is_admitted_while_one_token_is_left(limiter):
    a_key = key(limit(100))

    async def run():
        await turn(limiter, a_key, 99)
        await turn(limiter, a_key, 5000)
        assert used(limiter, a_key) == [5099]
        with pytest.raises(KeyLimitReached):
            await turn(limiter, a_key, 1)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("measure", "amount"),
    [
        (Measure.TOKENS, 1010),
        (Measure.INPUT, 1000),
        (Measure.OUTPUT, 10),
        (Measure.COST, 7),
        (Measure.REQUESTS, 1),
    ],
)
def test_each_measure_counts_its_part_of_the_usage(limiter, measure, amount):
    a_key = key(limit(10**9, measure))

    async def run():
        reservation = await limiter.reserve(a_key, spend(1), "m")
        reservation.settle(Usage(1000, 900, 50, 10, 8), 7)
        assert used(limiter, a_key) == [amount]

    asyncio.run(run())


def test_a_model_filter_leaves_other_models_alone(limiter):
    a_key = key(limit(10, model="gpt-5.4*"))

    async def run():
        await turn(limiter, a_key, 10, "gpt-5.4-mini")
        await turn(limiter, a_key, 10, "gpt-5.3-codex")
        await turn(limiter, a_key, 10, None)
        with pytest.raises(KeyLimitReached, match=r"exceeded for model gpt-5\.4\*\."):
            await turn(limiter, a_key, 1, "gpt-5.4")

    asyncio.run(run())


def test_of_several_used_up_limits_the_last_to_reset_is_named(limiter):
    a_key = key(limit(10, window="5h"), limit(10, window="7d", id=2))

    async def run():
        await turn(limiter, a_key, 10)
        with pytest.raises(KeyLimitReached, match="tokens 7d limit") as caught:
            await turn(limiter, a_key, 1)
        assert caught.value.resets_at == CREATED + 7 * DAY

    asyncio.run(run())


def test_keys_do_not_share_limits(limiter):
    async def run():
        await turn(limiter, key(limit(10)), 10)
        await turn(limiter, key(limit(10, id=2), id=2), 10)

    asyncio.run(run())


def test_without_a_key_nothing_is_counted(limiter):
    async def run():
        reservation = await limiter.reserve(None, spend(10), "m")
        reservation.settle(Usage(10), 0)
        reservation.release()
        assert limiter.ledger.take_dirty() == []

    asyncio.run(run())
