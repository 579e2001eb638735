"""Bodies that are not finished, or become huge: nobody else is refused, and memory
stays within what the settings name."""

import asyncio
import re
import time
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.faults.conftest import start_process  # noqa: F401
from tests.hostile.bodies import MEBIBYTE, bombs, of_key, of_strangers
from tests.serving import PATIENCE, until

pytestmark = pytest.mark.hostile

BUDGET = 64 * MEBIBYTE
SIDE_BUDGET = 64 * MEBIBYTE
SPARE = 200 * MEBIBYTE  # what an attack may cost beyond the budgets
TURNS = 5  # of another key, beside each attack
# Those who hold a share all the time; of them only who gets none is answered.
HOLDING = {"a key's unfinished bodies", "a key's bodies without an end"}
FORMS = [
    # Connections of an attack, and bombs.
    pytest.param(150, 12, id="short"),
    pytest.param(1062, 200, id="whole", marks=pytest.mark.nightly),
]


def attacks(key, number, some):
    """By name: how many connections, what each sends, and the statuses it may see."""
    counts = {"wrong keys, in chunks": number // 5}
    counts |= {"a key's bodies without an end": number // 5}
    counts |= dict.fromkeys(bombs(key), some)
    return {
        name: (counts.get(name, number), *body)
        for name, body in (of_strangers() | of_key(key) | bombs(key)).items()
    }


async def attack(port, sent, statuses):
    """One attacker's connection, open until it is cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        head = await reader.read(4096)
        if head:
            statuses.append(int(head.split()[1]))
        await asyncio.Event().wait()
    except ConnectionError:
        statuses.append(0)
    finally:
        writer.transport.abort()


def peak_bytes(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def forget_peak(process):
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


@pytest.mark.parametrize(("number", "some"), FORMS)
@pytest.mark.gen_test(timeout=120)
async def test_nobody_is_refused_for_others_bodies(
    start_process,  # noqa: F811
    number,
    some,
):
    process = await start_process(BODY_BUDGET_BYTES=str(BUDGET))
    hostile = await process.create_key("hostile")
    other = {"x-api-key": await process.create_key("other")}
    base = process.resident_bytes()
    async with aiohttp.ClientSession(headers=other) as session:
        for name, (count, sent, expected) in attacks(hostile, number, some).items():
            forget_peak(process)
            began = time.monotonic()
            statuses: list[int] = []
            async with attackers(count, process.port, sent, statuses):
                for turn in range(TURNS):
                    ended = await process.turn(session, f"x{turn}" * 50_000)
                    assert ended == "response.completed", (name, turn)
                if expected:
                    await answered(statuses, 1 if name in HOLDING else count)
                assert set(statuses) <= expected, name
            took, grown = time.monotonic() - began, peak_bytes(process) - base
            print(f"{name}: {count}, {took:.1f} s, +{grown >> 20} MiB, {set(statuses)}")
            assert grown < BUDGET + SIDE_BUDGET + SPARE, name
        async with asyncio.timeout(PATIENCE):
            while await process.metric("body_bytes"):
                pass  # some of the closed connections have not been seen
    assert "Traceback" not in process.log()
    assert process.log().count("\n") < 20


@asynccontextmanager
async def attackers(count, port, sent, statuses):
    tasks = [asyncio.create_task(attack(port, sent, statuses)) for _ in range(count)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def answered(statuses, least):
    await until(lambda: len(statuses) >= least)
