"""Two gateways whose PostgreSQL goes away for longer than anybody may spend."""

import asyncio
import time

import aiohttp
import pytest

from gateway.process.admin_token import FILE
from gateway.store.database import open_database
from tests.cluster.test_members import (
    database_url,
    driver,
    make_gateway,
    rows,
    server,
    two,
)
from tests.operator.test_acting import ask, key_in
from tests.serving import payload

__all__ = ["database_url", "driver", "make_gateway", "server", "two"]
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.nightly,
    pytest.mark.gen_test(timeout=180),
]


async def answered(gateway, key):
    """Status, code and Retry-After of a turn."""
    async with (
        aiohttp.ClientSession(headers={"x-api-key": key}) as session,
        session.post(f"{gateway.url}/v1/responses", json=payload()) as answer,
    ):
        told = await answer.json(content_type=None) if answer.status >= 400 else {}
        code = told.get("error", {}).get("code")
        return answer.status, code, answer.headers.get("retry-after")


async def logged(shell, count):
    """Return once so many turns that went well stand in the log."""
    async with asyncio.timeout(30):
        while True:
            found = await rows(shell, "logs", "--limit", "100")
            if sum(row["status"] == "success" for row in found) == count:
                break
            await asyncio.sleep(0.5)


async def test_all_have_the_first_one_s_admin_token(two):
    one, other, *_ = two
    tokens = {(at.folder / "data" / FILE).read_text() for at in (one, other)}
    assert len(tokens) == 1
    headers = {"x-admin-token": tokens.pop().strip()}
    async with aiohttp.ClientSession(headers=headers) as session:
        for gateway in (one, other):
            async with session.get(f"{gateway.url}/api/keys") as answer:
                assert answer.status == 200


async def test_closed_limits_are_refused_after_fifteen_seconds_and_until_it_is_back(
    two, server
):
    one, other, shell, _ = two
    limits = {"closed": "tokens 1M/1d", "open": "tokens 1M/1d open"}
    keys = {
        name: key_in(await shell.run("keys", "create", name, "--limit", limit))
        for name, limit in limits.items()
    }
    keys["without"] = key_in(await shell.run("keys", "create", "without"))
    for key in keys.values():
        for gateway in (one, other):
            assert await ask(gateway, key) == 200
    served = 6
    await logged(shell, served)
    database = open_database(server.url)
    with database.connection_context():
        database.execute_sql("CHECKPOINT")  # rows are committed before they are on disk
    database.close_all()
    server.stop()
    gone = time.monotonic()
    try:
        while time.monotonic() < gone + 10:
            assert await ask(one, keys["closed"]) == 200
            served += 1
            await asyncio.sleep(1)
        await asyncio.sleep(gone + 18 - time.monotonic())
        for gateway in (one, other):
            told = await answered(gateway, keys["closed"])
            assert told == (503, "database_unavailable", None)
            for name in ("open", "without"):
                assert await ask(gateway, keys[name]) == 200
                served += 1
    finally:
        server.start()
    async with asyncio.timeout(30):
        for gateway in (one, other):
            while await ask(gateway, keys["closed"]) != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
            served += 1
    await logged(shell, served)
