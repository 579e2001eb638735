"""Two keys that meet the same at two gateways of one PostgreSQL."""

import asyncio

import pytest

from gateway.demo.answers import ScriptedResponse
from tests.cluster.test_members import (
    database_url,
    driver,
    make_gateway,
    rows,
    server,
    two,
)
from tests.operator.test_acting import ask, key_in

__all__ = ["database_url", "driver", "make_gateway", "server", "two"]
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.nightly,
    pytest.mark.gen_test(timeout=90),
]

REFUSED = {"error": {"code": "forbidden", "message": "no"}}


async def test_an_account_is_the_last_choice_of_all_once_two_keys_met_the_same(
    two, upstream
):
    one, other, shell, elsewhere = two
    keys = [key_in(await shell.run("keys", "create", name)) for name in ("ada", "bob")]
    # Its judge decides nothing.
    upstream.answer(ScriptedResponse.json({}, status=500), route="usage", times=None)
    upstream.answer(ScriptedResponse.json(REFUSED, status=403), times=None)
    await ask(one, keys[0])
    (row,) = await rows(shell, "accounts", "list")
    assert row["state"] == "active"  # one key's word is its own
    await ask(other, keys[1])
    async with asyncio.timeout(20):
        for at in (shell, elsewhere):
            while True:
                (row,) = await rows(at, "accounts", "list")
                if row["state"] == "cooling":
                    break
                await asyncio.sleep(0.5)
            assert "two clients" in row["why"]
