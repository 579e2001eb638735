"""Bodies that are not finished, or become huge: nobody else is refused, and memory
stays within what the settings name."""

import asyncio
import gzip
import re
import time
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import zstandard

from tests.faults.conftest import start_process  # noqa: F401
from tests.hostile.bytes_of import CHUNKED, TURN, send
from tests.serving import PATIENCE, until

pytestmark = pytest.mark.hostile

MEBIBYTE = 1 << 20
BUDGET = 64 * MEBIBYTE
SIDE_BUDGET = 64 * MEBIBYTE
SPARE = 200 * MEBIBYTE  # what an attack may cost beyond the budgets
MCP = "POST /backend-api/ps/mcp HTTP/1.1"
TURNS = 5  # of another key, beside each attack
# Those who hold a share all the time; of them only who gets none is answered.
HOLDING = {"a key's unfinished bodies", "a key's bodies without an end"}
FORMS = [
    # Connections of an attack, and bombs.
    pytest.param(150, 12, id="short"),
    pytest.param(1062, 200, id="whole", marks=pytest.mark.nightly),
]


def unfinished(line, size, *lines):
    """A request of which all but the last byte is sent."""
    return send(line, *lines, f"Content-Length: {size + 1}", body=b" " * size)


def packed(encoding, body, *lines):
    lines = (*lines, f"Content-Encoding: {encoding}", f"Content-Length: {len(body)}")
    return send(TURN, *lines, body=body)


def attacks(key, number, bombs):
    """By name: how many connections, what each sends, and the statuses it may see."""
    with_key = f"X-Api-Key: {key}"
    zeros = zstandard.compress(b"\0" * 120 * MEBIBYTE)
    assert len(zeros) < 5000
    empty = gzip.compress(b"")
    chunk = b"%x\r\n%b\r\n" % (MEBIBYTE, b" " * MEBIBYTE)
    wrong = "X-Api-Key: sk-cgw-wrong"
    return {
        "strangers' side calls": (number, unfinished(MCP, 60_000), set()),
        "strangers' turns": (number, unfinished(TURN, MEBIBYTE), {401}),
        "wrong keys, in chunks": (
            number // 5,
            send(TURN, CHUNKED, wrong, body=chunk * 3),
            {401, 429},
        ),
        "a key's unfinished bodies": (
            number,
            unfinished(TURN, MEBIBYTE, with_key),
            {503},
        ),
        "a key's bodies without an end": (
            number // 5,
            send(TURN, CHUNKED, with_key, body=chunk * 8),
            {503},
        ),
        "zstd bombs": (bombs, packed("zstd", zeros, with_key), {413, 503}),
        "gzip bombs": (
            bombs,
            packed("gzip", gzip.compress(b"\0" * 4 * MEBIBYTE) * 30, with_key),
            {413, 503},
        ),
        "a body of empty members": (
            bombs,
            packed("gzip", empty * (400_000 // len(empty)), with_key),
            {400, 413, 503},
        ),
    }


async def attack(port, sent, statuses):
    """One attacker's connection, open until it is cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        head = await reader.read(4096)
        if head:
            statuses.append(int(head.split()[1]))
        await asyncio.Event().wait()
    except ConnectionError:
        statuses.append(0)
    finally:
        writer.transport.abort()


def peak_bytes(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def forget_peak(process):
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


@pytest.mark.parametrize(("number", "bombs"), FORMS)
@pytest.mark.gen_test(timeout=120)
async def test_nobody_is_refused_for_others_bodies(
    start_process,  # noqa: F811
    number,
    bombs,
):
    process = await start_process(BODY_BUDGET_BYTES=str(BUDGET))
    hostile = await process.create_key("hostile")
    other = {"x-api-key": await process.create_key("other")}
    base = process.resident_bytes()
    async with aiohttp.ClientSession(headers=other) as session:
        for name, (count, sent, expected) in attacks(hostile, number, bombs).items():
            forget_peak(process)
            began = time.monotonic()
            statuses: list[int] = []
            async with attackers(count, process.port, sent, statuses):
                for turn in range(TURNS):
                    ended = await process.turn(session, f"x{turn}" * 50_000)
                    assert ended == "response.completed", (name, turn)
                if expected:
                    await answered(statuses, 1 if name in HOLDING else count)
                assert set(statuses) <= expected, name
            took, grown = time.monotonic() - began, peak_bytes(process) - base
            print(f"{name}: {count}, {took:.1f} s, +{grown >> 20} MiB, {set(statuses)}")
            assert grown < BUDGET + SIDE_BUDGET + SPARE, name
        async with asyncio.timeout(PATIENCE):
            while await process.metric("body_bytes"):
                pass  # some of the closed connections have not been seen
    assert "Traceback" not in process.log()
    assert process.log().count("\n") < 20


@asynccontextmanager
async def attackers(count, port, sent, statuses):
    tasks = [asyncio.create_task(attack(port, sent, statuses)) for _ in range(count)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def answered(statuses, least):
    await until(lambda: len(statuses) >= least)
