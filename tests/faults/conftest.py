"""Processes that are treated badly, and what must be left of a whole gateway after."""

import asyncio
import time

import pytest

from tests.e2e.conftest import codex  # noqa: F401
from tests.faults.process import FaultyProcess
from tests.faults.restarting import RestartingProcess


@pytest.fixture
def start_process(io_loop, upstream, tmp_path):
    """Starts gateway processes: `await start_process("one", "two", NAME="…")`.

    The words name their accounts, one without any; `clock` is a file with the
    seconds to add to their wall clock; `program` a module of the tests that runs
    in place of run.py.
    """
    started = []

    async def start(
        *accounts, kind=FaultyProcess, clock=None, program=None, **settings
    ):
        folder = tmp_path / f"gateway{len(started)}"
        folder.mkdir(exist_ok=True)
        process = kind(folder, upstream.url, **settings)
        if clock is not None:
            process.command = ("-m", "tests.faults.clock", str(clock))
        if program is not None:
            process.command = ("-m", program)
        started.append(process)
        for name in accounts or ("one",):
            account = upstream.accounts.get(name) or upstream.add_account(name)
            auth_file = account.write_auth_file(folder / "auth")
            await process.run("accounts", "import", str(auth_file))
        await process.start()
        return process

    yield start
    for process in started:
        io_loop.run_sync(process.stop)
        print(process.log())


@pytest.fixture
def at_rest(serving):
    """Asserts that the gateway has let everything go: `await at_rest()`.

    What ends by itself within moments is waited for.
    """

    async def check(seconds=5.0):
        try:
            async with asyncio.timeout(seconds):
                while held(serving.gateway):  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        except TimeoutError:
            pytest.fail(f"still held: {held(serving.gateway)}")

    return check


# Their owner is the gateway or a connection, not a request.
LASTING = ("Supervisor._keep_running", "Recorder._write")


def held(gateway):
    """What requests have taken and not given back."""
    now = time.time()
    limits = [row for key in gateway.ring for row in gateway.limiter.report(key, now)]
    counted = {
        "turns": len(gateway.turns.running),
        "leases": sum(one.in_flight for one in gateway.pool.accounts.values()),
        "waiting": gateway.pool.waiting + gateway.arrivals.waiting,
        "bodies": gateway.body_budget.used,
        "channels": len(gateway.channels),
        "reserved": sum(row["reserved_value"] for row in limits),
        "running": sum(
            row["current_value"] for row in limits if row["limit_type"] == "concurrency"
        ),
        "tasks": [one for one in map(_name, asyncio.all_tasks()) if one],
    }
    return {name: value for name, value in counted.items() if value}


def _name(task):
    """What a task of a request runs, "" for all others."""
    coroutine = task.get_coro()
    code = getattr(coroutine, "cr_code", None)
    file = code.co_filename if code is not None else ""
    name = coroutine.__qualname__
    ours = ("/gateway/" in file or "/handlers/" in file) and "/demo/" not in file
    served = file.endswith("tornado/web.py")
    return name if (ours or served) and name not in LASTING else ""


@pytest.fixture
def start(start_process):
    """Starts gateways that can be restarted: `await start("one")`."""

    async def start(*accounts, **settings):
        return await start_process(*accounts, kind=RestartingProcess, **settings)

    return start
