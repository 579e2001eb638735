"""What an earlier process left is taken up, whatever stands in the rows."""

import time

import pytest

from gateway.keys.counters import WINDOWS_KEPT, window_start
from gateway.keys.texts.times import DAY
from gateway.store.models import LimitCounterRow
from tests.serving import V1, payload


@pytest.mark.gen_test
async def test_a_window_that_is_used_up_is_restored_beside_later_ones(serving):
    token = await serving.add_key(limits=["tokens 50/1d"])
    (key,) = serving.gateway.ring
    (limit,) = key.limits
    start = window_start(key.created_at, DAY, time.time())

    def leave_rows():
        # Later ones, and numbers that no limit has, are those of a clock that jumped.
        odd = ((-1, 2**63 - 1), (0, 60), (1, 5), (365, 1), (40_000, -1))
        many = [(days, 1) for days in range(-50, 50) if abs(days) > 1]
        for days, used in (*odd, *many):
            LimitCounterRow.insert(
                limit_id=limit.id, window_start=(start + days * DAY) * 1000, used=used
            ).execute()

    await serving.gateway.store.write(leave_rows)
    await serving.restart()
    restored = serving.gateway.limiter.ledger._restored[limit.id]
    assert len(restored) <= 2 * WINDOWS_KEPT
    bearer = {"authorization": f"Bearer {token}"}
    refused = await serving.ask(V1, payload(), headers=bearer)
    assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
