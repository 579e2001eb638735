"""Gateways that are killed or stand still under load, and what becomes of limits."""

import asyncio
import signal
import time
from collections import Counter

import pytest

from tests.cluster.load import TOKENS, Load, turns_by_name

pytestmark = pytest.mark.cluster

KEYS = 12
TURNS = 60
# Before so many of a key are done at each, nobody knows how large its next will be.
WARM = 20
SET_ASIDE = 6  # as much as so many turns use: for a running one, which may use it
TAKEN_OVER = 25  # seconds


class Deaths:
    """A company under load, of which some die; `late` counts what is not exact."""

    def __init__(self, company, upstream, turns=TURNS):
        self.company = company
        self.upstream = upstream
        self.turns = turns
        self.late = Counter()  # turns of each key in the last second of who died
        self.silenced = 0

    async def begin(self):
        await self.company.start(3)
        self.holders = await self.company.holders(self.turns, KEYS)
        self.load = Load(self.company.doors, self.holders)
        self.working = asyncio.create_task(self.load.run())
        await self.reach(WARM)

    async def reach(self, more):
        """Return once each key has taken so many more, or was refused one."""
        goals = {name: self.sent[name] + more for name in self.names}
        while any(  # noqa: ASYNC110
            self.sent[name] < goal and not self.load.answers(name)["429"]
            for name, goal in goals.items()
        ):
            await asyncio.sleep(0.05)

    @property
    def names(self):
        return [holder.name for holder in self.holders]

    @property
    def sent(self):
        return turns_by_name(self.upstream)

    async def silence(self, gateway, number):
        gateway.signal(number)
        moment = time.monotonic()
        self.silenced += 1
        if number == signal.SIGKILL:
            await gateway.ended()
        await asyncio.sleep(0.2)  # its clients see it
        self.late += self.load.since(moment - 1, gateway.url)

    async def check(self):
        sent = self.sent
        counted, logged = await self.company.counted(), await self.company.logged()
        for holder in self.holders:
            name, late = holder.name, self.late[holder.name]
            came = self.load.answers(name)
            assert came["429"] == holder.clients, (name, came)
            assert set(came) <= {"done", "lost", "refused", "429"}, (name, came)
            # What ran at who died is taken for used, and what it had not written yet
            # for nothing.
            held = min(holder.clients, came["lost"] + late)
            least = holder.turns - held * SET_ASIDE * self.silenced
            most = holder.turns + holder.clients - 1 + late
            assert least <= sent[name] <= most, (name, sent[name], late, came)
            for sums in (counted, logged):
                assert sent[name] - late <= sums[name] / TOKENS <= sent[name], name


@pytest.fixture
def deaths(company, upstream):
    return Deaths(company, upstream)


@pytest.mark.gen_test(timeout=90)
async def test_a_killed_one_s_share_comes_back_with_its_directory(deaths):
    await deaths.begin()
    victim = deaths.company.gateways[0]
    await deaths.silence(victim, signal.SIGKILL)
    began = time.monotonic()
    await victim.start()
    await deaths.working
    assert time.monotonic() - began < TAKEN_OVER - 5
    await deaths.check()


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=300)
async def test_each_is_killed_in_turn(company, upstream):
    deaths = Deaths(company, upstream, turns=8 * WARM)
    await deaths.begin()
    for victim in company.gateways:
        await deaths.reach(2 * WARM)
        await deaths.silence(victim, signal.SIGKILL)
        await victim.start()
    await deaths.working
    await deaths.check()


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=180)
async def test_a_killed_one_that_does_not_come_back_is_taken_over(deaths):
    await deaths.begin()
    await deaths.silence(deaths.company.gateways[1], signal.SIGKILL)
    began = time.monotonic()
    await deaths.working
    assert TAKEN_OVER - 5 < time.monotonic() - began < TAKEN_OVER + 15
    await deaths.check()
    assert len(await deaths.company.members()) == 2


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=180)
async def test_one_that_stood_still_spends_nothing_twice(deaths):
    await deaths.begin()
    paused = deaths.company.gateways[1]
    await deaths.silence(paused, signal.SIGSTOP)
    await asyncio.sleep(TAKEN_OVER + 5)
    paused.signal(signal.SIGCONT)
    await deaths.working
    await deaths.check()
    assert len(await deaths.company.members()) == 3
