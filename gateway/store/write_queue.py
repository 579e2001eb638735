"""What waits to be written: bounded, put in by any thread, never waiting itself."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from gateway.store.log.log_rows import LogRow, Sums, clean, has_known_model
from gateway.store.log.refusals import LightRow

K = TypeVar("K")
V = TypeVar("V")

# One transaction's worth: larger ones gain nothing, and hold other processes' writes.
BATCH_ROWS = 500
# Rows wait this long for company, seconds; a tenth of what a killed process may lose.
GATHER = 0.05
# And so long when many come: each commit costs as much as a dozen rows.
BUSY_GATHER = 0.25
BUSY_ROWS = 20

MAX_JOBS = 1_000
MAX_QUEUED_BINDINGS = 100_000
MAX_QUEUED_REFUSALS = 2_000
# Distinct hour, key, account and model of rows that found no room.
MAX_SPILLED = 10_000


class StoredHealth(NamedTuple):
    """The state an account is in, as it is kept for the next start."""

    kind: str
    until: int | None = None  # unix ms
    reason: str | None = None
    detail: str | None = None  # JSON


@dataclass(slots=True)
class Job:
    """A function to run on the writer thread, after what was put in before it."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    rows: int  # that must have been taken
    batches: int  # the same: a batch takes all that is not a row
    future: "Future[Any]" = field(default_factory=Future)


@dataclass(slots=True)
class Batch:
    """What one transaction writes."""

    # When put in (monotonic), and the row as it was put in.
    rows: list[tuple[float, LogRow]] = field(default_factory=list)
    spilled: Sums = field(default_factory=Sums)
    # Key → account id, used at.
    bindings: dict[str, tuple[int, int]] = field(default_factory=dict)
    states: dict[int, StoredHealth] = field(default_factory=dict)
    refusals: list[LightRow] = field(default_factory=list)
    is_split: bool = False  # the database refused it as a whole

    def parts(self) -> Iterator["Batch"]:
        """Each thing alone; it has left the batch when the next one is asked for.

        Asked anew, the first is the one that did not leave.
        """
        while self.rows:
            yield Batch(rows=self.rows[:1])
            del self.rows[0]
        if self.spilled:
            yield Batch(spilled=self.spilled)
            self.spilled = Sums()
        for binding in _singly(self.bindings):
            yield Batch(bindings=binding)
        for state in _singly(self.states):
            yield Batch(states=state)
        while self.refusals:
            yield Batch(refusals=self.refusals[:1])
            del self.refusals[0]

    def __bool__(self) -> bool:
        latest = self.bindings or self.states
        return bool(self.rows or self.spilled or latest or self.refusals)


def _singly(things: dict[K, V]) -> Iterator[dict[K, V]]:
    """Each item alone; it is gone when the next one is asked for."""
    while things:
        key = next(iter(things))
        yield {key: things[key]}
        del things[key]


class Backlog:
    """Rows in their order; of bindings and states only the latest.

    A row that finds no room is dropped and counted, but its tokens and cost still
    reach the roll-ups.
    """

    def __init__(self, capacity: int) -> None:
        self.dropped = 0  # rows and bindings
        self._capacity = capacity
        self._changed = threading.Condition()
        self._closed = False
        self._jobs: deque[Job] = deque()
        self._accepted = 0  # rows ever put in
        self._taken = 0  # rows ever taken out
        self._batches = 0  # ever taken out
        self._is_busy = False
        self._pending = Batch()
        self._rows: deque[tuple[float, LogRow]] = deque()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def has_any(self) -> bool:
        return bool(self._rows or self._jobs or self._pending)

    @property
    def is_closed(self) -> bool:
        return self._closed

    @property
    def oldest(self) -> float | None:
        """When the row that waits longest was put in (monotonic)."""
        with self._changed:
            return self._rows[0][0] if self._rows else None

    def put_row(self, row: LogRow) -> None:
        with self._changed:
            if self._closed:
                self.dropped += 1
                return
            if len(self._rows) >= self._capacity:
                self.dropped += 1
                if len(self._pending.spilled) < MAX_SPILLED:
                    self._pending.spilled.add(clean([row]), [has_known_model(row)])
                return
            self._rows.append((time.monotonic(), row))
            self._accepted += 1
            # Otherwise the thread is awake already, or about to look by itself.
            if len(self._rows) in (1, BATCH_ROWS):
                self._changed.notify()

    def put_refusal(self, row: LightRow) -> None:
        with self._changed:
            waiting = self._pending.refusals
            if self._closed or len(waiting) >= MAX_QUEUED_REFUSALS:
                self.dropped += 1
                return
            waiting.append(row)
            if len(waiting) == 1:
                self._changed.notify()

    def put_binding(self, key: str, binding: tuple[int, int]) -> None:
        with self._changed:
            bindings = self._pending.bindings
            if len(bindings) >= MAX_QUEUED_BINDINGS and key not in bindings:
                self.dropped += 1
                return
            bindings[key] = binding
            if len(bindings) == 1:
                self._changed.notify()

    def put_state(self, account_id: int, state: StoredHealth) -> None:
        with self._changed:
            self._pending.states[account_id] = state
            self._changed.notify()

    def put_job(
        self, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> Job | None:
        """None when closed, or when too many wait."""
        with self._changed:
            if self._closed or len(self._jobs) >= MAX_JOBS:
                return None
            batches = self._batches + bool(self._pending)
            job = Job(function, args, self._accepted, batches)
            self._jobs.append(job)
            self._changed.notify()
            return job

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def wait(self) -> None:
        """Until there is a batch worth writing, a job, or the end."""
        with self._changed:
            self._changed.wait_for(lambda: self.has_any or self._closed)
            gather = BUSY_GATHER if self._is_busy else GATHER
            self._changed.wait_for(self._is_urgent, gather)

    def wait_for_job(self, timeout: float) -> None:
        """Where rows cannot be written: until a job, the end, or the time is over."""
        with self._changed:
            was_closed = self._closed
            self._changed.wait_for(
                lambda: bool(self._jobs) or self._closed != was_closed, timeout
            )

    def _is_urgent(self) -> bool:
        return bool(self._jobs or self._closed or len(self._rows) >= BATCH_ROWS)

    def take(self) -> Batch:
        """The oldest rows, and all that else waits."""
        with self._changed:
            batch, self._pending = self._pending, Batch()
            count = min(len(self._rows), BATCH_ROWS)
            batch.rows = [self._rows.popleft() for _ in range(count)]
            self._taken += count
            self._is_busy = count >= BUSY_ROWS
            self._batches += 1
            return batch

    def cancel_jobs(self) -> list[Job]:
        with self._changed:
            jobs, self._jobs = list(self._jobs), deque()
            return jobs

    def take_job(self, *, any_order: bool) -> Job | None:
        """The next job, if it is its turn."""
        with self._changed:
            if not self._jobs:
                return None
            job = self._jobs[0]
            is_next = job.rows <= self._taken and job.batches <= self._batches
            return self._jobs.popleft() if is_next or any_order else None
