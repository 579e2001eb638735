"""More clients than the process has descriptors for: who runs goes on."""

import asyncio
import json

import aiohttp
import pytest

from gateway.demo.events import ScriptedTurn
from tests.faults.few_descriptors import DESCRIPTORS
from tests.faults.process import TURN_TIMEOUT
from tests.serving import CODEX, PATIENCE, next_event, payload

TURN = ScriptedTurn().text("one two three").completed()
ASKED = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def connect(process):
    return await asyncio.open_connection("127.0.0.1", process.port)


async def answer(reader):
    async with asyncio.timeout(PATIENCE):
        return await reader.readuntil(b"}")


@pytest.mark.slow
@pytest.mark.gen_test(timeout=60)
async def test_a_crowd_is_refused_and_those_who_run_go_on(start_process, upstream):
    process = await start_process(program="tests.faults.few_descriptors")
    gate = asyncio.Event()
    upstream.answer(*TURN.events[:6], gate, *TURN.events[6:])
    async with aiohttp.ClientSession() as session:
        running = await session.post(
            process.url + CODEX, json=payload(), timeout=TURN_TIMEOUT
        )
        await next_event(running)
        kept = await connect(process)
        kept[1].write(ASKED)
        assert b" 200 " in await answer(kept[0])

        crowd = [await connect(process) for _ in range(2 * DESCRIPTORS)]
        # Refused without having asked, so before who connected later is.
        last, writer = crowd[-1]
        refusal = await asyncio.wait_for(last.read(), PATIENCE)
        head, _, body = refusal.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"retry-after: 1\r\n" in head
        assert json.loads(body)["error"]["code"] == "gateway_overloaded"

        # An old connection still gets a new one to upstream, and the turn goes on.
        sent = json.dumps(payload("again")).encode()
        head = (
            f"POST {CODEX} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\n\r\n"
        )
        kept[1].write(head.replace("Host: x", "Host: localhost").encode() + sent)
        assert b" 200 " in await asyncio.wait_for(kept[0].readline(), PATIENCE)
        await asyncio.wait_for(kept[0].readuntil(b"response.completed"), PATIENCE)
        gate.set()
        assert b"response.completed" in await running.read()

        for _, writer in (kept, *crowd):
            writer.close()
        async with asyncio.timeout(PATIENCE):
            while await process.turn(session) != "response.completed":
                pass  # some of the closed connections have not been seen
    assert await process.metric("connections_refused_total") > DESCRIPTORS
    lines = process.log().splitlines()
    assert len([one for one in lines if "connections are refused" in one]) == 1
    assert "Traceback" not in process.log()
    assert process.log().count("\n") < 30
