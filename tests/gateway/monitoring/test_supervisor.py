"""Tasks that live as long as the process: none dies in silence."""

import asyncio
import logging

import pytest

from gateway.monitoring.supervisor import Supervisor

SECRET = "hunter2"


class Task:
    """Does what it is told at each start; `started` counts these."""

    def __init__(self, *deeds):
        self.deeds = list(deeds)
        self.started = 0
        self.runs = asyncio.Event()

    async def run(self):
        self.started += 1
        if self.deeds:
            await self.deeds.pop(0)()
            return
        self.runs.set()
        await asyncio.Event().wait()


async def fail():
    raise ValueError(SECRET)


async def end():
    return


async def await_something_cancelled():
    lost = asyncio.get_running_loop().create_future()
    lost.cancel()
    await lost


@pytest.mark.parametrize("deed", [fail, end, await_something_cancelled])
def test_a_task_that_ends_is_started_again_said_and_counted(deed, caplog):
    async def scenario():
        supervisor, task, other = Supervisor(0.001), Task(deed, deed), Task()
        supervisor.start("polling", task.run)
        supervisor.start("other", other.run)
        await asyncio.wait_for(task.runs.wait(), 10)
        assert supervisor.failures == {"polling": 2, "other": 0}
        assert (task.started, other.started) == (3, 1)
        await supervisor.stop()
        assert len(asyncio.all_tasks()) == 1

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    first, second = caplog.messages  # one line each
    assert "polling" in first
    assert "again in 0.0" in first
    assert SECRET not in caplog.text
    assert "\n" not in first + second
    if deed is fail:
        assert "ValueError in gateway/monitoring/test_supervisor.py:" in first


def test_the_pause_grows():
    async def scenario():
        supervisor, task = Supervisor(0.01), Task(*[fail] * 4)
        began = asyncio.get_running_loop().time()
        supervisor.start("polling", task.run)
        await asyncio.wait_for(task.runs.wait(), 10)
        assert asyncio.get_running_loop().time() - began >= 0.01 + 0.02 + 0.04 + 0.08
        await supervisor.stop()

    asyncio.run(scenario())


def test_a_task_is_stopped_while_it_pauses():
    async def scenario():
        supervisor, task = Supervisor(3_600.0), Task(fail)
        supervisor.start("polling", task.run)
        async with asyncio.timeout(10):
            while not supervisor.failures["polling"]:  # noqa: ASYNC110
                await asyncio.sleep(0)
            await supervisor.stop()

    asyncio.run(scenario())


def test_what_fails_beside_others_costs_only_itself(caplog):
    supervisor = Supervisor()
    done = []
    for value in (1, "x", 2):
        with supervisor.surviving("persist"):
            done.append(value + 0)
    assert done == [1, 2]
    assert supervisor.failures == {"persist": 1}
    (line,) = caplog.messages
    assert "TypeError" in line


def test_the_end_of_the_loop_is_the_end_of_its_tasks():
    """Where nobody stops the supervisor, as when the process fails to start."""
    supervisor, begun = Supervisor(first_pause=0.0), []

    async def main():
        async def forever():
            begun.append(1)
            await asyncio.Event().wait()

        supervisor.start("one", forever)
        while not begun:  # noqa: ASYNC110
            await asyncio.sleep(0)

    asyncio.run(main())
    assert begun == [1]
    assert supervisor.failures["one"] == 0
