"""Background tasks: bounded, ended by a deadline, by hand and with their owner."""

import asyncio

import pytest

from gateway.errors import NotFound
from gateway.monitoring.background import (
    MOST_ENDED,
    BackgroundTask,
    BackgroundTasks,
    TooManyTasks,
)

pytestmark = pytest.mark.gen_test(timeout=20)


class Work(BackgroundTask):
    most = 2
    kind = "piece of work"

    def __init__(self, error=None):
        super().__init__()
        self.error = error
        self.go = asyncio.Event()
        self.is_whole = False

    async def run(self):
        await self.go.wait()
        if self.error is not None:
            raise self.error
        self.is_whole = True


class Other(Work):
    most = 1
    seconds = 0.0


async def ended(task):
    task.go.set()
    await asyncio.wait({task._task})
    return task


async def test_it_goes_on_without_who_began_it_and_is_found_again():
    tasks = BackgroundTasks()
    work = tasks.start(Work())
    assert tasks.find(Work, work.id) is work
    assert work.is_running
    await ended(work)
    assert (work.is_running, work.problem, work.is_whole) == (False, "", True)
    assert tasks.find(Work, work.id) is work


async def test_so_many_run_at_a_time_of_each_kind():
    tasks = BackgroundTasks()
    first, _ = tasks.start(Work()), tasks.start(Work())
    with pytest.raises(TooManyTasks, match="2 piece of work"):
        tasks.start(Work())
    await ended(first)
    tasks.start(Work())
    await tasks.close()


async def test_a_kind_is_found_as_that_kind_only():
    tasks = BackgroundTasks()
    work = tasks.start(Work())
    assert tasks.find(Other, work.id) is None
    assert tasks.find(Work, "nobody's") is None
    await tasks.close()


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (NotFound("There is no such thing"), "There is no such thing"),
        (ValueError("hunter2"), "It failed: the log has one line of it"),
    ],
)
async def test_why_it_failed_is_said_without_anybodys_words(error, problem, caplog):
    work = BackgroundTasks().start(Work(error))
    await ended(work)
    assert work.problem == problem
    assert "hunter2" not in caplog.text


async def test_its_time_runs_out():
    other = BackgroundTasks().start(Other())
    await asyncio.wait({other._task})  # it was never told to go
    assert (other.is_running, other.problem) == (False, "Its time ran out")


async def test_it_is_cancelled_even_before_it_began():
    work = BackgroundTasks().start(Work())
    await work.cancel()
    assert (work.is_running, work.problem) == (False, "It was cancelled")
    whole = await ended(BackgroundTasks().start(Work()))
    await whole.cancel()
    assert whole.problem == ""


async def test_all_end_with_their_owner():
    tasks = BackgroundTasks()
    running = [tasks.start(Work()) for _ in range(2)]
    await tasks.close()
    assert not any(one.is_running for one in running)


async def test_only_so_many_of_the_ended_are_kept():
    tasks = BackgroundTasks()
    all_of_them = [await ended(tasks.start(Work())) for _ in range(MOST_ENDED + 3)]
    assert len(tasks.of(Work)) == MOST_ENDED
    assert tasks.find(Work, all_of_them[0].id) is None
    assert tasks.find(Work, all_of_them[-1].id) is all_of_them[-1]
