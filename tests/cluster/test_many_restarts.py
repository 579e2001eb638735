"""All gateways of a database are restarted, or one more joins, under load."""

import asyncio

import aiohttp
import pytest

from tests.cluster.load import TOKENS, Load, turns_by_name
from tests.serving import payload, user

pytestmark = pytest.mark.cluster

KEYS = 12


async def check(company, upstream, load, holders):
    """No turn was lost, none refused that one process would have admitted."""
    sent = turns_by_name(upstream)
    for holder in holders:
        came = load.answers(holder.name)
        if holder.turns is None:
            assert came == {"done": sent[holder.name]}, holder.name
            continue
        assert came == {"done": sent[holder.name], "429": holder.clients}, holder.name
        least = holder.turns
        assert least <= sent[holder.name] < least + holder.clients, holder.name
    used = {name: TOKENS * count for name, count in sent.items()}
    await company.agree(used)


@pytest.mark.gen_test(timeout=120)
async def test_a_restart_of_all_loses_no_turn_and_no_token(company, upstream):
    await company.start(3)
    holders = await company.holders(60, KEYS)
    holders += await company.steady(6, "--limit", "tokens 999M/7d")
    load = Load(company.doors, holders)
    working = asyncio.create_task(load.run())
    await upstream.arrived(KEYS * 5)
    for gateway in company.gateways:
        await gateway.restart()
    load.end()
    await working
    await check(company, upstream, load, holders)


@pytest.mark.gen_test(timeout=60)
async def test_who_joins_moves_no_conversation(company, upstream):
    await company.start(2)
    await company.shell.run("strategy", "round_robin")
    key = (await company.holders(10_000, 1))[0].token
    headers = {"authorization": f"Bearer {key}"}
    doors = company.doors
    async with aiohttp.ClientSession(headers=headers) as session:

        async def turn(number, step, door):
            prompts = [user(f"conversation{number} {one}") for one in range(step + 1)]
            asked = payload(input=prompts, prompt_cache_key=f"talk{number}")
            async with session.post(
                f"{door}/v1/responses",
                json=asked,
                headers={"session-id": f"talk{number}"},
            ) as answer:
                assert b"response.completed" in await answer.read()

        async def talk(number):
            for step in range(8):
                await turn(number, step, doors[(number + step) % len(doors)])
                if step == 2:
                    begun.release()
                    await joined.wait()

        begun, joined = asyncio.Semaphore(0), asyncio.Event()
        talking = [asyncio.create_task(talk(number)) for number in range(12)]
        for _ in talking:
            await begun.acquire()
        third = company.add()
        await third.start()
        doors = company.doors
        joined.set()
        await asyncio.gather(*talking)
    accounts = sorted(
        {(one.payload["prompt_cache_key"], one.account) for one in upstream.of()}
    )
    names = [name for name, _ in accounts]
    assert len(names) == len(set(names)) == 12, accounts
    assert {account for _, account in accounts} == {"one", "two"}
