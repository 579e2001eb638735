"""Workers in any history: none leaves before another serves in its place."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.process.workers import (
    WORKER_START_SECONDS,
    Order,
    State,
    Workers,
)

GRACE = 60.0


class AnyHistory(RuleBasedStateMachine):
    """Workers start, serve, die and hang in any order; restarts come when they will.

    What is ordered is done at once; new code replaces the parent when it is told to.
    """

    def __init__(self):
        super().__init__()
        self.now, self.next_pid, self.slots, self.read_slots = 0.0, 1, 3, 3
        self.workers = Workers(self.slots, GRACE)
        self.alive = {}
        self.is_stopping = False
        self.act()

    def act(self):
        for _ in range(20):
            steps = self.workers.decide(self.now)
            if not steps:
                return
            for step in steps:
                self.carry_out(step)
        raise AssertionError("orders without end")

    def carry_out(self, step):
        if step.order is Order.START:
            assert not self.is_stopping
            self.alive[self.next_pid] = step.slot
            self.workers.add(self.next_pid, step.slot, self.now)
            self.next_pid += 1
        elif step.order is Order.BECOME_NEW:
            assert not self.is_stopping
            self.slots = self.read_slots
            self.workers = Workers(self.slots, GRACE, self.workers.all)
            held = [w for w in self.workers.all if w.slot == step.slot and not w.told]
            assert len(held) <= 2
        elif step.order is Order.LEAVE and step.slot <= self.slots:
            # The one rule of a restart without loss.
            assert [
                one
                for one in self.workers.all
                if one.slot == step.slot
                and one.state is State.SERVING
                and one.told is None
            ]

    @rule(pick=st.randoms(use_true_random=False))
    def serve(self, pick):
        found = [w.pid for w in self.workers.all if w.state is State.STARTING]
        if found:
            self.workers.note_serving(pick.choice(found))
        self.act()

    @rule(pick=st.randoms(use_true_random=False))
    def die(self, pick):
        if self.alive:
            pid = pick.choice(sorted(self.alive))
            del self.alive[pid]
            self.workers.note_end(pid, self.now)
        self.act()

    @rule(pick=st.randoms(use_true_random=False))
    def leave(self, pick):
        found = [w.pid for w in self.workers.all if w.state is State.SERVING]
        if found:
            self.workers.note_leaving(pick.choice(found), self.now)
        self.act()

    @rule(seconds=st.sampled_from([0.1, 2.0, 30.0, GRACE, WORKER_START_SECONDS]))
    def wait(self, seconds):
        self.now += seconds
        self.act()

    @rule(slots=st.integers(1, 4))
    def restart(self, slots):
        if self.workers.restart():
            self.read_slots = slots  # what new code reads from its settings
        self.act()

    @rule()
    def stop(self):
        self.workers.stop()
        self.is_stopping = True
        self.act()

    @invariant()
    def knows_who_lives(self):
        assert {one.pid for one in self.workers.all} == set(self.alive)

    def teardown(self):
        """Left alone, and with workers that work, all slots are served by new code."""
        for _ in range(40):
            self.act()
            for one in self.workers.all:
                if one.state is State.STARTING and one.told is None:
                    self.workers.note_serving(one.pid)
                elif one.told is not None:
                    del self.alive[one.pid]
                    self.workers.note_end(one.pid, self.now)
            self.now += 31.0
        if self.is_stopping or self.workers.has_failed:
            assert self.workers.is_over
            return
        assert sorted(one.slot for one in self.workers.all) == list(
            range(1, self.slots + 1)
        )
        assert not self.workers.is_restarting


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=40, deadline=None)
