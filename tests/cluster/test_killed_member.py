"""Two processes behind the shipped nginx file for several, one of them killed."""

import asyncio
import signal
from asyncio import gather

import aiohttp
import pytest
from cryptography.fernet import Fernet

from tests.cluster.workers import WorkersProcess
from tests.e2e.conftest import nginx_binary
from tests.e2e.nginx import Nginx
from tests.faults.conftest import start_process
from tests.faults.process import FaultyProcess, last_event
from tests.faults.restarting import held_turn
from tests.gateway.conftest import driver, server
from tests.operator.conftest import database_url
from tests.serving import CODEX, payload

__all__ = ["database_url", "driver", "nginx_binary", "server", "start_process"]
pytestmark = pytest.mark.cluster

KEYS = 8


class Site:
    """The far side of nginx, with keys."""

    def __init__(self, nginx, keys, session):
        self.url = nginx.url + CODEX
        self.keys = keys
        self._session = session

    async def turn(self, key, prompt="hi"):
        """The last event's type, or the status."""
        headers = {"authorization": f"Bearer {key}"}
        try:
            async with self._session.post(
                self.url, json=payload(prompt), headers=headers
            ) as response:
                body = await response.read()
        except aiohttp.ClientPayloadError:
            return "cut off"
        return last_event(body) if response.status == 200 else response.status


@pytest.fixture
def start_site(io_loop, nginx_binary, tmp_path):
    opened = []

    async def start(process, ports):
        keys = [await process.create_key(f"key{number}") for number in range(KEYS)]
        nginx = Nginx(nginx_binary, tmp_path / "nginx", ports)
        await nginx.start()
        session = aiohttp.ClientSession()
        opened.extend((session.close, nginx.stop))
        return Site(nginx, keys, session)

    yield start
    for close in opened:
        io_loop.run_sync(close)


@pytest.mark.gen_test(timeout=90)
async def test_only_running_turns_of_a_killed_process_are_lost(
    upstream, start_process, start_site, database_url
):
    shared = {
        "DATABASE_URL": database_url,
        "ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    one = await start_process("one", kind=FaultyProcess, **shared)
    two = await start_process("two", kind=FaultyProcess, **shared)
    site = await start_site(one, [one.port, two.port])
    answers = [await site.turn(key) for key in site.keys]
    assert answers == ["response.completed"] * KEYS

    gate = asyncio.Event()
    held_turn(upstream, gate, times=KEYS)
    running = [asyncio.create_task(site.turn(key)) for key in site.keys]
    await upstream.arrived(2 * KEYS)
    one.signal(signal.SIGKILL)
    assert await one.ended() == -signal.SIGKILL
    # The keys of the process that is gone are served elsewhere from the next turn on.
    answers = await gather(*map(site.turn, site.keys))
    assert answers == ["response.completed"] * KEYS
    gate.set()
    # One of which nothing had come yet is answered by nginx.
    lost = {"cut off", 502}
    found = {one if one not in lost else "lost" for one in await gather(*running)}
    assert found == {"lost", "response.completed"}
    # None of those that were cut off was sent a second time.
    assert len(upstream.of()) == 3 * KEYS


@pytest.mark.gen_test(timeout=90)
async def test_a_restart_of_workers_under_load_is_noticed_by_nobody(
    upstream, start_process, start_site, database_url
):
    process = await start_process(
        kind=WorkersProcess, DATABASE_URL=database_url, TRUSTED_PROXIES="127.0.0.1"
    )
    site = await start_site(process, await process.serve(2))
    done = asyncio.Event()

    async def work(key):
        answers = set()
        while not done.is_set():
            answers.add(await site.turn(key))
        return answers

    working = [asyncio.create_task(work(key)) for key in site.keys]
    await process.restart()
    done.set()
    assert await gather(*working) == [{"response.completed"}] * KEYS
