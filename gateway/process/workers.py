"""Workers: which processes are to be started, told to leave, or killed.

Decisions alone; `handlers/parent.py` carries them out. A slot is a worker's place, with
a port of its own. At a restart every slot gets a worker with new code, one slot after
the other, and the old worker leaves once the new one serves. The first of them shows
that the new code starts, before the parent itself becomes it: a release that does not
costs nothing.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

# Until a worker serves: its imports, the migration of a large database.
WORKER_START_SECONDS = 120.0
# Between the end of a worker and the start of the next in its slot: at once, and for
# each further one that did not live long, later.
RESTART_DELAYS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
LONG_LIFE = 10.0


class State(StrEnum):
    """How far a worker is."""

    STARTING = "starting"
    SERVING = "serving"
    LEAVING = "leaving"  # it accepts no connections any more


class Order(StrEnum):
    """What is to be done; the words from LEAVE to END are for the worker to read."""

    START = "start"
    BECOME_NEW = "become new"  # the parent: run the new code
    LEAVE = "leave"  # others serve: drain without a hurry
    STOP = "stop"  # the service ends: drain
    END = "end"  # at once
    KILL = "kill"


class WorkerStep(NamedTuple):
    """An order, and whom it is for: a slot to be filled, or a worker's process."""

    order: Order
    slot: int = 0
    pid: int = 0


@dataclass(slots=True)
class Worker:
    """One worker process; times are of a clock that never jumps."""

    pid: int
    slot: int
    since: float  # of its start; of its last order, once it has one
    state: State = State.STARTING
    is_new: bool = True  # has the code of the latest restart
    told: Order | None = None


class Workers:
    """The workers of one parent; `decide` after every change, and when time passed."""

    def __init__(
        self, slots: int, grace: float, workers: Iterable[Worker] = ()
    ) -> None:
        """`grace`: seconds in which a worker that was told to end does so."""
        self._slots = slots
        self._grace = grace
        self._workers = {one.pid: one for one in workers}
        self._has_served = any(map(_serves, self._workers.values()))
        self._stops = 0
        self._proves_code = False
        self._failures: Counter[int] = Counter()
        self._not_before: dict[int, float] = {}
        self.has_failed = False  # the first start did

    @property
    def all(self) -> list[Worker]:
        return list(self._workers.values())

    @property
    def is_restarting(self) -> bool:
        return not all(one.is_new for one in self.all if one.state is not State.LEAVING)

    @property
    def is_ending(self) -> bool:
        return self._stops > 0

    @property
    def is_over(self) -> bool:
        return not self._workers and (self.is_ending or self.has_failed)

    def is_waiting(self, slot: int, now: float) -> bool:
        """Whether a slot is empty, and stays so for a while."""
        is_held = any(one.slot == slot for one in self._staying())
        return not is_held and self._not_before.get(slot, now) > now

    def add(self, pid: int, slot: int, now: float) -> None:
        """A worker was started."""
        self._workers[pid] = Worker(pid, slot, now)

    def note_serving(self, pid: int) -> None:
        self._workers[pid].state = State.SERVING
        self._has_served = True

    def note_leaving(self, pid: int, now: float) -> None:
        """It drains, whoever told it to; its slot is free."""
        worker = self._workers[pid]
        worker.state, worker.since = State.LEAVING, now
        worker.told = worker.told or Order.LEAVE

    def note_end(self, pid: int, now: float) -> Worker | None:
        """A child process has ended: the worker that it was, if any."""
        worker = self._workers.pop(pid, None)
        if worker is not None and worker.state is not State.LEAVING:
            self.note_failure(worker.slot, now, worker)
        return worker

    def note_failure(self, slot: int, now: float, worker: Worker | None = None) -> None:
        """A slot's worker has ended unasked, or there is none: it could not start."""
        is_starting = worker is None or worker.state is State.STARTING
        if is_starting and any(one.slot == slot and _serves(one) for one in self.all):
            self._give_up_restart()
        elif is_starting and not self._has_served and not self._stops:
            self.has_failed = True
        if worker is not None and now - worker.since > LONG_LIFE:
            self._failures[slot] = 0
        place = min(self._failures[slot], len(RESTART_DELAYS) - 1)
        self._failures[slot] += 1
        self._not_before[slot] = now + RESTART_DELAYS[place]

    def restart(self) -> bool:
        """Replace all workers, and the parent; False where that is being done."""
        if self._proves_code or self.is_restarting or self._stops:
            return False
        for one in self.all:
            one.is_new = False
        self._proves_code = True
        return True

    def stop(self) -> None:
        """End the service; the second time at once."""
        self._stops += 1

    def decide(self, now: float) -> list[WorkerStep]:
        """What is to be done now. What is told is remembered as done."""
        if self.has_failed:
            self._stops = max(self._stops, 1)
        proof = any(one.is_new and _serves(one) for one in self.all)
        if self._proves_code and proof and not self._stops:
            self._proves_code = False
            return [WorkerStep(Order.BECOME_NEW)]
        steps = [step for one in self.all for step in self._told(one, now)]
        return steps if self._stops else [*steps, *self._started(now)]

    def wake_at(self, now: float) -> float | None:
        """When time alone will change the decision."""
        times = [
            one.since + (self._grace if one.told else WORKER_START_SECONDS)
            for one in self.all
            if not _serves(one)
        ]
        vacant = set(range(1, self._slots + 1)) - {one.slot for one in self._staying()}
        if not self._stops:
            times += [self._not_before.get(slot, now) for slot in vacant]
        later = [one for one in times if one > now]
        return min(later) if later else None

    def _told(self, worker: Worker, now: float) -> Iterable[WorkerStep]:
        order = self._order_for(worker, now)
        if order is None or order is worker.told:
            return
        worker.told, worker.since = order, now
        yield WorkerStep(order, worker.slot, worker.pid)

    def _order_for(self, worker: Worker, now: float) -> Order | None:
        limit = self._grace if worker.told else WORKER_START_SECONDS
        is_waited_for = worker.told is not None or worker.state is State.STARTING
        if is_waited_for and now - worker.since >= limit:
            return Order.KILL
        if self._stops > 1:
            return Order.END
        if worker.told is not None:
            return None
        if self._stops:
            return Order.STOP
        if worker.slot > self._slots:
            return Order.LEAVE
        is_succeeded = not worker.is_new and any(
            one.slot == worker.slot and one.is_new and _serves(one) for one in self.all
        )
        return Order.LEAVE if is_succeeded else None

    def _started(self, now: float) -> Iterable[WorkerStep]:
        """The first worker alone, which brings the database up to date; then the rest.

        At a restart one at a time.
        """
        starting = sum(one.state is State.STARTING for one in self.all)
        serving = any(map(_serves, self.all))
        for slot in range(1, self._slots + 1):
            here = [one for one in self._staying() if one.slot == slot]
            is_due = now >= self._not_before.get(slot, now)
            is_alone = not starting
            if here and (any(one.is_new for one in here) or not is_alone):
                continue
            if here or (is_due and (serving or is_alone)):
                starting += 1
                yield WorkerStep(Order.START, slot)

    def _staying(self) -> list[Worker]:
        """Those who hold their slot."""
        return [
            one
            for one in self.all
            if one.state is not State.LEAVING and one.told is None
        ]

    def _give_up_restart(self) -> None:
        """What serves goes on, as new as it is."""
        self._proves_code = False
        for one in self.all:
            one.is_new = True


def _serves(worker: Worker) -> bool:
    return worker.state is State.SERVING and worker.told is None
