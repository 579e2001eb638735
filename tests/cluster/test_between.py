"""Gateways that reach their PostgreSQL through something, or not at all."""

import asyncio
import shutil
import time

import pytest

from tests.cluster.between import HoldingProxy, Pooler, through
from tests.cluster.load import TOKENS, Load, exhaust, turns_by_name
from tests.gateway.postgres_server import need
from tests.operator.test_acting import ask

pytestmark = pytest.mark.cluster

KEYS = 12


@pytest.fixture
def proxy(io_loop, server):
    made = HoldingProxy(server.home)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def pooler(server, tmp_path):
    need(shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"), "pgbouncer")
    made = Pooler(server.home, tmp_path / "pooler")
    made.start()
    yield made
    made.stop()


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=90)
async def test_a_pooler_may_stand_in_between(company, upstream, pooler, database_url):
    company.settings["DATABASE_URL"] = through(database_url, pooler.port)
    company.settings["DATABASE_DIRECT_URL"] = database_url
    await company.start(3)
    holders, _ = await exhaust(company, upstream, 20, KEYS)
    # What they call out goes past the pooler.
    await company.shell.run("keys", "disable", holders[0].name)
    for gateway in company.gateways:
        assert await ask(gateway, holders[0].token) == 401
        assert "a pooler stands" not in gateway.log()


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=180)
async def test_one_that_is_cut_off_spends_for_fifteen_seconds(
    company, upstream, proxy, database_url
):
    """Its clients reach it all the time, and nothing else."""
    await company.start(3, DATABASE_URL=through(database_url, proxy.port))
    cut_off = company.gateways[-1]
    holders = await company.holders(300, KEYS)
    steady = await company.steady(3)
    load = Load(company.doors, [*holders, *steady])
    working = asyncio.create_task(load.run())
    await upstream.arrived(KEYS * 30)
    proxy.hold()
    moment = time.monotonic()
    async with asyncio.timeout(60):
        while len(await company.members()) == 3:  # noqa: ASYNC110
            await asyncio.sleep(1)
    assert time.monotonic() - moment > 22
    proxy.let_go()
    back = time.monotonic()
    await asyncio.sleep(5)
    load.end()
    await working
    late = load.since(moment - 1, cut_off.url)
    sent = turns_by_name(upstream)
    for turn in load.turns:
        if turn.came == "503":
            assert turn.door == cut_off.url
            assert moment + 12 < turn.ended < back + 3
    for holder in holders:
        came = load.answers(holder.name)
        assert set(came) <= {"done", "503", "429"}, (holder.name, came)
        most = 300 + holder.clients - 1 + late[holder.name]
        assert 300 <= sent[holder.name] <= most, (holder.name, came, late)
    for holder in steady:
        assert load.answers(holder.name) == {"done": sent[holder.name]}, holder.name
    used = {name: TOKENS * count for name, count in sent.items()}
    await company.agree({one.name: used[one.name] for one in holders}, used)
    assert len(await company.members()) == 3
