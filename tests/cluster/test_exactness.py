"""Several gateways on one PostgreSQL: limits hold, and all have the same sums."""

import pytest

from tests.cluster.load import TOKENS, Load, turns_by_name

pytestmark = pytest.mark.cluster

MEMBERS = 4
KEYS = 40


async def exhaust(company, upstream, turns):
    await company.start(MEMBERS)
    holders = await company.holders(turns, KEYS)
    load = Load(company.doors, holders)
    await load.run()
    sent = turns_by_name(upstream)
    for holder in holders:
        came = load.answers(holder.name)
        assert came == {"done": sent[holder.name], "429": holder.clients}, holder.name
        # Not one too few; too many at most those that ran when it was reached.
        assert turns <= sent[holder.name] < turns + holder.clients, holder.name
    used = {name: TOKENS * count for name, count in sent.items()}
    await company.agree(used)
    return sum(sent.values())


@pytest.mark.gen_test(timeout=90)
async def test_limits_hold_at_four_processes(company, upstream):
    assert await exhaust(company, upstream, 20) >= KEYS * 20


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=900)
async def test_limits_hold_for_twenty_thousand_turns(company, upstream):
    upstream._remember = 2 * 500 * KEYS
    assert await exhaust(company, upstream, 500) >= 20_000
