"""SIGTERM: what runs may end, what is idle is closed, nothing is lost."""

import asyncio
import signal

import aiohttp
import pytest

from gateway.demo.events import ScriptedTurn
from tests.e2e.test_codex_cli import login
from tests.faults.process import last_event
from tests.serving import CODEX, payload, rest_of_turn, turn_on

pytestmark = pytest.mark.slow

MANY = 20


def long_turn(upstream, gate):
    """All turns stop in the middle until the gate opens."""
    events = ScriptedTurn().text("one two three").completed().events
    upstream.answer(*events[:5], gate, *events[5:], times=None)


@pytest.mark.gen_test(timeout=60)
async def test_a_drain_under_load(upstream, start_process):
    process = await start_process()
    url = process.url + CODEX
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        idle = [await session.ws_connect(url) for _ in range(MANY)]
        for ws in idle[: MANY // 2]:
            await turn_on(ws)  # they have an upstream socket, and are idle again
        gate = asyncio.Event()
        long_turn(upstream, gate)
        busy = [await session.ws_connect(url) for _ in range(MANY)]
        for ws in busy:
            await ws.send_json({"type": "response.create", **payload()})
        streams = [await session.post(url, json=payload()) for _ in range(MANY)]
        await upstream.arrived(MANY // 2 + 2 * MANY)

        process.signal(signal.SIGTERM)
        await process.refuses()
        for ws in idle:
            assert (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 1012
        assert process._process.returncode is None
        gate.set()
        bodies = [await response.read() for response in streams]
        assert {last_event(body) for body in bodies} == {"response.completed"}
        for ws in busy:
            assert (await rest_of_turn(ws))[-1]["type"] == "response.completed"
            assert (await ws.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 1012
    assert await process.ended() == 0
    rows = process.rows()
    assert len(rows) == MANY // 2 + 2 * MANY
    assert {status for status, _ in rows} == {"success"}


@pytest.mark.gen_test(timeout=60)
async def test_a_second_signal_ends_at_once(upstream, start_process):
    process = await start_process()
    gate = asyncio.Event()
    long_turn(upstream, gate)
    async with aiohttp.ClientSession() as session:
        stream = await session.post(process.url + CODEX, json=payload())
        ws = await session.ws_connect(process.url + CODEX)
        await ws.send_json({"type": "response.create", **payload()})
        await upstream.arrived(2)
        process.signal(signal.SIGTERM)
        await process.refuses()
        process.signal(signal.SIGTERM)
        assert await process.ended(within=5) == 0
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.read()  # cut, not ended as if it were whole
        kinds = [(await ws.receive(timeout=30)).type for _ in range(9)]
        assert kinds[-1] is aiohttp.WSMsgType.CLOSED
    assert sorted(process.rows()) == [
        ("interrupted", "http"),
        ("interrupted", "websocket"),
    ]


@pytest.mark.gen_test(timeout=60)
async def test_the_drain_has_an_end(upstream, start_process):
    process = await start_process(DRAIN_SECONDS="0.5")
    long_turn(upstream, asyncio.Event())
    async with (
        aiohttp.ClientSession() as session,
        session.post(process.url + CODEX, json=payload()) as stream,
    ):
        await upstream.arrived()
        process.signal(signal.SIGTERM)
        assert await process.ended(within=8) == 0
        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.read()
    assert process.rows() == [("interrupted", "http")]


@pytest.mark.gen_test(timeout=60)
async def test_kept_connections_are_told_to_go(upstream, start_process):
    """Else a proxy in front would send its next requests to who is leaving."""
    process = await start_process()
    gate = asyncio.Event()
    events = ScriptedTurn().text("one two").completed().events
    upstream.answer(*events[:5], gate, *events[5:])
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(process.url + "/health") as kept:
            assert "close" not in kept.headers.get("connection", "")
            await kept.read()
        stream = await session.post(process.url + CODEX, json=payload())
        # The next ones get connections of their own while the stream runs.
        async with session.get(process.url + "/health") as kept:
            await kept.read()
        process.signal(signal.SIGTERM)
        await process.refuses()
        assert await process.turn(session) == "response.completed"
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(process.url + "/health")
        gate.set()
        assert last_event(await stream.read()) == "response.completed"
    assert await process.ended() == 0
    assert process.rows() == [("success", "http")] * 2


@pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "http"])
@pytest.mark.gen_test(timeout=90)
async def test_codex_does_not_notice_a_restart(
    upstream,
    start_process,
    codex,
    websockets,
):
    """The gateway goes while the tool of a turn runs, and comes back."""
    process = await start_process()
    cli = codex()
    login(cli, "tokens")
    cli.configure(process.url + "/backend-api/codex", websockets=websockets)
    gate = cli.workdir / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.05; done; echo done"
    (cli.workdir / "wait.sh").write_text(wait)
    options = ("--dangerously-bypass-approvals-and-sandbox",)
    running = asyncio.create_task(cli.exec("demo:tool(sh wait.sh)", *options))
    await (await upstream.arrived()).done.wait()
    process.signal(signal.SIGTERM)
    assert await process.ended() == 0
    await process.start()
    gate.touch()
    run = await running
    assert run.returncode == 0, run.stderr
    assert "all done" in run.stdout
    assert "Reconnecting" not in run.stderr
    assert len(upstream.of()) == 2


@pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "http"])
@pytest.mark.gen_test(timeout=90)
async def test_codex_ends_its_turn_during_the_drain(
    upstream,
    start_process,
    codex,
    websockets,
):
    process = await start_process()
    gate = asyncio.Event()
    events = ScriptedTurn().text("the end of it").completed().events
    upstream.answer(*events[:6], gate, *events[6:])
    cli = codex()
    login(cli, "key")
    cli.configure(process.url + "/backend-api/codex", websockets=websockets)
    running = asyncio.create_task(cli.exec("good morning"))
    await upstream.arrived()
    process.signal(signal.SIGTERM)
    await process.refuses()
    gate.set()
    run = await running
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "the end of it"
    assert "Reconnecting" not in run.stderr
    assert await process.ended() == 0
    assert {status for status, _ in process.rows()} == {"success"}
