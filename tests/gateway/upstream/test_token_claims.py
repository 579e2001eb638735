"""A refresh beside other processes: their claim, and the tokens they leave."""

import asyncio
import time

import pytest

from gateway.store.database import StoreUnavailable
from gateway.upstream import UpstreamFault
from tests.gateway.upstream.test_tokens import Database, account, credentials, run
from tests.gateway.upstream.token_endpoint import Endpoint


def test_a_claim_that_is_held_too_long_is_not_waited_for_any_more(monkeypatch):
    monotonic = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: 1_000 * monotonic())
    database = Database()
    database.claimed = "another process"

    async def scenario(tokens, database, seen):
        async with asyncio.timeout(5_000):  # of the quick clock
            with pytest.raises(UpstreamFault) as caught:
                await tokens.ensure_fresh(account())
        assert caught.value.failure.code == "token_refresh_failed"

    assert not run(scenario, database=database).requests
    assert database.claimed == "another process"


@pytest.mark.parametrize(("lifetime", "used"), [(3_600, "rt-2"), (10, "rt-2+")])
def test_a_token_spent_by_another_process_is_forgiven(lifetime, used):
    """It left a newer one in the database, which may be near its end already."""
    endpoint = Endpoint()
    endpoint.spent.add("rt-1")

    async def scenario(tokens, database, seen):
        endpoint.gate = asyncio.Event()
        mine = account()
        refreshing = asyncio.create_task(tokens.ensure_fresh(mine))
        await endpoint.arrived.wait()
        database.stored = credentials(lifetime, "rt-2")
        endpoint.gate.set()
        await refreshing
        assert mine.credentials.refresh_token.reveal() == used
        assert not seen

    assert len(run(scenario, endpoint).requests) == (1 if used == "rt-2" else 2)


def test_who_was_stopped_inside_a_refresh_takes_what_is_stored():
    """Its claim was over, and another process has refreshed meanwhile."""
    endpoint = Endpoint()

    async def scenario(tokens, database, seen):
        endpoint.gate = asyncio.Event()
        mine = account()
        database.stored = mine.credentials
        refreshing = asyncio.create_task(tokens.ensure_fresh(mine))
        await endpoint.arrived.wait()
        database.stored = credentials(3_600, "rt-2")
        endpoint.gate.set()  # its own answer, which was good once
        await refreshing
        assert mine.credentials == database.stored
        assert mine.credentials.refresh_token.reveal() == "rt-2"
        assert not seen

    assert len(run(scenario, endpoint).requests) == 1


@pytest.mark.parametrize(("lifetime", "is_refused"), [(200, False), (-1, True)])
def test_a_token_that_has_not_ended_is_used_while_the_database_is_away(
    lifetime, is_refused
):
    class Away(Database):
        async def claim(self, account_id, owner, ttl):
            raise StoreUnavailable

    async def scenario(tokens, database, seen):
        mine = account(lifetime)
        try:
            await tokens.ensure_fresh(mine)
        except StoreUnavailable:
            assert is_refused
        else:
            assert not is_refused
        assert not seen

    assert not run(scenario, database=Away()).requests
