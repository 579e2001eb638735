"""Two hundred turns across three restarts, over both transports: none is lost."""

import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.faults.process import TURN_TIMEOUT, last_event
from tests.faults.restarting import RestartingProcess, in_use
from tests.serving import CODEX, TERMINAL, payload

pytestmark = pytest.mark.nightly

TURNS = 200
RESTARTS = 3
CLIENTS = 10  # of each transport
MANY = ("--concurrency", "1000")
PAUSE = 0.05  # between two events of an answer


@dataclass
class Tally:
    """What became of the turns, of all clients."""

    started: int = 0
    ended: Counter = field(default_factory=Counter)  # by what ended them
    reopened: int = 0  # sockets closed with 1012 before the turn had an event
    first_event: list = field(default_factory=list)  # seconds
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def begin(self):
        """Whether there is another turn to do."""
        self.started += 1
        return self.started <= TURNS

    async def end(self, how):
        async with self.changed:
            self.ended[how] += 1
            self.changed.notify_all()

    async def reach(self, count):
        async with self.changed:
            await self.changed.wait_for(lambda: self.ended.total() >= count)


async def http_client(process, headers, tally, name):
    """Turn after turn on a kept connection; nothing is tried twice."""
    async with aiohttp.ClientSession(headers=headers) as session:
        while tally.begin():
            await tally.end(await http_turn(process, session, tally, name))


async def http_turn(process, session, tally, name):
    started = time.monotonic()
    body = b""
    try:
        async with session.post(
            process.url + CODEX,
            json=payload(prompt_cache_key=name),
            timeout=TURN_TIMEOUT,
        ) as response:
            async for chunk in response.content.iter_any():
                if not body:
                    tally.first_event.append(time.monotonic() - started)
                body += chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        return repr(error)
    return last_event(body) if response.status == 200 else str(response.status)


async def socket_client(process, headers, tally, name):
    """Turn after turn on one socket; as Codex does, opened again after a 1012."""
    async with aiohttp.ClientSession(headers=headers) as session:
        ws = await session.ws_connect(process.url + CODEX)
        while tally.begin():
            how = None
            while how is None:
                if ws.closed:
                    ws = await session.ws_connect(process.url + CODEX)
                how = await socket_turn(ws, tally, name)
            await tally.end(how)
        await ws.close()


async def socket_turn(ws, tally, name):
    """How the turn ended; None when it has to be sent again on another socket."""
    started, seen = time.monotonic(), 0
    frame = {"type": "response.create", **payload(prompt_cache_key=name)}
    with suppress(aiohttp.ClientConnectionResetError):  # the close frame says why
        await ws.send_json(frame)
    while True:
        message = await ws.receive(timeout=60)
        if message.type is not aiohttp.WSMsgType.TEXT:
            if ws.close_code == 1012 and not seen:
                tally.reopened += 1
                return None
            return f"closed with {ws.close_code} after {seen} events"
        if not seen:
            tally.first_event.append(time.monotonic() - started)
        seen += 1
        kind = json.loads(message.data)["type"]
        if kind in TERMINAL:
            return kind


@pytest.mark.gen_test(timeout=300)
async def test_no_turn_is_lost_across_restarts(upstream, start_process):
    process = await start_process("one", "two", kind=RestartingProcess)
    key = await process.create_key("all", "--limit", f"requests {TURNS}/1d", *MANY)
    headers = {"authorization": f"Bearer {key}"}

    def paced(received):
        events = (
            ScriptedTurn().text("some words that come one by one").completed().events
        )
        return ScriptedResponse.of(step for event in events for step in (event, PAUSE))

    upstream.answer(paced, times=None)
    tally, took = Tally(), []
    clients = [
        asyncio.create_task(client(process, headers, tally, f"{kind} {number}"))
        for kind, client in (("http", http_client), ("socket", socket_client))
        for number in range(CLIENTS)
    ]
    for restart in range(1, RESTARTS + 1):
        await tally.reach(restart * TURNS // (RESTARTS + 1))
        started = time.monotonic()
        await process.restart()
        took.append(time.monotonic() - started)
    await asyncio.gather(*clients)
    waits = sorted(tally.first_event)
    print(
        f"{TURNS} turns, {RESTARTS} restarts: {dict(tally.ended)}; "
        f"{tally.reopened} sockets reopened; SIGHUP to serving: "
        + ", ".join(f"{seconds:.1f} s" for seconds in took)
        + f"; first event: median {waits[len(waits) // 2]:.2f} s, "
        f"longest {waits[-1]:.2f} s"
    )
    assert tally.ended == {"response.completed": TURNS}
    assert [await process.exit_of(pid, 60) for pid in process.started[:-1]] == [0] * 3
    check_records(process, upstream)
    async with aiohttp.ClientSession(headers=headers) as session:
        assert await in_use(session, process) == {"requests": TURNS, "concurrency": 0}


def check_records(process, upstream):
    """Every turn has its row, and every conversation its account."""
    rows = process.rows("status, transport")
    assert (
        Counter(rows)[("success", "http")] + Counter(rows)[("success", "websocket")]
        == TURNS
        == len(rows)
    )
    accounts = {}
    for received in upstream.of():
        name = received.payload["prompt_cache_key"]
        accounts.setdefault(name, set()).add(received.account)
    assert len(accounts) == 2 * CLIENTS
    assert {len(used) for used in accounts.values()} == {1}
