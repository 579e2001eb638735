"""Several gateways on one PostgreSQL: limits hold, and all have the same sums."""

import pytest

from tests.cluster.load import exhaust

pytestmark = pytest.mark.cluster

MEMBERS = 4
KEYS = 40


async def exhaust_all(company, upstream, turns):
    await company.start(MEMBERS)
    _, sent = await exhaust(company, upstream, turns, KEYS)
    return sent


@pytest.mark.gen_test(timeout=90)
async def test_limits_hold_at_four_processes(company, upstream):
    assert await exhaust_all(company, upstream, 20) >= KEYS * 20


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=900)
async def test_limits_hold_for_twenty_thousand_turns(company, upstream):
    upstream._remember = 2 * 500 * KEYS
    assert await exhaust_all(company, upstream, 500) >= 20_000
