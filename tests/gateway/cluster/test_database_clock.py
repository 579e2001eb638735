"""Windows of limits begin by the database's time, whatever a member's clock says."""

import time

import pytest

from gateway.cluster.database_clock import DatabaseClock
from gateway.keys.counters import Charge
from gateway.protocol.facts import Usage

pytestmark = pytest.mark.gen_test


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        (5, "this machine's clock is 5 s ahead of the database's"),
        (-100, "this machine's clock is 100 s behind the database's"),
        (0, ""),
    ],
)
async def test_a_clock_that_is_off_is_told_and_does_not_count(store, ahead, told):
    clock = DatabaseClock(store, lambda: time.time() + ahead)
    await clock.measure()
    assert abs(clock.time() - time.time()) < 1
    assert clock.problem.startswith(told)
    assert bool(clock.problem) is bool(told)


async def test_an_offset_that_may_be_right_stays(store):
    clock = DatabaseClock(store)
    for _ in range(5):
        await clock.measure()
        assert clock.offset == 0


async def test_windows_begin_by_that_clock(serving):
    """Of a member whose own clock is a day behind."""
    gateway = serving.gateway
    gateway.database_clock.offset = 86_400.0
    await serving.add_key(limits=["tokens 1M/1h"])
    [key] = gateway.ring
    ahead = gateway.database_clock.time()
    await gateway.limiter.reserve(key, Charge(Usage(1)), None)
    [counter] = gateway.limiter.ledger.all_counters(key, ahead)
    assert counter.start <= ahead < counter.end
    assert counter.reserved
