"""A loop that was blocked: what it was doing, and what the gateway did before."""

import asyncio
import json
import re
import signal
import stat

import aiohttp
import pytest

from gateway.demo.events import ScriptedTurn
from gateway.monitoring.recorder.files import recordings
from tests.serving import CODEX, payload, until

pytestmark = pytest.mark.alone

PROGRAM = "tests.faults.blockable"
STOPPED_SECONDS = 0.5


def data_dir(process):
    return process.database.parent


def blocks(process):
    """Of all recordings, each block once."""
    lines = [json.loads(line) for line in text_of_all(process).splitlines()]
    found = {line["clock"]: line for line in lines if line["kind"] == "block"}
    return list(found.values())


def text_of_all(process):
    return "".join(path.read_text() for path in recordings(data_dir(process)))


async def blocks_counted(session, process):
    """By cause, as monitoring sees them."""
    async with session.get(process.url + "/metrics") as response:
        text = await response.text()
    found = re.findall(r'loop_blocked_total{cause="(\w+)"} (\d+)', text)
    return {cause: int(number) for cause, number in found}


async def block(session, process, fault, cause):
    """Send the signal until a block is counted as what it was.

    A machine with much else to do keeps the process from running besides, and a
    block that is mostly that is counted as such.
    """
    before = await blocks_counted(session, process)
    async with asyncio.timeout(20):
        while (await blocks_counted(session, process))[cause] == before[cause]:
            process.signal(fault)
            await process.turn(session)


@pytest.mark.gen_test(timeout=60)
async def test_a_blocked_loop_leaves_a_recording(upstream, start_process):
    process = await start_process(program=PROGRAM)
    gate = asyncio.Event()
    events = ScriptedTurn().text("the words of the answer").completed().events
    upstream.answer(*events[:-1], gate, events[-1])
    async with aiohttp.ClientSession() as session:
        body = payload("the words of the prompt")
        async with session.post(process.url + CODEX, json=body) as response:
            request_id = response.headers["x-request-id"]
            await response.content.readuntil(b"answer")
            try:
                await block(session, process, signal.SIGUSR1, "busy")
                await until(lambda: recordings(data_dir(process)))
                await block(session, process, signal.SIGUSR2, "waiting")
                await block(session, process, signal.SIGWINCH, "collection")
                process.signal(signal.SIGSTOP)
                await asyncio.sleep(STOPPED_SECONDS)  # this is the fault
                process.signal(signal.SIGCONT)
            finally:
                gate.set()
            await response.read()
    process.signal(signal.SIGTERM)
    assert await process.ended() == 0

    told = blocks(process)
    where = {(one["cause"], one["where"].rpartition(" ")[2]) for one in told}
    assert ("busy", "compute_too_long") in where
    assert ("waiting", "wait_for_a_slow_disk") in where
    assert ("collection", "") in where
    longest = max(one["blocked_ms"] for one in told if one["cause"] == "stopped")
    assert longest >= STOPPED_SECONDS * 900

    text = text_of_all(process)
    samples = [json.loads(line) for line in text.splitlines()]
    streams = [one for line in samples for one in line.get("streams", ())]
    mine = [one for one in streams if one["id"] == request_id and "heard" in one]
    assert max(one["heard"] for one in mine) > 0.3
    assert {one["reached"] for one in mine} == {"first_output"}
    assert "the words" not in text

    first, last = recordings(data_dir(process))[0], recordings(data_dir(process))[-1]
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    assert process.log().count("the loop was blocked") == len({first, last})
    assert str(first) in process.log()


@pytest.mark.gen_test(timeout=60)
async def test_a_recording_that_cannot_be_written_is_counted_and_told_once(
    start_process,
):
    process = await start_process(program=PROGRAM)
    (data_dir(process) / "recordings").write_text("a file in the folder's place")
    async with aiohttp.ClientSession() as session:
        await block(session, process, signal.SIGUSR1, "busy")
        async with asyncio.timeout(10):
            failed = 'codex_gateway_recordings_total{outcome="failed"} 1.0'
            text = ""
            while failed not in text:
                async with session.get(process.url + "/metrics") as response:
                    text = await response.text()
        await block(session, process, signal.SIGUSR1, "busy")
        assert await process.turn(session) == "response.completed"
    process.signal(signal.SIGTERM)
    assert await process.ended() == 0
    assert process.log().count("no recording of a blocked loop") == 1
