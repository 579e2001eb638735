"""Workers: who is started, and who is told to leave when."""

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


def test_told_to_stop_the_parent_stays_what_it_is():
    workers = Workers(1, GRACE, serving(11))
    workers.restart()
    workers.add(21, 1, 0.0)
    workers.note_serving(21)
    workers.stop()
    orders = [step.order for step in workers.decide(0.0)]
    assert orders == [Order.STOP] * 2


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
        assert workers.is_waiting(2, now)
        assert not workers.is_waiting(1, now)
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


def test_who_is_told_to_leave_holds_its_slot_no_more():
    workers = Workers(1, GRACE, [*serving(11, is_new=False), *serving(21)])
    assert workers.decide(0.0) == [(Order.LEAVE, 1, 11)]
    workers.note_end(21, 1.0)
    assert starts(workers, 1.0) == [1]
    workers.add(22, 1, 1.0)
    workers.note_end(22, 1.5)  # no restart to give up: somebody has to serve
    assert starts(workers, 3.0) == [1]


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
