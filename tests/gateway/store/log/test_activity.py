"""What happened lately, as both kinds of database tell it."""

import asyncio
from contextlib import asynccontextmanager

from gateway.store import models
from gateway.store.identity import database_bytes
from gateway.store.log.activity import last_logged, last_uses, recent_errors
from gateway.store.models import ApiKeyRow, RequestLog, UsageDay, now_ms
from tests.gateway.store.log.test_queries import START
from tests.gateway.store.store_rows import log_row, make_store


@asynccontextmanager
async def on_sqlite(directory):
    store = make_store(directory)
    await store.start()
    try:
        yield store
    finally:
        await store.stop()


def told(at):
    for number, digest in ((7, "d"), (8, "e"), (9, "f")):
        ApiKeyRow.create(id=number, name=digest, prefix="p", digest=digest)
    origins = ("client", "account", "account", None, "left")
    for number, origin in enumerate(origins):
        status = {None: "success", "left": "interrupted"}.get(origin, "error")
        row = log_row(request_id=f"{number:032x}", created_at=at, api_key_id=7)
        RequestLog.create(**{**row, "status": status, "error_origin": origin})
    UsageDay.create(start=START, api_key_id=8, account_id=1, model="m")
    assert last_logged([7, 8, 10]) == {7: at / 1000}
    assert last_logged([]) == {}
    return recent_errors(at), last_uses(), database_bytes(models.database.obj)


async def check(opened):
    at = now_ms()
    async with opened as store:
        errors, uses, size = await store.write(told, at)
    assert (errors["requests"], errors["failed"]) == (5, 3)
    assert list(errors["by_origin"].items()) == [("account", 2), ("client", 1)]
    assert uses == {7: at / 1000, 8: START / 1000}
    assert size > 10_000


def test_sqlite_tells_what_happened_lately(tmp_path):
    asyncio.run(check(on_sqlite(tmp_path)))


def plan(at):
    """How SQLite finds when a page's keys were last used."""
    told(at)
    executed = []
    connection = models.database.connection()
    connection.set_trace_callback(executed.append)
    last_logged([7, 8])
    connection.set_trace_callback(None)
    query = models.database.execute_sql(f"EXPLAIN QUERY PLAN {executed[-1]}")
    return [row[3] for row in query if "request_log" in row[3]]


def test_one_look_into_an_index_tells_when_a_key_was_last_used(tmp_path):
    async def scenario():
        async with on_sqlite(tmp_path) as store:
            return await store.write(plan, now_ms())

    [step] = asyncio.run(scenario())
    assert step.startswith("SEARCH request_log USING COVERING INDEX")
