"""All attackers at once, from a process of lower priority: twenty keys beside them are
answered, none is late, and memory stays within what the settings name."""

import asyncio
import json
import os
import resource
import statistics
import sys
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from tests.e2e.gateway_process import ROOT
from tests.hostile.siege import script
from tests.hostile.siege.others import Others
from tests.hostile.test_hoarded_bodies import peak_bytes
from tests.tools.soak.stand import built

pytestmark = pytest.mark.hostile

MEBIBYTE = 1 << 20
BUDGET = 128 * MEBIBYTE
SPARE = 200 * MEBIBYTE
LATER = 3.0  # times as late as beside the same attackers of another gateway
OTHERS = 20
ACCOUNTS = ("one", "two")
CAP = 50  # turns of an account at a time: most of the places are the hostile key's
RAMP = 8.0  # until all connections of an attack are there, or gone
MOST_LINES = 100  # of the log, whatever strangers send
NOBODY = (0, "")
FAULTS = {"500", "501", "502", "504"}
SHORT_SECONDS = 35.0
# In the long form each of both gateways is besieged so often, for so long.
ROUNDS = int(os.environ.get("SIEGE_ROUNDS", "10"))
SECONDS = float(os.environ.get("SIEGE_SECONDS", "30"))


class Attackers:
    """The parent's side of their process."""

    def __init__(self, process):
        self._process = process

    async def turn_to(self, port, key):
        """Attack this one from now on; what came of the attack before, by name."""
        self._process.stdin.write(json.dumps([port, key]).encode() + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        return json.loads(line)


@asynccontextmanager
async def attackers():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.hostile.siege"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Attackers(process)
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 60)


@asynccontextmanager
async def besieged(folder):
    """A stand, the hostile key's token, and the others' tokens."""
    folder.mkdir()
    budget = str(BUDGET)
    async with built(
        folder, ACCOUNTS, cap=CAP, script=script.__name__, BODY_BUDGET_BYTES=budget
    ) as stand:
        hostile, *others = [await make_key(stand, n) for n in range(OTHERS + 1)]
        yield stand, hostile, others


async def make_key(stand, number):
    headers = {"authorization": f"Bearer {stand.admin_token}"}
    url, wanted = stand.process.url + "/api/keys", {"name": f"key{number}"}
    async with stand.session.post(url, json=wanted, headers=headers) as made:
        return (await made.json())["key"]


@pytest.fixture(autouse=True)
def _descriptors():
    """Enough for all connections, here and in the processes that are started."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@asynccontextmanager
async def taking_turns(stand, keys):
    """The others, with what the process held before any attack and after it."""
    others = Others(stand.process.url)
    turns = asyncio.create_task(others.take_turns(keys))
    await asyncio.sleep(3)
    base = stand.process.resident_bytes()
    yield others
    others.is_over = True
    await turns
    others.grown_bytes = peak_bytes(stand.process) - base


@pytest.mark.alone
@pytest.mark.gen_test(timeout=240)
async def test_all_attackers_at_once(io_loop, tmp_path):
    async with besieged(tmp_path / "here") as (stand, hostile, keys):
        async with attackers() as they, taking_turns(stand, keys) as others:
            await they.turn_to(stand.process.port, hostile)
            others.phase = "besieged"
            await asyncio.sleep(SHORT_SECONDS)
            met = await they.turn_to(*NOBODY)
        judge(others, met, stand.process.log())
    # How many come through is the machine's matter; that they come is not.
    assert all(met.values())


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=1200)
async def test_beside_the_same_attackers_of_another_gateway(io_loop, tmp_path):
    async with (
        besieged(tmp_path / "here") as (stand, hostile, keys),
        besieged(tmp_path / "decoy") as (decoy, lured, _),
        attackers() as they,
    ):
        targets = [(stand.process.port, hostile), (decoy.process.port, lured)]
        met = {}
        async with taking_turns(stand, keys) as others:
            for number in range(2 * ROUNDS):
                others.phase = "in between"
                came = await they.turn_to(*targets[number % 2])
                if number % 2:  # what came was of the gateway that the others use
                    add(met, came)
                await asyncio.sleep(RAMP)
                others.phase = ("besieged", "beside")[number % 2]
                await asyncio.sleep(SECONDS - RAMP)
            await they.turn_to(*NOBODY)
        judge(others, met, stand.process.log())
    sent = {name: sum(came.values()) / SECONDS / ROUNDS for name, came in met.items()}
    assert sent["refused"] > 0.9 * 300
    late = {phase: p99(others.first_events[phase]) for phase in ("besieged", "beside")}
    assert late["besieged"] <= LATER * late["beside"], late


def add(met, came):
    for name, counts in came.items():
        met[name] = Counter(met.get(name, {})) + Counter(counts)


def p99(seconds):
    return statistics.quantiles(seconds, n=100, method="inclusive")[98]


def judge(others, met, log):
    """Print the figures, and fail for what must not be."""
    for name, came in met.items():
        print(f"{name}: {sum(came.values())}, {dict(came)}")
    for phase, times in others.first_events.items():
        median = statistics.median(times)
        print(f"{phase}: {len(times)} turns, {median:.3f} s, 99 %: {p99(times):.3f} s")
    lines = log.count("\n")
    print(f"+{others.grown_bytes >> 20} MiB, {lines} lines in the log")
    assert others.refusals == []
    assert others.grown_bytes < BUDGET + SPARE
    assert {code[:3] for came in met.values() for code in came} & FAULTS == set()
    assert "Traceback" not in log
    assert lines < MOST_LINES
