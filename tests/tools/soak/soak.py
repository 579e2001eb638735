"""One soak: clients talk, accounts suffer, and in the end nothing may be left of it."""

import asyncio
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.process import FaultyProcess
from tests.tools.soak import attacks, verdict
from tests.tools.soak.attacks import Attackers
from tests.tools.soak.clients import Habits, Place, keep_talking
from tests.tools.soak.figures import Found, quantiles
from tests.tools.soak.stand import HOSTILE, built, clients
from tests.tools.soak.tally import Tally
from tests.tools.soak.upstream import PLAIN
from tests.tools.soak.weather import Record

ACCOUNTS = ("one", "two", "three", "four")
# Of ten clients; the others' keys are reached by one each.
SHARES = ("free",) * 7 + ("counted", "metered", "narrow")
# What a soak cannot do without, and what it does when its clients have the habit.
EXPECTED = (
    *("answered over http", "answered over websocket", "tool calls"),
    *("resent histories", "cut answers"),
)
# By then what is bounded has its size: pools, the allocator, and what is remembered of
# the last 10,000 conversations and responses, and of 20,000 responses whose they are.
SETTLED_AFTER = 600.0
RECOVERY = 25.0  # the end is without strokes, so that nothing is cut in its middle
SAMPLE_SECONDS = 2.0
SAMPLES = 5  # around one moment: a single one may be at a peak
LOOK_SECONDS = 0.2  # between two looks at the accounts
# A hostile key's hangs are to end within a short run.
HOSTILE_SETTINGS = {"FIRST_EVENT_TIMEOUT": "8", "CONNECT_TIMEOUT": "4"}


@dataclass(frozen=True, slots=True)
class Profile:
    """What kind of soak it is."""

    seconds: float
    seed: int
    conversations: int = 200
    keys: tuple = SHARES  # names, by turns; none: local clients need no key
    habits: Habits = field(default_factory=Habits)
    attackers: int = 0  # with a key of their own; then the accounts are well

    @property
    def expected(self):
        """What is to happen in it."""
        if self.attackers:
            return EXPECTED[:3]
        wanted = {
            "compactions": self.habits.compacting,
            "left by the client": self.habits.leaving,
            "key limits reached": self.keys,
        }
        return (*EXPECTED, *(name for name, is_wanted in wanted.items() if is_wanted))


async def soak(folder, profile):
    """Run it; what was Found."""
    names = dict.fromkeys((*profile.keys, *[HOSTILE][: profile.attackers]))
    settings = HOSTILE_SETTINGS if profile.attackers else {}
    script = attacks.__name__ if profile.attackers else PLAIN
    async with built(folder, ACCOUNTS, names, script=script, **settings) as stand:
        process = stand.process
        tally, memory, marks = Tally(), Memory(process), set()
        before, files = await stand.metrics(), process.open_files()
        # Fixed now: a wall clock that is set meanwhile must not move the strokes.
        to_monotonic = time.monotonic() - time.time()
        end = time.monotonic() + profile.seconds
        async with clients() as session, asyncio.TaskGroup() as tasks:
            hostile = Place(session, process.url, stand.keys.get(HOSTILE), Tally(), end)
            attackers = Attackers(hostile, random.Random(profile.seed))
            for number in range(profile.conversations):
                key = profile.keys[number % len(profile.keys)] if profile.keys else ""
                key = stand.keys.get(key, "")
                place = Place(session, process.url, key, tally, end)
                talk = keep_talking(place, number, profile.seed, profile.habits)
                tasks.create_task(talk)
            tasks.create_task(memory.watch(end))
            for _ in range(profile.attackers):
                tasks.create_task(attackers.attack())
            happening = (
                watch(stand, end, marks) if profile.attackers else storm(stand, profile)
            )
            record = await happening
        held = await stand.left_over(before)
        found = Found(
            profile.seconds,
            profile.seed,
            profile.conversations,
            dict(sorted(tally.counts.items())),
            refused=dict(Counter(one.code for one in tally.refusals).most_common()),
            rows={},
            strokes=dict(sorted(record.counts.items())),
            held=held,
            memory=memory.samples,
            rested_bytes=process.resident_bytes(),
            open_files=(files, process.open_files()),
            peak_lag=(await stand.metrics()).lag(),
            expected=profile.expected,
        )
    found.settled_bytes = memory.around(min(SETTLED_AFTER, profile.seconds / 2))
    found.loaded_bytes = memory.around(profile.seconds)
    found.answer_ms = quantiles(tally.answers)
    found.first_event_ms = quantiles(tally.first_events)
    found.attacks, found.harmed = attackers.met, sorted(marks)
    judge(found, tally, record, process, to_monotonic)
    return found


async def storm(stand, profile):
    """Bad weather for the accounts; the record of it."""
    seconds = max(profile.seconds - RECOVERY, profile.seconds / 2)
    return await stand.upstream.storm(
        stand.process.url, stand.admin_token, seconds, profile.seed
    )


async def watch(stand, end, marks):
    """Look until the end whether anything is held against an account, which is well."""
    while time.monotonic() < end:
        for account in await stand.accounts():
            if account["state"] != "active":
                marks.add(f"{account['name']} is {account['state']}: {account['why']}")
        await asyncio.sleep(LOOK_SECONDS)
    return Record(list(ACCOUNTS))


def judge(found, tally, record, process, to_monotonic):
    """Fill in what the record of the gateway and that of the weather say."""
    rows = verdict.read_log(process.database)
    found.rows = dict(Counter(f"{r['transport']} {r['status']}" for r in rows))
    found.internal = verdict.internal(tally.refusals, rows, process.log())
    found.cut_answers = (tally.counts["cut answers"], record.cuts)
    found.ways_cut = dict(tally.ways_cut)
    spent = verdict.over_budget(tally.refusals, rows)
    found.over_budget = len(spent)
    known = set(map(id, spent))  # of tens of thousands
    others = [one for one in tally.refusals if id(one) not in known]
    found.unexcused, cooling = verdict.unexcused(others, record, rows)
    found.while_cooling = len(cooling)
    found.switches, found.groundless = verdict.switches(rows, record, to_monotonic)
    if found.attacks:
        found.harmed += verdict.harmed(tally, rows)


class Memory:
    """Resident bytes of the gateway's process over time."""

    def __init__(self, process: FaultyProcess) -> None:
        self._process = process
        self._begin = time.monotonic()
        self.samples: list[tuple] = []

    async def watch(self, end):
        """Sample until `end` (monotonic), and in a steady pace."""
        while time.monotonic() < end:
            second = time.monotonic() - self._begin
            self.samples.append((round(second, 1), self._process.resident_bytes()))
            await asyncio.sleep(SAMPLE_SECONDS)

    def around(self, second):
        """The median of what was seen around a moment."""
        nearest = sorted(self.samples, key=lambda sample: abs(sample[0] - second))
        return statistics.median(size for _, size in nearest[:SAMPLES])
