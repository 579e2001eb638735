"""Heads of requests that are not whole: all together they have a bound."""

import asyncio

import pytest

from handlers.wire.arriving_heads import HEAD_BUDGET_BYTES
from tests.serving import PATIENCE, until

HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
LARGE = HEAD + b"X-A: " + b"a" * 60_000
LIMIT = 4 * len(LARGE) + 1_000


@pytest.fixture
def heads(serving):
    """What arrives at the server, with a bound of four large ones."""
    found = serving.server._connections.heads
    assert found._limit == HEAD_BUDGET_BYTES == 32 << 20
    found._limit = LIMIT
    return found


async def begin(serving, heads, sent):
    before = heads.used
    reader, writer = await serving.connect()
    writer.write(sent)
    await until(lambda: heads.used != before)
    return reader, writer


@pytest.mark.gen_test
async def test_the_oldest_ones_go_and_whole_ones_are_answered(serving, heads):
    begun = [await begin(serving, heads, LARGE) for _ in range(4)]
    assert heads.used == 4 * len(LARGE)
    begun += [await begin(serving, heads, HEAD + b"a" * 2_000)]
    assert await asyncio.wait_for(begun[0][0].read(), PATIENCE) == b""
    assert heads.used <= LIMIT
    assert (await serving.get("/health")).status == 200
    for reader, writer in begun[1:]:
        writer.write(b": b\r\n\r\n")
        assert b" 200 " in await asyncio.wait_for(reader.readline(), PATIENCE)
    assert heads.used == 0
    for _, writer in begun:
        writer.close()


@pytest.mark.gen_test
async def test_one_that_outgrows_the_bound_goes_itself(serving, heads):
    heads._limit = 100_000
    reader, writer = await serving.connect()
    writer.write(LARGE + b"a" * 60_000)
    assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    assert heads.used == 0
    writer.close()


@pytest.mark.gen_test
async def test_what_came_with_the_request_before_counts(serving, heads):
    reader, writer = await begin(serving, heads, HEAD + b"\r\n" + HEAD)
    assert heads.used == len(HEAD)
    assert b" 200 " in await asyncio.wait_for(reader.readline(), PATIENCE)
    writer.write(b"\r\n")
    await until(lambda: not heads.used)
    writer.close()
