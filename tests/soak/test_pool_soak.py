"""Four accounts in bad weather, fifty conversations: nobody notices but upstream."""

import asyncio
import os
import statistics
import time
from collections import Counter

import aiohttp
import pytest

from gateway.demo.upstream import ScriptedUpstream
from tests.faults.process import FaultyProcess
from tests.soak.conversations import Tally, keep_talking
from tests.soak.verdict import over_budget, read_log, switches, unexcused
from tests.soak.weather import Weather

ACCOUNTS = ("one", "two", "three", "four")
CONVERSATIONS = 50
SETTLED_AFTER = 60.0  # by then caches, pools and the allocator have their size
RECOVERY = 25.0  # the end is without strokes, so that nothing is cut in its middle
GROWTH = 1.05


async def soak(folder, seconds, seed):
    """Run it; figures and verdicts by name."""
    upstream = ScriptedUpstream(remember=500)
    await upstream.start()
    process = FaultyProcess(folder, upstream.url)
    for name in ACCOUNTS:
        file = upstream.add_account(name).write_auth_file(folder / "auth")
        await process.run("accounts", "import", str(file))
    await process.start()
    token = (await process.run("admin", "token")).strip()
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def operator(name, action):
        url = f"{process.url}/api/accounts/{name}@demo.example/{action}"
        headers = {"authorization": f"Bearer {token}"}
        async with session.post(url, headers=headers) as response:
            assert response.status == 200, await response.text()

    try:
        weather, tally = Weather(upstream, operator, seed), Tally()
        end = time.monotonic() + seconds
        # Fixed now: a wall clock that is set meanwhile must not move the strokes.
        to_monotonic = time.monotonic() - time.time()
        storm = max(seconds - RECOVERY, seconds / 2)
        async with asyncio.TaskGroup() as tasks:
            for number in range(CONVERSATIONS):
                talk = keep_talking(session, process.url, tally, number, seed, end)
                tasks.create_task(talk)
            tasks.create_task(weather.run(storm))
            after = min(SETTLED_AFTER, seconds / 2)
            memory = tasks.create_task(watch_memory(process, after))
        settled = memory.result()
        grown = process.resident_bytes()
        held = await in_flight(session, process, token)
    finally:
        await session.close()
        await process.stop()
        await upstream.stop()
    rows = read_log(process.database)
    causes, groundless = switches(rows, weather, to_monotonic)
    spent = over_budget(tally.refusals, rows)
    others = [one for one in tally.refusals if one not in spent]
    return {
        "seconds": seconds,
        "seed": seed,
        "requests": dict(sorted(tally.counts.items())),
        "rows": dict(Counter(f"{r['transport']} {r['status']}" for r in rows)),
        "attempts": dict(sorted(Counter(r["attempts"] for r in rows).items())),
        "strokes": dict(sorted(weather.counts.items())),
        "cut answers": (tally.counts["cut answers"], "of upstream's", weather.cuts),
        "refused": len(tally.refusals),
        "over budget": len(spent),
        "unexcused": unexcused(others, weather),
        "switches": dict(causes),
        "groundless": groundless,
        "answer_ms": quantiles(tally.seconds),
        "settled_bytes": settled,
        "end_bytes": grown,
        "growth": round(grown / settled, 4),
        "held": held,
    }


async def watch_memory(process, after):
    await asyncio.sleep(after)
    return process.resident_bytes()


async def in_flight(session, process, token):
    """What is still running once all clients have ended."""
    headers = {"authorization": f"Bearer {token}"}
    async with session.get(process.url + "/metrics", headers=headers) as response:
        lines = (await response.text()).splitlines()
    return {
        line.rpartition(" ")[0]: line.rpartition(" ")[2]
        for line in lines
        if line.startswith(("codex_gateway_in_flight", "codex_gateway_account_in_fl"))
        and not line.endswith(" 0.0")
    }


def quantiles(seconds):
    cuts = statistics.quantiles(seconds, n=100)
    return {f"p{n}": round(cuts[n - 1] * 1000) for n in (50, 95, 99)}


def judge(found):
    """Print the figures, then assert what they must be."""
    for name, value in found.items():
        print(f"{name:>14}  {value if not isinstance(value, list) else value[:5]}")
    assert not found["unexcused"]
    assert not found["groundless"]
    assert not found["held"]
    assert found["requests"].get("given up", 0) == 0 or found["refused"]
    seen, _, made = found["cut answers"]
    assert seen <= made


@pytest.mark.slow
@pytest.mark.gen_test(timeout=180)
async def test_a_minute_of_bad_weather(io_loop, tmp_path):
    judge(await soak(tmp_path, 60.0, seed=int(os.environ.get("SOAK_SEED", "1"))))


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=900)
async def test_ten_minutes_of_bad_weather(io_loop, tmp_path):
    found = await soak(tmp_path, 600.0, seed=int(os.environ.get("SOAK_SEED", "2")))
    judge(found)
    assert found["end_bytes"] <= found["settled_bytes"] * GROWTH
