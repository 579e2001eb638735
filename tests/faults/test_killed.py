"""kill -9 under load, then a start on what is left."""

import asyncio
import itertools
import json
import signal
import sqlite3
import time
from contextlib import closing, suppress

import aiohttp
import pytest

from gateway.demo.events import ScriptedTurn
from tests.serving import CODEX, payload, turn_on, until

pytestmark = pytest.mark.slow

# What a killed process may lose, in seconds.
MAY_LOSE = 1.0
TALKS = 20  # at once, half of them over sockets
TURNS = 5  # of a conversation
HELD = 4  # turns that are in the middle when it happens
# Some 100 turns a second: so few that a batch does not fill up before its time.
PROMPT = "demo:long(10)"
TURN_TOKENS = 120


class Load:
    """Conversations that follow each other until their gateway is gone."""

    def __init__(self, process, token):
        self.url = process.url + CODEX
        self.headers = {"authorization": f"Bearer {token}"}
        self.ended = {}  # response id → when its client had it all (unix seconds)
        self.last = {}  # conversation → the same, of its last turn
        self.begun = 0

    def session(self):
        connector = aiohttp.TCPConnector(limit=0)
        return aiohttp.ClientSession(connector=connector, headers=self.headers)

    async def run(self):
        async with self.session() as session:
            talks = [self._over_http(session, n) for n in range(TALKS // 2)]
            talks += [self._over_sockets(session, n) for n in range(TALKS // 2)]
            await asyncio.gather(*talks)

    def due(self, known, moment):
        """What of `ended` or `last` must be in the database of a process that was
        killed at that moment."""
        return {one for one, at in known.items() if at < moment - MAY_LOSE}

    async def _over_http(self, session, number):
        with suppress(aiohttp.ClientError):
            for key in map(f"http-{number}-{{}}".format, itertools.count()):
                for _ in range(TURNS):
                    await self.turn(session, key)

    async def turn(self, session, key):
        self.begun += 1
        body = payload(PROMPT, prompt_cache_key=key)
        async with session.post(self.url, json=body) as response:
            text = await response.text()
        self._end(key, json.loads(text.rstrip().rpartition("data: ")[2]))

    async def _over_sockets(self, session, number):
        # A socket that is lost shows as a message of another type.
        with suppress(aiohttp.ClientError, TypeError):
            for key in map(f"socket-{number}-{{}}".format, itertools.count()):
                async with session.ws_connect(self.url) as ws:
                    for _ in range(TURNS):
                        self.begun += 1
                        turn = await turn_on(ws, payload(PROMPT, prompt_cache_key=key))
                        self._end(key, turn[-1])

    def _end(self, key, event):
        assert event["type"] == "response.completed"
        self.ended[event["response"]["id"]] = self.last[key] = time.time()


def accounts_by_conversation(upstream):
    """Which accounts each conversation's requests came from."""
    found = {}
    for received in upstream.of():
        key = received.payload["prompt_cache_key"]
        found.setdefault(key, set()).add(received.account)
    return found


async def limit_of(load, session):
    async with session.get(load.url.removesuffix(CODEX) + "/v1/usage") as response:
        (limit,) = (await response.json())["limits"]
    return limit


@pytest.mark.gen_test(timeout=90)
async def test_a_kill_under_load_loses_a_second_at_most(
    upstream, start_process, tmp_path
):
    process = await start_process()
    other = upstream.add_account("two").write_auth_file(tmp_path / "two")
    await process.run("accounts", "import", str(other))
    token = await process.create_key("load", "--limit", "tokens 1000M/7d")
    load = Load(process, token)
    running = asyncio.create_task(load.run())
    await until(lambda: len(load.due(load.last, time.time())) >= TALKS, seconds=30)
    gate = asyncio.Event()
    events = ScriptedTurn().text("one two").completed().events
    upstream.answer(*events[:5], gate, *events[5:], times=HELD)
    await until(lambda: not upstream.script.rules)
    async with load.session() as session:
        assert (await limit_of(load, session))["reserved_value"] > 0
    process.signal(signal.SIGKILL)
    killed_at = time.time()
    await process.ended()
    await asyncio.wait_for(running, 10)
    gate.set()

    with closing(sqlite3.connect(process.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ((used,),) = connection.execute("SELECT used FROM limit_grant").fetchall()
    due = load.due(load.ended, killed_at)
    assert len(due) >= TALKS
    assert due <= {row[0] for row in process.rows("response_id")}
    assert TURN_TOKENS * len(due) <= used <= TURN_TOKENS * load.begun

    await process.start()
    async with load.session() as session:
        limit = await limit_of(load, session)
        assert limit["reserved_value"] == 0
        assert limit["current_value"] == used
        bound = accounts_by_conversation(upstream)
        again = load.due(load.last, killed_at)
        await asyncio.gather(*[load.turn(session, key) for key in again])
        assert accounts_by_conversation(upstream) == bound
        assert {len(accounts) for accounts in bound.values()} == {1}
        assert len(set().union(*bound.values())) == 2
    await process.becomes_ready(True)
