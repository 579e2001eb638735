"""PostgreSQL restarted, paused or gone under load; a member cut off from it."""

import asyncio
import os
import signal
from contextlib import contextmanager

import pytest

from tests.cluster.load import TOKENS, Load, turns_by_name
from tests.cluster.workers import children

pytestmark = pytest.mark.cluster

KEYS = 8


def programs(server):
    """The process ids of a PostgreSQL server."""
    first = int((server.home / "data" / "postmaster.pid").read_text().split()[0])
    return [first, *children(first)]


@contextmanager
def paused(server):
    stopped = programs(server)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)


async def under_load(company, upstream, befall, limit=None):
    """What befalls it, while each key goes on for ever; what came of it."""
    await company.start(3)
    rules = ("--limit", limit) if limit else ()
    holders = await company.steady(KEYS, *rules)
    load = Load(company.doors, holders)
    working = asyncio.create_task(load.run())
    await upstream.arrived(KEYS * 10)
    await befall()
    await upstream.arrived(len(upstream.of()) + KEYS * 10)
    load.end()
    await working
    sent = turns_by_name(upstream)
    for holder in holders:
        assert load.answers(holder.name) == {"done": sent[holder.name]}, holder.name
    used = {name: TOKENS * count for name, count in sent.items()}
    await company.agree(used if limit else {}, used)


@pytest.mark.gen_test(timeout=60)
async def test_a_restart_of_the_database_is_noticed_by_nobody(
    company, upstream, server
):
    async def restart():
        # In order: a crash may take the last moment's rows, which are not waited for.
        await asyncio.to_thread(server.stop, "fast")
        await asyncio.to_thread(server.start)

    await under_load(company, upstream, restart, "tokens 999M/7d")


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=120)
async def test_a_pause_of_twelve_seconds_is_noticed_by_nobody(
    company, upstream, server
):
    async def pause():
        with paused(server):
            await asyncio.sleep(12)

    await under_load(company, upstream, pause, "tokens 999M/7d")


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=180)
async def test_no_turn_without_limits_is_lost_in_a_minute_without_it(
    company, upstream, server
):
    async def be_gone():
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(60)
        await asyncio.to_thread(server.start)

    await under_load(company, upstream, be_gone)
