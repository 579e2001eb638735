"""What all members may do together, each does a part of."""

import pytest

from gateway.failover.decision import Elsewhere, GiveUp, RetryBudget
from gateway.store.models import now_ms
from gateway.store.shared.tables import MemberRow

REPEAT = Elsewhere(costs_budget=True)


@pytest.mark.parametrize(("members", "repeats"), [(1, 3), (2, 2), (3, 1), (9, 1)])
def test_the_least_that_is_always_repeated_is_of_all_members(members, repeats):
    budget = RetryBudget()
    budget.members = members
    allowed = [budget.allow(REPEAT, client, 0.0) for client in range(9)]
    assert sum(not isinstance(one, GiveUp) for one in allowed) == repeats


@pytest.mark.gen_test
async def test_a_process_shares_while_there_are_others(serving):
    gateway = serving.gateway
    witnesses, budget = gateway.pool.verdicts.witnesses, gateway.turns.attempts.budget
    row = {"directory": "d", "place": "p", "version": "1", "state": "serving"}
    joined = MemberRow.insert(started_at=now_ms(), **row)
    assert not witnesses.is_shared
    await gateway.store.write(joined.execute)
    await gateway.membership.look()
    assert witnesses.is_shared
    assert (budget.members, gateway.judges.members) == (2, 2)
    await gateway.store.write(MemberRow.delete().execute)
    await gateway.membership.look()
    assert not witnesses.is_shared
    assert (budget.members, gateway.judges.members) == (1, 1)
