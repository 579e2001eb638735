"""What two processes share while one follows the other: limits, keys, conversations."""

import asyncio

import aiohttp
import pytest

from tests.faults.process import last_event
from tests.faults.restarting import (
    connected,
    held_turn,
    in_use,
    status_of,
)
from tests.serving import CODEX, payload

pytestmark = pytest.mark.slow

LIMIT = "requests 3/1d"


@pytest.mark.gen_test(timeout=60)
async def test_what_a_turn_holds_of_its_keys_limit_is_held_in_both(upstream, start):
    process = await start()
    key = await process.create_key("small", "--concurrency", "1", "--limit", LIMIT)
    headers = {"authorization": f"Bearer {key}"}
    gate = asyncio.Event()
    held_turn(upstream, gate)
    async with aiohttp.ClientSession(headers=headers) as session:
        stream = await session.post(process.url + CODEX, json=payload())
        await upstream.arrived()
        await process.restart()
        async with aiohttp.ClientSession(headers=headers) as newcomer:
            waiting = asyncio.create_task(process.turn(newcomer))
            assert await in_use(newcomer, process) == {"concurrency": 1, "requests": 0}
            assert len(upstream.of()) == 1
            gate.set()
            assert last_event(await stream.read()) == "response.completed"
            assert await waiting == "response.completed"
            assert await in_use(newcomer, process) == {"concurrency": 0, "requests": 2}
            # The third is the last; and what one process counts, the next one knows.
            assert await process.turn(newcomer) == "response.completed"
        await process.restart()
        async with aiohttp.ClientSession(headers=headers) as newcomer:
            assert (await process.turn(newcomer)).startswith("429")


@pytest.mark.gen_test(timeout=60)
async def test_what_a_killed_predecessor_held_is_given_back(upstream, start):
    process = await start()
    key = await process.create_key("small", "--concurrency", "1", "--limit", LIMIT)
    headers = {"authorization": f"Bearer {key}"}
    held_turn(upstream, asyncio.Event())
    async with aiohttp.ClientSession(headers=headers) as session:
        await session.post(process.url + CODEX, json=payload())
        await upstream.arrived()
        await process.restart()
        async with aiohttp.ClientSession(headers=headers) as newcomer:
            waiting = asyncio.create_task(process.turn(newcomer))
            assert await in_use(newcomer, process) == {"concurrency": 1, "requests": 0}
            process._process.kill()
            assert await waiting == "response.completed"
            assert await in_use(newcomer, process) == {"concurrency": 0, "requests": 1}


@pytest.mark.gen_test(timeout=60)
async def test_a_conversation_keeps_the_account_it_got_during_the_restart(
    upstream, start
):
    process = await start("one", "two")
    await process.run("strategy", "round_robin")
    held = []
    for number in range(6):
        gate = asyncio.Event()
        held_turn(upstream, gate, before=0)
        held.append((f"conversation {number}", gate))
    async with aiohttp.ClientSession() as session:
        running = [
            asyncio.create_task(process.turn(session, prompt_cache_key=name))
            for name, _ in held
        ]
        await upstream.arrived(len(held))
        await process.restart()
        for _, gate in held:
            gate.set()
        assert set(await asyncio.gather(*running)) == {"response.completed"}
        async with aiohttp.ClientSession() as newcomer:
            # The other way round, or taking turns alone would lead them home.
            for name, _ in reversed(held):
                await process.turn(newcomer, prompt_cache_key=name)
    accounts = {}
    for received in upstream.of():
        name = received.payload["prompt_cache_key"]
        accounts.setdefault(name, []).append(received.account)
    assert {len(set(used)) for used in accounts.values()} == {1}
    assert {len(used) for used in accounts.values()} == {2}
    assert {used[0] for used in accounts.values()} == {"one", "two"}


@pytest.mark.gen_test(timeout=60)
async def test_a_key_that_is_disabled_is_refused_by_both(upstream, start):
    process = await start()
    key = await process.create_key("small")
    gate = asyncio.Event()
    held_turn(upstream, gate)
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        stream = await session.post(process.url + CODEX, json=payload())
        await upstream.arrived()
        # Connections that the predecessor still serves.
        kept = [await connected(process) for _ in range(2)]
        await process.restart()
        assert await status_of(*kept[0], "/v1/models", key) == 200
        await process.run("keys", "disable", "small")
        assert await status_of(*kept[1], "/v1/models", key) == 401
        for _, writer in kept:
            writer.close()
        gate.set()
        assert last_event(await stream.read()) == "response.completed"
