"""SIGHUP: a new process takes over the port, the old one ends its turns and goes."""

import asyncio
import resource
import signal
from dataclasses import replace

import aiohttp
import pytest

from gateway.demo.events import ScriptedTurn
from gateway.demo.scenarios import default_answer
from tests.e2e.test_codex_cli import login
from tests.faults.process import last_event
from tests.faults.restarting import connected, held_turn, status_of
from tests.serving import CODEX, next_event, payload, rest_of_turn

pytestmark = pytest.mark.slow

MANY = 4


async def knock(process, gone):
    """Connect again and again until told; every attempt must be answered."""
    answered = 0
    while not gone.is_set():
        reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        answered += 1
    return answered


@pytest.mark.gen_test(timeout=60)
async def test_running_turns_end_and_the_port_never_refuses(upstream, start):
    process = await start()
    url, gate, gone = process.url + CODEX, asyncio.Event(), asyncio.Event()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        idle = await session.ws_connect(url)
        held_turn(upstream, gate, times=2 * MANY)
        busy = [await session.ws_connect(url) for _ in range(MANY)]
        for ws in busy:
            await ws.send_json({"type": "response.create", **payload()})
        streams = [await session.post(url, json=payload()) for _ in range(MANY)]
        await upstream.arrived(2 * MANY)
        knocking = [asyncio.create_task(knock(process, gone)) for _ in range(3)]

        await process.restart()
        assert (await idle.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
        assert idle.close_code == 1012
        assert [process.is_listening(pid) for pid in process.started] == [False, True]
        async with aiohttp.ClientSession() as newcomer:
            assert await process.turn(newcomer) == "response.completed"
        gone.set()
        assert min(await asyncio.gather(*knocking)) > 10
        gate.set()
        bodies = [await response.read() for response in streams]
        assert {last_event(body) for body in bodies} == {"response.completed"}
        for ws in busy:
            assert (await rest_of_turn(ws))[-1]["type"] == "response.completed"
            assert (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 1012
    old, new = process.started
    assert await process.exit_of(old) == 0
    process.signal(signal.SIGTERM)
    assert await process.exit_of(new) == 0
    assert process.serving_pid is None
    assert [status for status, _ in process.rows()] == ["success"] * (2 * MANY + 1)


@pytest.mark.gen_test(timeout=60)
async def test_a_kept_connection_is_closed_with_an_answer_and_not_before(
    upstream, start
):
    """Closed while idle, it might be carrying the next request."""
    process = await start()
    async with aiohttp.ClientSession() as session:
        idle = await session.ws_connect(process.url + CODEX)
        kept = [await connected(process) for _ in range(3)]
        await process.restart()
        await idle.receive(timeout=30)
        assert idle.close_code == 1012  # it has no turn, and drains
    for reader, writer in kept:
        assert await status_of(reader, writer, "/health") == 200
        writer.close()
    assert await process.ended() == 0


@pytest.mark.gen_test(timeout=60)
async def test_a_successor_that_cannot_start_leaves_the_old_one_serving(
    upstream, start
):
    process = await start()
    key_file = process.folder / "data" / "encryption.key"
    key = key_file.read_text()
    key_file.write_text("no key")
    async with aiohttp.ClientSession() as session:
        ws = await session.ws_connect(process.url + CODEX)
        process.signal(signal.SIGHUP)
        await process.says("no successor: it ended before it served")
        assert process.serving_pid == process.pid
        await ws.send_json({"type": "response.create", **payload()})
        assert (await rest_of_turn(ws))[-1]["type"] == "response.completed"
        assert await process.turn(session) == "response.completed"
        key_file.write_text(key)
        await process.restart()
        assert await process.turn(session) == "response.completed"
        await ws.close()
    assert await process.exit_of(process.started[0]) == 0


@pytest.mark.gen_test(timeout=60)
async def test_told_to_stop_while_a_successor_starts_both_end(start):
    process = await start()
    process.signal(signal.SIGHUP)
    await process.says("handing over")
    process.signal(signal.SIGTERM)
    assert await process.exit_of(process.pid) == 0
    assert process.serving_pid is None
    await process.refuses()


@pytest.mark.gen_test(timeout=60)
async def test_a_successor_takes_over_from_one_that_is_killed_before(upstream, start):
    process = await start()
    process.signal(signal.SIGHUP)
    await process.says("handing over")
    process.signal(signal.SIGKILL)
    # Its port is still bound, and who connects waits for the successor.
    async with aiohttp.ClientSession() as session:
        assert await process.turn(session) == "response.completed"
    assert await process.ended() == -signal.SIGKILL
    process.started.append(process.serving_pid)
    process.signal(signal.SIGTERM)
    assert await process.exit_of(process.pid) == 0


@pytest.mark.gen_test(timeout=60)
async def test_the_service_ends_with_its_last_generation(upstream, start):
    """A turn outlives two successors, and the last one waits for it."""
    process = await start()
    gate = asyncio.Event()
    held_turn(upstream, gate)
    async with (
        aiohttp.ClientSession() as session,
        session.post(process.url + CODEX, json=payload()) as stream,
    ):
        await upstream.arrived()
        await process.restart()
        await process.restart()
        kept = [await connected(process) for _ in range(4)]
        process.signal(signal.SIGTERM)
        await process.refuses()
        for reader, writer in kept:
            assert await status_of(reader, writer, "/health") == 200
            writer.close()
        gate.set()
        assert last_event(await stream.read()) == "response.completed"
    assert [await process.exit_of(pid) for pid in process.started] == [0, 0, 0]
    assert process.serving_pid is None
    assert process.rows() == [("success", "http")]


@pytest.mark.gen_test(timeout=60)
async def test_a_second_stop_ends_a_drain_at_once(upstream, start):
    process = await start()
    gate = asyncio.Event()
    events = ScriptedTurn().text("one two three").completed().events
    upstream.answer(*events[:4], gate, events[4], asyncio.Event())
    async with (
        aiohttp.ClientSession() as session,
        session.post(process.url + CODEX, json=payload()) as stream,
    ):
        await upstream.arrived()
        await process.restart()
        old = process._process
        old.send_signal(signal.SIGTERM)
        old.send_signal(signal.SIGHUP)  # is nothing to one that has a successor
        await process.says("told to stop")
        gate.set()
        while b"delta" not in await next_event(stream):
            pass  # it still relays
        old.send_signal(signal.SIGINT)
        assert await process.ended(within=5) == 0
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.read()
    assert process.rows() == [("interrupted", "http")]


@pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "http"])
@pytest.mark.gen_test(timeout=90)
async def test_codex_notices_nothing(upstream, start, codex, websockets):
    """One restart in the middle of an answer, another while the turn's tool runs."""
    process = await start()
    cli = codex()
    login(cli, "tokens")
    cli.configure(process.url + "/backend-api/codex", websockets=websockets)
    go_on, tool_done = asyncio.Event(), cli.workdir / "gate"
    command = f"while [ ! -e {tool_done} ]; do sleep 0.05; done; echo done"
    (cli.workdir / "wait.sh").write_text(command)

    def held(received):
        answer = default_answer(received)
        return replace(answer, steps=(*answer.steps[:2], go_on, *answer.steps[2:]))

    upstream.answer(held)
    options = ("--dangerously-bypass-approvals-and-sandbox",)
    running = asyncio.create_task(cli.exec("demo:tool(sh wait.sh)", *options))
    asked = await upstream.arrived()
    await process.restart()
    go_on.set()
    await asked.done.wait()
    await process.restart()
    tool_done.touch()
    run = await running
    assert run.returncode == 0, run.stderr
    assert "Reconnecting" not in run.stderr
    assert len(upstream.of()) == 2
    assert {status for status, _ in process.rows()} == {"success"}


@pytest.mark.gen_test(timeout=60)
async def test_whatever_keeps_a_successor_from_starting_does_not_end_the_service(
    upstream, start
):
    process = await start("one")
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    process.signal(signal.SIGHUP)
    await process.says("no successor")
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
    async with aiohttp.ClientSession() as session:
        assert await process.turn(session) == "response.completed"
