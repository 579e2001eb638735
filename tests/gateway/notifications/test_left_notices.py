"""Beside other processes: what one of them still tries is left to it."""

from functools import partial

import pytest

from gateway.store.models import now_ms
from gateway.store.notices import put_notices
from gateway.store.shared.tables import MemberRow
from tests.gateway.notifications.test_notifications import (
    is_told,
    look,
    stored,
    told,
)

__all__ = ["told"]
pytestmark = [pytest.mark.operator, pytest.mark.gen_test(timeout=40)]


def row_of_another(scope, due):
    """What another process has to tell, as it is stored."""
    return {
        "message_id": f"msg_{scope}",
        "event": "account.login_ended",
        "scope": scope,
        "level": 1,
        "channel": "webhook",
        "title": "t",
        "text": "t",
        "created_at": now_ms(),
        "next_at": due,
    }


async def test_what_a_living_process_tries_again_is_left_to_it(serving, told):
    """And what it was killed with is told by another."""
    gateway = serving.gateway
    where = {"directory": "another", "place": "elsewhere", "version": "1"}
    begun = {"state": "serving", "started_at": now_ms()}
    await gateway.store.write(partial(MemberRow.create, **where, **begun))
    await gateway.membership.look()
    assert not gateway.membership.is_alone
    for scope, due in (("tried", now_ms() + 5_000), ("left", now_ms() - 90_000)):
        await gateway.store.write(put_notices, [row_of_another(scope, due)])
    gateway.notifications._adopt_at = 0.0
    look(serving)
    request, _ = await told.next()
    assert request.headers["webhook-id"] == "msg_left"
    rows = await stored(serving, lambda row: row["scope"] == "tried" or is_told(row))
    assert [(row["scope"], is_told(row)) for row in rows] == [
        ("tried", False),
        ("left", True),
    ]
    assert gateway.notifications._queues[0].waiting == 0
