"""PostgreSQL's synchronous standby takes over while gateways are under load."""

import asyncio
import shutil
import time
from collections import Counter

import pytest

from gateway.store.database import open_database
from tests.cluster.load import TOKENS, Load, turns_by_name
from tests.cluster.pair import Pair
from tests.gateway.postgres_server import need, server_directory

pytestmark = [pytest.mark.cluster, pytest.mark.nightly]

KEYS = 8


@pytest.fixture
def pair(driver):
    programs = server_directory()
    need(programs, "a PostgreSQL server (apt install postgresql)")
    made = Pair(programs)
    made.start()
    yield made
    made.end()
    shutil.rmtree(made.home)


@pytest.fixture
def database_url(pair):
    database = open_database(pair.url)
    with database.connection_context():
        database.execute_sql("CREATE DATABASE gateways")
    database.close_all()
    return pair.url.replace("/postgres?", "/gateways?")


@pytest.mark.gen_test(timeout=120)
async def test_a_standby_takes_over_and_nobody_notices(company, upstream, pair):
    await company.start(3)
    holders = await company.steady(KEYS, "--limit", "tokens 999M/7d")
    load = Load(company.doors, holders)
    working = asyncio.create_task(load.run())
    await upstream.arrived(KEYS * 10)
    moment = time.monotonic()
    await asyncio.to_thread(pair.fail_over)
    await upstream.arrived(len(upstream.of()) + KEYS * 20)
    load.end()
    await working
    sent = turns_by_name(upstream)
    for holder in holders:
        assert load.answers(holder.name) == {"done": sent[holder.name]}, holder.name
    used = {name: TOKENS * count for name, count in sent.items()}
    async with asyncio.timeout(30):
        while await company.counted() != used:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    # Rows of the log are not waited for: those of its last second may be missing.
    logged = await company.logged()
    late = sum((load.since(moment - 1, door) for door in company.doors), Counter())
    print(used, logged)
    for name, tokens in used.items():
        assert tokens - late[name] * TOKENS <= logged[name] <= tokens, name
