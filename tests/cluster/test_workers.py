"""`--workers`: one parent, its workers, and what becomes of them."""

import asyncio
import os
import signal
import socket
import sys

import aiohttp
import pytest

from gateway.store.database import open_database, select
from tests.cluster.workers import WorkersProcess, children, read
from tests.e2e.gateway_process import ROOT
from tests.faults.conftest import start_process
from tests.faults.process import last_event
from tests.faults.restarting import held_turn
from tests.faults.test_restart import knock
from tests.gateway.conftest import driver, server
from tests.operator.conftest import database_url
from tests.serving import CODEX, payload

__all__ = ["database_url", "driver", "server", "start_process"]
pytestmark = pytest.mark.cluster


@pytest.fixture
def start(start_process, database_url):
    async def start(**settings):
        return await start_process(
            kind=WorkersProcess, DATABASE_URL=database_url, **settings
        )

    return start


@pytest.fixture
def members(database_url):
    """The states of the members that live."""

    def read_states():
        database = open_database(database_url)
        with database.connection_context():
            rows = select(database, "SELECT state FROM member WHERE state <> 'ended'")
        database.close_all()
        return sorted(state for (state,) in rows)

    return read_states


async def ask(port):
    """One turn on a worker's own port."""
    url = f"http://127.0.0.1:{port}{CODEX}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=payload()) as response,
    ):
        return last_event(await response.read())


@pytest.mark.gen_test(timeout=90)
async def test_each_worker_serves_on_a_port_of_its_own_and_one_that_dies_is_replaced(
    upstream, start, members
):
    process = await start()
    workers = await process.serve(2)
    assert sorted(workers) == [process.port + 1, process.port + 2]
    assert process.serving_pid == process.pid
    for port in (process.port, *workers):
        assert await ask(port) == "response.completed"
    assert "key" in await process.run("keys", "list")

    victim = workers[process.port + 2]
    os.kill(victim, signal.SIGKILL)
    # Its port stays, and who connects waits for the next.
    assert await ask(process.port + 2) == "response.completed"
    after = await process.serve(2, [victim])
    assert after[process.port + 1] == workers[process.port + 1]
    await process.says("has ended without a word")  # and not after 25 s of silence
    assert len(members()) == 2
    process.signal(signal.SIGTERM)
    assert await process.ended() == 0
    assert members() == []


@pytest.mark.gen_test(timeout=60)
async def test_told_to_stop_while_a_worker_starts_it_ends_well(
    upstream, tmp_path, database_url
):
    process = WorkersProcess(tmp_path, upstream.url, DATABASE_URL=database_url)
    with process._log.open("wb") as log:
        process._process = await process.spawn(log)
    await process.says("worker 1 is process ")
    process._process.send_signal(signal.SIGTERM)
    assert await process._process.wait() == 0
    assert "Traceback" not in process.log()


@pytest.mark.gen_test(timeout=90)
async def test_a_restart_keeps_the_parent_and_every_turn(upstream, start, members):
    process = await start()
    before = await process.serve(2)
    env_file = process.folder / ".env"
    env_file.write_text("GATEWAY_WORKERS=many")
    process.signal(signal.SIGHUP)
    await process.says("starting, has ended with status 2")
    assert process.workers() == before  # it has cost nothing
    env_file.write_text("GATEWAY_WORKERS=3")

    gate, gone = asyncio.Event(), asyncio.Event()
    held_turn(upstream, gate, times=4)
    async with aiohttp.ClientSession() as session:
        ports = [*before, *before]
        urls = [f"http://127.0.0.1:{port}{CODEX}" for port in ports]
        streams = [await session.post(url, json=payload()) for url in urls]
        await upstream.arrived(4)
        knocking = asyncio.create_task(knock(process, gone))
        after = await process.restart(3)
        assert sorted(after) == [process.port + slot for slot in (1, 2, 3)]
        # The parent has become the new code, and is the same process.
        assert b"CODEX_GATEWAY_PARENT=" in read(f"/proc/{process.pid}/environ")
        assert process.serving_pid == process.pid
        assert set(children(process.pid)) == {*before.values(), *after.values()}
        gone.set()
        assert await knocking > 10
        gate.set()
        bodies = [await response.read() for response in streams]
        assert {last_event(body) for body in bodies} == {"response.completed"}
    process.signal(signal.SIGTERM)
    assert await process.ended() == 0
    assert members() == []
    assert "Traceback" not in process.log()


@pytest.mark.gen_test(timeout=90)
async def test_workers_of_a_killed_parent_drain_while_another_starts(
    upstream, start, members
):
    process = await start()
    before = await process.serve(2)
    gate = asyncio.Event()
    held_turn(upstream, gate)
    url = f"http://127.0.0.1:{process.port + 1}{CODEX}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=payload()) as stream,
    ):
        await upstream.arrived()
        process.signal(signal.SIGKILL)
        await process.ended()
        await process.start()
        await process.serve(2)
        # Who drains is not taken for dead because the lock was free.
        assert "leaving" in members()
        for port in (process.port, process.port + 1):
            assert await ask(port) == "response.completed"
        gate.set()
        assert last_event(await stream.read()) == "response.completed"
    async with asyncio.timeout(15):
        while process.orphans():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert len(members()) == 2
    assert before.values() != process.workers().values()


class OneWorker(WorkersProcess):
    """On SQLite, where one of them is all there can be."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        (self.folder / ".env").write_text("GATEWAY_WORKERS=1")


@pytest.mark.gen_test(timeout=90)
async def test_one_worker_on_sqlite_is_restarted_and_replaced(upstream, start_process):
    process = await start_process(kind=OneWorker)
    (first,) = (await process.serve(1)).values()
    gate = asyncio.Event()
    held_turn(upstream, gate)
    async with (
        aiohttp.ClientSession() as session,
        session.post(process.url + CODEX, json=payload()) as stream,
    ):
        await upstream.arrived()
        ((port, second),) = (await process.restart(1)).items()
        gate.set()
        assert last_event(await stream.read()) == "response.completed"
    await process.says(f"process {first}, leaving, has ended with status 0")
    os.kill(second, signal.SIGKILL)
    assert await ask(port) == "response.completed"
    await process.serve(1, [second])
    # Nobody else could be told that it died, and no silence tells it on SQLite.
    rows = (await process.run("members", "--json")).splitlines()
    assert len(rows) == 1


class ActivatedWorkers(WorkersProcess):
    """A service manager has its port, and hears of it."""

    async def spawn(self, log):
        self.listening = socket.create_server(("127.0.0.1", self.port))
        script = f"exec 3<&{self.listening.fileno()}; "
        script += 'LISTEN_FDS=1 LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID; exec "$@"'
        return await asyncio.create_subprocess_exec(
            *("bash", "-c", script, "bash", sys.executable, str(ROOT / "run.py")),
            *("serve", "--workers", "2"),
            cwd=ROOT,
            # Where it would listen by itself, nobody must find it.
            env=self.env
            | {"GATEWAY_PORT": "1", "NOTIFY_SOCKET": str(self.folder / "notify")},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=(self.listening.fileno(),),
        )

    async def stop(self):
        await super().stop()
        self.listening.close()


@pytest.mark.gen_test(timeout=90)
async def test_a_service_manager_gives_the_port_and_hears_of_one_process(
    start_process, database_url, tmp_path
):
    folder = tmp_path / "gateway0"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.setblocking(False)
        process = await start_process(kind=ActivatedWorkers, DATABASE_URL=database_url)
        workers = await process.serve(2)
        assert sorted(workers) == [process.port + 1, process.port + 2]
        for port in (process.port, *workers):
            assert await ask(port) == "response.completed"
        # Who is told to go is replaced at once, without a turn lost.
        os.kill(workers[process.port + 1], signal.SIGTERM)
        assert await ask(process.port + 1) == "response.completed"
        await process.serve(2, [workers[process.port + 1]])
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
        assert [manager.recv(99) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]
        with pytest.raises(BlockingIOError):
            manager.recv(99)


@pytest.mark.gen_test(timeout=90)
async def test_stopped_turns_may_end_unless_it_is_told_twice(upstream, start):
    process = await start()
    workers = await process.serve(2)
    gate, never = asyncio.Event(), asyncio.Event()
    held_turn(upstream, gate)
    held_turn(upstream, never)
    urls = [f"http://127.0.0.1:{port}{CODEX}" for port in workers]
    async with aiohttp.ClientSession() as session:
        first = await session.post(urls[0], json=payload())
        second = await session.post(urls[1], json=payload())
        await upstream.arrived(2)
        process.signal(signal.SIGTERM)
        await process.refuses()
        gate.set()
        assert last_event(await first.read()) == "response.completed"
        process.signal(signal.SIGINT)
        assert await process.ended(within=10) == 0
        with pytest.raises(aiohttp.ClientPayloadError):
            await second.read()
