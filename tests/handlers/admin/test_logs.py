"""Requests are served from memory, whatever the database does; reports are not."""

import asyncio
import json
import sqlite3
import sys
import threading

import pytest

from tests.serving import CODEX, V1, payload, turn_on

pytestmark = pytest.mark.gen_test(timeout=30)

_opened: list[str] | None = None  # while somebody counts: threads that connected


def _hear(event, arguments):
    """Audit hooks cannot be taken away again."""
    if _opened is not None and event == "sqlite3.connect":
        _opened.append(threading.current_thread().name)


sys.addaudithook(_hear)


@pytest.fixture
def opened():
    """Every connection to a database from here on; each read opens one."""
    global _opened
    _opened = []
    yield _opened
    _opened = None


async def serve_all(serving, key):
    headers = {"x-api-key": key}
    for _ in range(3):
        assert (await serving.ask(CODEX, headers=headers)).status == 200
        assert (await serving.ask(V1, headers=headers)).status == 200
        await serving.ask(V1, payload(model="not-for-this-key"), headers=headers)
        for path in ("/v1/models", "/backend-api/wham/usage"):
            assert (await serving.get(path, headers=headers)).status == 200
        assert (await serving.ask(V1, headers={"x-api-key": "wrong"})).status == 401
        async with serving.socket(headers=headers) as socket:
            assert (await turn_on(socket))[-1]["type"] == "response.completed"


async def test_no_request_reads_from_the_database(serving, opened):
    limits = {"limits": ["tokens 9M/1d", "cost 90/7d model=gpt-5*"], "rpm": 1000}
    key = await serving.add_key(models=["gpt-5*"], **limits)
    assert opened  # making a key does, so the count counts
    opened.clear()
    await serve_all(serving, key)
    assert opened == []


async def test_no_request_waits_for_the_database(serving):
    key = await serving.add_key(models=["gpt-5*"])
    database = serving.settings.database_url.removeprefix("sqlite:///")
    blocker = sqlite3.connect(database, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    try:
        await asyncio.wait_for(serve_all(serving, key), 4)
    finally:
        blocker.execute("ROLLBACK")
        blocker.close()
    # All that was served meanwhile is written once the database takes it.
    await serving.gateway.store.flush()
    served = await serving.gateway.store.read(_count_rows)
    assert served == 3 * 4, json.dumps(served)


def _count_rows():
    from gateway.store.models import RequestLog

    return RequestLog.select().count()
