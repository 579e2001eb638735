"""A look for a model that no catalogue lists, at an upstream on a real socket."""

import asyncio

from gateway.accounts.eligibility import Demand
from gateway.polling.model_lookups import ModelLookups
from tests.gateway.polling.accounts_api import run


def asked(upstream):
    """How often the ChatGPT account's catalogue was asked for."""
    return sum(one.path.endswith("/codex/models") for one in upstream.requests)


async def listed(made):
    """Both accounts have their catalogues."""
    for account in made.pool.accounts.values():
        await made.catalogues.refresh(account)
    return asked(made.upstream)


def lookups_of(made):
    clock = [1_000.0]
    return ModelLookups(made.pool, made.catalogues.refresh, lambda: clock[0]), clock


def test_a_new_model_is_found_at_once():
    async def scenario(made):
        await listed(made)
        lookups, _ = lookups_of(made)
        made.upstream.models = [*made.upstream.models, {"slug": "new"}]
        made.upstream.etag = '"e2"'
        await lookups.look_for(Demand(model="new"))
        assert made.pool.lists_model("new")

    run(scenario)


def test_what_is_listed_or_may_be_there_is_not_looked_for():
    async def scenario(made):
        lookups, _ = lookups_of(made)
        await lookups.look_for(Demand(model="unknown"))  # nothing is known yet
        assert asked(made.upstream) == 0
        before = await listed(made)
        await lookups.look_for(Demand(model="m1"))
        await lookups.look_for(Demand(model=None))
        await lookups.look_for(Demand(model="x", allows_model=lambda model: False))
        assert asked(made.upstream) == before

    run(scenario)


def test_one_look_serves_all_who_wait():
    async def scenario(made):
        before = await listed(made)
        lookups, _ = lookups_of(made)
        demands = [Demand(model=f"x{n}", key_id=n) for n in range(5)]
        await asyncio.gather(*map(lookups.look_for, demands))
        assert asked(made.upstream) == before + 1

    run(scenario)


def test_there_is_one_look_a_minute_and_three_an_hour_a_sender():
    async def scenario(made):
        before = await listed(made)
        lookups, clock = lookups_of(made)
        looks = []
        for number in range(10):
            for key in (1, 2) if number > 5 else (1,):
                name = f"x{number}-{key}"
                await lookups.look_for(Demand(model=name, key_id=key))
            looks.append(asked(made.upstream) - before)
            clock[0] += 31
        # One in two rounds of 31 s; from the sixth on only the second key's.
        assert looks == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
        clock[0] += 3_600
        await lookups.look_for(Demand(model="y", key_id=1))
        assert asked(made.upstream) == before + 6

    run(scenario)


def test_a_name_that_was_looked_for_in_vain_is_remembered():
    async def scenario(made):
        before = await listed(made)
        lookups, clock = lookups_of(made)
        await lookups.look_for(Demand(model="x", key_id=1))
        clock[0] += 599
        await lookups.look_for(Demand(model="x", key_id=2))
        assert asked(made.upstream) == before + 1
        clock[0] += 2
        await lookups.look_for(Demand(model="x", key_id=2))
        assert asked(made.upstream) == before + 2

    run(scenario)


def test_a_request_waits_two_seconds_at_most():
    async def scenario(made):
        await listed(made)
        lookups, _ = lookups_of(made)
        made.upstream.answering.clear()
        started = asyncio.get_running_loop().time()
        await lookups.look_for(Demand(model="x"))
        assert 1.9 < asyncio.get_running_loop().time() - started < 20
        made.upstream.answering.set()
        await lookups.close()

    run(scenario)
