"""A running writer, and what its database holds."""

import asyncio
import contextlib

from gateway.store.models import (
    RequestLog,
)
from tests.gateway.store.store_rows import make_store


@contextlib.asynccontextmanager
async def running(directory, **settings):
    store = make_store(directory, **settings)
    await store.start()
    try:
        yield store
    finally:
        await store.stop()


def count(table=RequestLog):
    return table.select().count()


def total(table):
    rows = list(table.select())
    return sum(row.requests for row in rows), sum(row.input_tokens for row in rows)


async def until(condition):
    """Wait for what the writer's thread shows of itself; it has no other sign."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
