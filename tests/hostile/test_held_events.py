"""An upstream that says much and begins nothing, to clients that do not read."""

import asyncio
import json

import aiohttp
import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.turns.keepalive import StreamTiming
from tests.faults.process import FaultyProcess
from tests.serving import CODEX, PATIENCE, payload, until
from tests.tools.bench.machine import resident_bytes

pytestmark = pytest.mark.hostile

TURN = ScriptedTurn().text("done").completed()
PADDING = {"type": "codex.padding", "padding": "x" * 100_000}
MEBIBYTE = 1024 * 1024
# What sockets and streams between the two hold, once nobody reads.
BUFFERS = 24 * MEBIBYTE


def flood(mebibytes):
    """Events that are held back, before and behind the response's first."""
    steps = [TURN.events[0], *[PADDING] * (mebibytes * 10)]
    return ScriptedResponse.of([*steps, *TURN.events[1:]])


async def over_http(session, **more):
    """The first event, as soon as it is there; what came behind it waits."""
    response = await session.post(CODEX, json=payload(), **more)
    return response, await response.content.readuntil(b"\n\n")


async def over_a_socket(session, **more):
    ws = await session.ws_connect(CODEX, max_msg_size=0, **more)
    await ws.send_json({"type": "response.create", **payload()})
    return ws, (await ws.receive(timeout=PATIENCE)).data.encode()


BOTH = pytest.mark.parametrize("begin", [over_http, over_a_socket])


@BOTH
@pytest.mark.settings(pace=StreamTiming(hold=60))
@pytest.mark.gen_test
async def test_a_turn_begins_before_it_holds_too_much(serving, upstream, begin):
    upstream.answer(flood(mebibytes=200))
    answer, first = await asyncio.wait_for(begin(serving.session), PATIENCE)
    assert b"response.created" in first
    received = upstream.of()[0]
    before = -1
    while before < received.sent_bytes:  # until the client that reads nothing is felt
        before = received.sent_bytes
        assert (await serving.ask()).status == 200
    assert received.sent_bytes < BUFFERS
    assert not received.done.is_set()
    await answer.close() if begin is over_a_socket else answer.close()
    await until(received.closed.is_set)


@BOTH
@pytest.mark.nightly
@pytest.mark.gen_test(timeout=120)
async def test_forty_turns_of_a_gigabyte(upstream, tmp_path, begin):
    upstream.answer(flood(mebibytes=1000), times=None)
    gateway = FaultyProcess(tmp_path, upstream.url)
    auth_file = upstream.add_account("one").write_auth_file(tmp_path / "auth")
    await gateway.run("accounts", "import", str(auth_file))
    await gateway.start()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(gateway.url, connector=connector) as session:
        idle = resident_bytes([gateway.pid])
        begun = await asyncio.gather(*(begin(session) for _ in range(40)))
        latest, peak = 0.0, 0
        for _ in range(100):
            asked_at = asyncio.get_running_loop().time()
            async with session.get("/health") as health:
                assert health.status == 200
            latest = max(latest, asyncio.get_running_loop().time() - asked_at)
            peak = max(peak, resident_bytes([gateway.pid]))
            await asyncio.sleep(0.05)
        sent = sum(one.sent_bytes for one in upstream.of())
        figures = {"mib": (peak - idle) // MEBIBYTE, "health_ms": latest * 1000}
        print(json.dumps(figures | {"sent_mib": sent // MEBIBYTE}))
        for answer, _ in begun:
            await answer.close() if begin is over_a_socket else answer.close()
    await gateway.stop()
    assert figures["mib"] < 300
    assert latest < 5.0  # of this process, too, which plays upstream and the clients
