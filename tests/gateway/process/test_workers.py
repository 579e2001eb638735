"""Workers: who is started, and who is told to leave when."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.process.workers import (
    LONG_LIFE,
    RESTART_DELAYS,
    WORKER_START_SECONDS,
    Order,
    State,
    Worker,
    Workers,
)

GRACE = 60.0


def serving(*pids, is_new=True):
    """Workers that serve, the first in the first slot."""
    return [
        Worker(pid, slot, 0.0, State.SERVING, is_new)
        for slot, pid in enumerate(pids, 1)
    ]


def starts(workers, now=0.0):
    return [step.slot for step in workers.decide(now) if step.order is Order.START]


def test_the_first_worker_starts_alone_and_then_all_others_do():
    workers = Workers(3, GRACE)
    assert starts(workers) == [1]
    workers.add(11, 1, 0.0)
    assert workers.decide(1.0) == []
    workers.note_serving(11)
    assert starts(workers, 2.0) == [2, 3]


def test_a_first_worker_that_does_not_start_is_the_end():
    workers = Workers(3, GRACE)
    workers.add(11, 1, 0.0)
    workers.note_end(11, 0.5)
    assert workers.has_failed
    assert workers.decide(1.0) == []
    assert workers.is_over


def test_told_to_stop_while_the_first_one_starts_nothing_has_failed():
    workers = Workers(1, GRACE)
    workers.add(11, 1, 0.0)
    workers.stop()
    assert workers.decide(0.5) == [(Order.STOP, 1, 11)]
    workers.note_end(11, 1.0)
    assert workers.is_over
    assert not workers.has_failed


def test_what_others_end_is_nothing():
    workers = Workers(1, GRACE, serving(11))
    assert workers.note_end(99, 1.0) is None
    assert workers.decide(1.0) == []


def test_a_worker_that_dies_is_replaced_at_once_and_one_that_keeps_dying_later():
    workers = Workers(2, GRACE, serving(11, 12))
    now = LONG_LIFE + 1
    workers.note_end(12, now)
    assert starts(workers, now) == [2]
    for pid, delay in enumerate((*RESTART_DELAYS[1:], RESTART_DELAYS[-1]), 20):
        workers.add(pid, 2, now)
        workers.note_serving(pid)
        workers.note_end(pid, now)
        assert starts(workers, now) == []
        assert workers.wake_at(now) == now + delay
        now += delay
        assert starts(workers, now) == [2]
    workers.add(30, 2, now)
    workers.note_serving(30)
    now += LONG_LIFE + 1
    workers.note_end(30, now)
    assert starts(workers, now) == [2]


def test_one_that_cannot_be_started_waits_as_well():
    workers = Workers(2, GRACE, serving(11))
    assert starts(workers, 0.0) == [2]
    workers.note_failure(2, 0.0)
    assert starts(workers, 0.5) == []
    assert starts(workers, 1.0) == [2]


def test_a_restart_replaces_one_after_the_other():
    workers = Workers(2, GRACE, serving(11, 12))
    assert workers.restart()
    assert not workers.restart()
    assert starts(workers) == [1]
    workers.add(21, 1, 0.0)
    assert workers.decide(0.1) == []
    workers.note_serving(21)
    assert workers.decide(0.2) == [(Order.BECOME_NEW, 0, 0)]
    # From here on it is the new code that decides, by what it was told.
    workers = Workers(2, GRACE, workers.all)
    assert workers.is_restarting
    assert workers.decide(0.3) == [
        (Order.LEAVE, 1, 11),
        (Order.START, 2, 0),
    ]
    workers.add(22, 2, 0.3)
    workers.note_leaving(11, 0.4)
    assert workers.decide(0.5) == []
    workers.note_serving(22)
    assert workers.decide(0.6) == [(Order.LEAVE, 2, 12)]
    workers.note_leaving(12, 0.7)
    assert not workers.is_restarting
    workers.note_end(11, 1.0)
    workers.note_end(12, 1.0)
    assert workers.decide(1.0) == []
    assert workers.wake_at(1.0) is None


def test_a_release_that_does_not_start_costs_nothing():
    workers = Workers(2, GRACE, serving(11, 12))
    workers.restart()
    workers.decide(0.0)
    workers.add(21, 1, 0.0)
    workers.note_end(21, 1.0)
    assert workers.decide(2.0) == []
    assert not workers.is_restarting
    assert [one.pid for one in workers.all] == [11, 12]
    assert workers.restart()  # once more, when it is mended


def test_one_that_does_not_get_to_serve_is_killed():
    workers = Workers(1, GRACE, serving(11))
    workers.restart()
    workers.add(21, 1, 0.0)
    assert workers.wake_at(1.0) == WORKER_START_SECONDS
    assert workers.decide(WORKER_START_SECONDS) == [(Order.KILL, 1, 21)]
    assert workers.decide(WORKER_START_SECONDS + 1) == []
    workers.note_end(21, WORKER_START_SECONDS + 2)
    assert workers.decide(WORKER_START_SECONDS + 2) == []


def test_fewer_and_more_slots_after_a_restart():
    found = serving(11, 12, is_new=False)
    workers = Workers(1, GRACE, found)
    assert (Order.LEAVE, 2, 12) in workers.decide(0.0)
    workers = Workers(3, GRACE, serving(11, 12))
    assert workers.decide(0.0) == [(Order.START, 3, 0)]


def test_who_leaves_by_itself_is_succeeded_at_once():
    workers = Workers(2, GRACE, serving(11, 12))
    workers.note_leaving(12, 1.0)
    assert workers.decide(1.0) == [(Order.START, 2, 0)]


def test_a_stop_is_told_once_and_a_second_one_at_once():
    workers = Workers(2, GRACE, serving(11, 12))
    workers.note_leaving(12, 0.0)
    workers.stop()
    assert workers.decide(1.0) == [(Order.STOP, 1, 11)]
    assert workers.decide(2.0) == []
    assert not workers.restart()
    workers.stop()
    ends = [(Order.END, 1, 11), (Order.END, 2, 12)]
    assert workers.decide(3.0) == ends
    assert workers.wake_at(3.0) == 3.0 + GRACE
    kills = [(Order.KILL, 1, 11), (Order.KILL, 2, 12)]
    assert workers.decide(3.0 + GRACE) == kills
    for pid in (11, 12):
        assert not workers.is_over
        workers.note_end(pid, 70.0)
    assert workers.is_over
    assert not workers.has_failed


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
            self.slots = self.read_slots
            self.workers = Workers(self.slots, GRACE, self.workers.all)
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
        if self.now > 300:
            self.workers.stop()
            self.is_stopping = True
        self.act()

    @invariant()
    def knows_who_lives(self):
        assert {one.pid for one in self.workers.all} == set(self.alive)

    @invariant()
    def never_more_than_two_hold_a_slot(self):
        for slot in range(1, 5):
            held = [
                one
                for one in self.workers.all
                if one.slot == slot and one.state is not State.LEAVING and not one.told
            ]
            assert len(held) <= 2

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
