"""A database that takes nothing: turns go on, rows wait, all is told, and it heals."""

import asyncio
import resource
import sqlite3
import stat
from contextlib import contextmanager, suppress

import aiohttp
import pytest

from gateway.demo.events import ScriptedTurn
from tests.faults.process import last_event
from tests.serving import CODEX, payload, turn_on, until

pytestmark = pytest.mark.slow


@contextmanager
def full(process):
    """No file of the process may grow: a disk without room, for this process alone."""
    whole = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, whole[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it has ended
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, whole)


@contextmanager
def locked(process):
    other = sqlite3.connect(process.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def read_only(process):
    """Files that may not be written any more; who has them open keeps them."""
    files = [
        one for one in process.database.parent.iterdir() if "gateway.db" in one.name
    ]
    before = {one: stat.S_IMODE(one.stat().st_mode) for one in files}
    for one in files:
        one.chmod(0o400)
    try:
        yield
    finally:
        for one, mode in before.items():
            if one.exists():
                one.chmod(mode)


async def turns(process, count=20):
    """Turns of both transports, half of each."""
    async with aiohttp.ClientSession() as session:

        async def over_a_socket():
            async with session.ws_connect(process.url + CODEX) as ws:
                return (await turn_on(ws))[-1]["type"]

        ended = await asyncio.gather(
            *[process.turn(session) for _ in range(count // 2)],
            *[over_a_socket() for _ in range(count // 2)],
        )
    assert set(ended) == {"response.completed"}


async def heals(process, rows):
    """Everything is in the database again, without anybody's help."""
    await process.becomes_ready(True)
    await until(lambda: len(process.rows()) >= rows)
    assert len(process.rows()) == rows
    assert await process.metric("writer_failing") == 0
    assert await process.metric("log_rows_dropped_total") == 0


@pytest.mark.gen_test(timeout=60)
async def test_a_full_disk(start_process):
    process = await start_process()
    await turns(process)
    await until(lambda: len(process.rows()) == 20)
    with full(process):
        await turns(process)
        told = await process.becomes_ready(False)
        assert b"not writable" in told
        assert b"disk" in told
        await turns(process)
        assert await process.metric("writer_failing") == 1
        assert await process.metric('queue_depth{queue="log"}') == 40
        assert (await process.get("/health"))[0] == 200
    await heals(process, rows=60)


@pytest.mark.gen_test(timeout=90)
async def test_a_lock_and_then_no_permission(start_process):
    process = await start_process()
    with read_only(process):
        with locked(process):
            await turns(process)
            told = await process.becomes_ready(False)
            assert b"locked" in told
            await turns(process)
        # Its connection was given up; a new one may only read.
        await process.becomes_ready(False, because=b"readonly")
        await turns(process)
    await heals(process, rows=60)


@pytest.mark.nightly  # ten seconds of waiting
@pytest.mark.gen_test(timeout=60)
async def test_a_full_disk_does_not_keep_the_process_from_ending(start_process):
    process = await start_process()
    with full(process):
        await turns(process)
        process.signal(15)
        assert await process.ended(within=30) == 0
    assert "log rows lost" in process.log()


@pytest.mark.parametrize("hours", [1, -1, 24])
@pytest.mark.gen_test(timeout=60)
async def test_a_clock_that_jumps(upstream, start_process, tmp_path, hours):
    offset = tmp_path / "offset"
    offset.write_text("0")
    process = await start_process(
        clock=offset,
        FIRST_EVENT_TIMEOUT="60",
        IDLE_TIMEOUT="60",
        KEEPALIVE_INTERVAL="0.5",
    )
    gate = asyncio.Event()
    events = ScriptedTurn().text("one two").completed().events
    upstream.answer(*events[:6], gate, *events[6:], times=2)
    async with aiohttp.ClientSession() as session:
        stream = await session.post(process.url + CODEX, json=payload())
        ws = await session.ws_connect(process.url + CODEX)
        running = asyncio.create_task(turn_on(ws))
        await upstream.arrived(2)
        offset.write_text(str(hours * 3600))
        await turns(process)
        await process.becomes_ready(True)
        # Its silence was looked at since then, and is not taken for an hour's.
        await stream.content.readuntil(b"\n\n: ")
        gate.set()
        assert last_event(await stream.read()) == "response.completed"
        assert (await running)[-1]["type"] == "response.completed"
        await ws.close()
    offset.write_text("0")
    await turns(process)
    await heals(process, rows=42)
    durations = [duration for (duration,) in process.rows("duration_ms")]
    assert all(0 <= duration < 60_000 for duration in durations)
