"""The Limiter against a plain model: any order of turns, clocks and restarts."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import KeyLimitReached
from gateway.keys.counters import Charge
from gateway.keys.key import Key, Limit, Measure, seconds_of
from gateway.keys.limiter import Limiter
from gateway.protocol.facts import Usage

CREATED = 1_764_000_000
MODELS = ["small", "big"]


@dataclass
class Turn:
    """One turn as the model knows it; windows are (limit id, window number)."""

    key: Key
    model: str
    truth: Charge
    task: asyncio.Task
    windows: list = field(default_factory=list)
    state: str = "asked"  # → waiting → running → ended, or refused


class Model:
    """What every limit has used, per window; knows nothing of reservations."""

    def __init__(self, exact):
        self.exact = exact  # estimates are never below the truth
        self.now = CREATED + 0.5
        self.used = Counter()
        self.largest = Counter()
        self.turns = []
        self.stored = Counter()
        self.before = self.stored.copy()  # what earlier limiters have used
        self.limiter = Limiter(lambda: self.now)

    def limits(self, turn):
        return [limit for limit in turn.key.limits if limit.applies_to(turn.model)]

    def window(self, limit):
        return limit.id, int(self.now - CREATED) // seconds_of(limit.window)

    def in_state(self, state):
        return [turn for turn in self.turns if turn.state == state]

    def exhausted(self, turn):
        return [
            limit
            for limit in self.limits(turn)
            if self.used[self.window(limit)] >= limit.maximum
        ]

    async def ask(self, key, model, truth, extra):
        estimate = spend(
            truth.usage.input_tokens + extra, truth.output, truth.cost + extra
        )
        task = asyncio.ensure_future(self.limiter.reserve(key, estimate, model))
        self.turns.append(Turn(key, model, truth, task))
        await self.look(key)

    async def end(self, number, *, took_nothing):
        running = self.in_state("running")
        if not running:
            return
        turn = running[number % len(running)]
        turn.state = "ended"
        reservation = turn.task.result()
        if took_nothing:
            reservation.release()
        else:
            for limit, window in zip(self.limits(turn), turn.windows, strict=True):
                amount = turn.truth.amount(limit.measure)
                self.used[window] += amount
                self.largest[window] = max(self.largest[window], amount)
            reservation.settle(turn.truth.usage, turn.truth.cost)
        await self.look(turn.key)

    async def cancel(self, number):
        waiting = self.in_state("waiting")
        if waiting:
            turn = waiting[number % len(waiting)]
            turn.task.cancel()
            turn.state = "ended"
            await asyncio.wait({turn.task})
            await self.look(turn.key)  # it makes way for those behind

    async def look(self, key):
        """Compare what became of a key's open turns with what the model expects.

        Only of the key that something happened to: the others' waiting turns may
        not have noticed that the clock went on.
        """
        for _ in range(6):
            await asyncio.sleep(0)
        passed = []
        for turn in self.turns:
            if turn.key != key or turn.state not in ("asked", "waiting"):
                continue
            if not turn.task.done():
                turn.state = "waiting"
                self.must_wait(turn)
                passed.append(turn.model)
            elif turn.task.exception() is None:
                assert not self.exhausted(turn)
                assert turn.model not in passed, "overtaken"
                turn.windows = [self.window(limit) for limit in self.limits(turn)]
                turn.state = "running"
            else:
                self.must_be_refused(turn)
                turn.state = "refused"
        self.nothing_overshot()

    def must_wait(self, turn):
        """Only for turns that run: with its windows or in place of its own."""
        running = [other for other in self.in_state("running") if other.key == turn.key]
        full = turn.key.concurrency == len(running)
        wanted = {self.window(limit) for limit in self.limits(turn)}
        assert full or any(wanted.intersection(other.windows) for other in running)

    def must_be_refused(self, turn):
        error = turn.task.exception()
        assert isinstance(error, KeyLimitReached)
        ends = [
            CREATED + (self.window(limit)[1] + 1) * seconds_of(limit.window)
            for limit in self.exhausted(turn)
        ]
        assert error.resets_at == max(ends), "refused early, or with a wrong reset"

    def nothing_overshot(self):
        for turn in self.turns:
            assert turn.key.concurrency is None or turn.key.concurrency >= sum(
                other.key == turn.key for other in self.in_state("running")
            )
            for limit, window in zip(self.limits(turn), turn.windows, strict=False):
                if self.exact:
                    assert self.used[window] < limit.maximum + self.largest[window]

    def check_counters(self, key):
        for limit, row in zip(
            key.limits, self.limiter.report(key, self.now), strict=False
        ):
            assert row["current_value"] == self.used[self.window(limit)]
        for counter in self.limiter.ledger.take_dirty():
            own = (counter.limit.id, counter.start)
            self.stored[own] = self.before[own] + counter.own

    async def finish(self, keys):
        while self.in_state("running"):
            await self.end(0, took_nothing=False)
        # A window may have ended unseen by those who still wait; any new turn or
        # their own timers let them in.
        for turn in self.in_state("waiting"):
            turn.task.cancel()
        await asyncio.gather(
            *(turn.task for turn in self.turns), return_exceptions=True
        )
        for key in keys:
            self.check_counters(key)
            for row in self.limiter.report(key, self.now):
                assert row["reserved_value"] == 0
                if row["limit_type"] == "concurrency":
                    assert row["current_value"] == 0

    def restart(self):
        if self.in_state("running") or self.in_state("waiting"):
            return
        self.limiter = Limiter(lambda: self.now)
        self.before = self.stored.copy()
        self.limiter.ledger.restore(
            (limit_id, start, used, 0)
            for (limit_id, start), used in self.stored.items()
        )


def spend(input_tokens, output_tokens, cost):
    return Charge(Usage(input_tokens, output_tokens=output_tokens), cost)


# Small numbers: exact hits on a maximum and ties between limits are the rule.
amounts = st.integers(0, 6)
spends = st.builds(spend, amounts, amounts, amounts)
limits = st.lists(
    st.tuples(
        st.sampled_from([Measure.TOKENS, *Measure]),
        st.integers(1, 15),
        st.sampled_from(["1m", "5h", "7d"]),
        st.sampled_from([None, None, "big", "s*"]),
    ),
    min_size=1,
    max_size=3,
)
asks = st.tuples(
    st.just("ask"), st.integers(0, 1), st.sampled_from(MODELS), spends, amounts
)
settles = st.tuples(st.just("settle"), st.integers(0, 9))
others = st.one_of(
    st.tuples(st.just("release"), st.integers(0, 9)),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 1, 29.5, 59.5, 60, 5 * 3600])),
    st.tuples(st.just("restart")),
)
operations = st.lists(
    st.one_of(asks, asks, asks, settles, settles, others), min_size=15, max_size=50
)


def make_keys(limits_of_both, concurrency):
    numbers = iter(range(1, 100))
    return [
        Key(
            number,
            f"key {number}",
            "",
            "",
            CREATED,
            limits=tuple(Limit(next(numbers), *rest) for rest in chosen),
            concurrency=concurrency,
        )
        for number, chosen in enumerate(limits_of_both, 1)
    ]


async def play(keys, script, exact):
    model = Model(exact)
    for name, *arguments in script:
        match name:
            case "ask":
                number, asked, truth, extra = arguments
                extra = extra if exact else -min(extra, truth.usage.input_tokens)
                await model.ask(keys[number], asked, truth, extra)
            case "settle" | "release":
                await model.end(arguments[0], took_nothing=name == "release")
            case "cancel":
                await model.cancel(arguments[0])
            case "wait":
                model.now += arguments[0]
            case "restart":
                model.restart()
        if name != "wait":
            for key in keys:
                model.check_counters(key)
    await model.finish(keys)


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(limits, limits),
    st.sampled_from([None, None, 1, 2]),
    operations,
    st.booleans(),
)
def test_whatever_happens_the_limiter_agrees_with_the_model(
    limits_of_both, concurrency, script, exact
):
    asyncio.run(play(make_keys(limits_of_both, concurrency), script, exact))
