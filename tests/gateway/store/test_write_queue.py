"""What waits to be written: how long, in which order, and what is dropped."""

import time

import pytest

from gateway.store.write_queue import (
    BATCH_ROWS,
    BUSY_GATHER,
    BUSY_ROWS,
    MAX_JOBS,
    MAX_QUEUED_BINDINGS,
    Backlog,
    StoredHealth,
)
from tests.gateway.store.store_rows import log_row


def backlog(capacity=10_000):
    return Backlog(capacity)


def busy():
    """A backlog that gathers for as long as it ever does."""
    made = backlog()
    for _ in range(BUSY_ROWS):
        made.put_row({})
    made.take()
    return made


def waited(made):
    started = time.monotonic()
    made.wait()
    return time.monotonic() - started


@pytest.mark.parametrize(
    "put",
    [
        lambda made: made.put_job(int, ()),
        lambda made: made.close(),
        lambda made: [made.put_row({}) for _ in range(BATCH_ROWS)],
    ],
    ids=["a job", "the end", "a whole batch"],
)
def test_what_is_urgent_waits_for_no_company(put):
    made = busy()
    made.put_row({})
    put(made)
    assert waited(made) < BUSY_GATHER


def test_rows_wait_for_company():
    made = busy()
    for _ in range(BATCH_ROWS - 1):
        made.put_row({})
    assert waited(made) >= BUSY_GATHER


def test_a_batch_takes_the_oldest_rows_and_all_else():
    made = backlog()
    for number in range(BATCH_ROWS + 1):
        made.put_row({"n": number})
    made.put_binding("k", (1, 2))
    made.put_binding("k", (1, 3))
    made.put_state(1, StoredHealth("active"))
    batch = made.take()
    assert [row["n"] for _, row in batch.rows] == [*range(BATCH_ROWS)]
    assert batch.bindings == {"k": (1, 3)}
    assert batch.states == {1: StoredHealth("active")}
    assert len(made) == 1
    assert made.has_any
    rest = made.take()
    assert [row["n"] for _, row in rest.rows] == [BATCH_ROWS]
    assert rest.bindings == rest.states == {}
    assert not made.has_any
    assert not made.take()


@pytest.mark.parametrize(
    "put",
    [
        lambda made: made.put_binding("k", (1, 2)),
        lambda made: made.put_state(1, StoredHealth("active")),
    ],
)
def test_each_kind_alone_is_worth_a_batch(put):
    made = backlog()
    put(made)
    assert made.has_any
    assert made.take()


def test_a_job_runs_after_what_was_put_in_before_it():
    made = backlog()
    made.put_row({})
    first = made.put_job(int, ())
    made.put_binding("k", (1, 2))
    second = made.put_job(int, ())
    assert made.take_job(any_order=False) is None
    assert made.take_job(any_order=True) is first
    assert made.take_job(any_order=False) is None
    made.take()
    assert made.take_job(any_order=False) is second
    assert made.take_job(any_order=True) is None


def test_a_job_behind_more_rows_than_a_batch_waits_for_the_last():
    made = backlog()
    for _ in range(BATCH_ROWS + 1):
        made.put_row({})
    job = made.put_job(int, ())
    made.take()
    assert made.take_job(any_order=False) is None
    made.take()
    assert made.take_job(any_order=False) is job


def test_too_many_jobs_are_refused():
    made = backlog()
    assert all(made.put_job(int, ()) for _ in range(MAX_JOBS))
    assert made.put_job(int, ()) is None
    assert len(made.cancel_jobs()) == MAX_JOBS
    assert made.put_job(int, ()) is not None


def test_a_row_without_room_is_dropped_and_still_counts():
    made = backlog(capacity=1)
    made.put_row(log_row(input_tokens=1))
    made.put_row(log_row(input_tokens=7))
    assert made.dropped == 1
    batch = made.take()
    assert [row["input_tokens"] for _, row in batch.rows] == [1]
    assert len(batch.spilled) == 1


def test_a_closed_backlog_takes_no_rows_and_no_jobs():
    made = backlog()
    made.close()
    made.put_row(log_row())
    assert made.dropped == 1
    assert made.put_job(int, ()) is None
    assert not made.has_any


def test_beyond_the_bound_only_known_bindings_are_kept():
    made = backlog()
    for number in range(MAX_QUEUED_BINDINGS):
        made.put_binding(str(number), (1, 1))
    made.put_binding("one more", (1, 1))
    made.put_binding("0", (2, 2))
    assert made.dropped == 1
    bindings = made.take().bindings
    assert len(bindings) == MAX_QUEUED_BINDINGS
    assert bindings["0"] == (2, 2)
