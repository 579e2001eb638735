"""Limits, keys and turns of the Limiter under test, on a clock set by hand."""

import asyncio

from gateway.keys.counters import Charge
from gateway.keys.key import Key, Limit, Measure
from gateway.pricing.pricing import Prices
from gateway.protocol.facts import Usage

CREATED = 1_764_000_000  # 2025-11-24T16:00:00Z

HOUR, DAY = 3600, 86_400


class Clock:
    def __init__(self, now=CREATED + 10.0):
        self.now = now

    def __call__(self):
        return self.now


def limit(maximum, measure=Measure.TOKENS, window="7d", model=None, id=1):
    return Limit(id, measure, maximum, window, model)


def key(*limits, id=1, **fields):
    return Key(id, f"key {id}", "sk-cgw-", "", CREATED, limits=limits, **fields)


PRICES = Prices().table


def unknown(tokens, most=128_000, model=None):
    """A turn of which only the input is known."""
    usage = Usage(tokens, output_tokens=min(4_000, most))
    quote = PRICES.quote(model, None)
    return Charge(usage, None, model, quote, most, is_expected=False)


def primed(tokens, most=128_000):
    """A turn of a key whose turns were tiny until now."""
    return Charge(Usage(tokens, output_tokens=4_000), None, None, None, most)


def spend(tokens):
    return Charge(Usage(tokens), 0)


def used(limiter, a_key):
    now = limiter._clock()
    return [row["current_value"] for row in limiter.report(a_key, now)]


async def turn(limiter, a_key, tokens, model="m"):
    """One whole turn that takes what was expected."""
    reservation = await limiter.reserve(a_key, spend(tokens), model)
    reservation.settle(Usage(tokens), 0)


async def started(*turns):
    """The turns as tasks, each run as far as it gets without the others."""
    tasks = []
    for awaitable in turns:
        tasks.append(asyncio.ensure_future(awaitable))
        await settled()
    return tasks


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


def written(limiter):
    """(limit id, window start, used by this process) of what is to be written down."""
    counters = limiter.ledger.take_dirty()
    return sorted((one.limit.id, one.start, one.own) for one in counters)
