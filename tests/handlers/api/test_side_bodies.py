"""Bodies of requests that need no key: small, brief, and apart from all others."""

import asyncio
import json

import pytest

from tests.serving import CODEX, payload, until

MCP = "/backend-api/ps/mcp"
ANALYTICS = "/backend-api/codex/analytics-events/events"
LIMIT = 64 * 1024
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def ping(size):
    body = json.dumps(PING).encode()
    return body + b" " * (size - len(body))


@pytest.mark.parametrize("path", [MCP, ANALYTICS])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.gen_test
async def test_a_side_body_may_have_64_kib(serving, path, chunked):
    async def chunks(body):
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    for size, status in ((LIMIT, 200), (LIMIT + 1, 413)):
        body = ping(size)
        answered = await serving.ask(path, chunks(body) if chunked else body)
        assert answered.status == status
    assert answered.error["code"] == "payload_too_large"


@pytest.mark.settings(body_budget_bytes=200_000)
@pytest.mark.gen_test
async def test_strangers_bodies_take_nothing_from_who_has_a_key(serving):
    token = await serving.add_key()

    async def unfinished():
        yield ping(LIMIT)
        await go_on.wait()

    go_on = asyncio.Event()
    strangers = [asyncio.create_task(serving.ask(MCP, unfinished())) for _ in range(30)]
    gateway = serving.gateway
    await until(lambda: gateway.side_budget.used == 30 * LIMIT)
    assert gateway.body_budget.used == 0
    key = {"x-api-key": token}
    answered = await serving.ask(CODEX, payload("x" * 50_000), headers=key)
    assert answered.status == 200
    assert (await serving.ask(MCP, PING, headers=key)).status == 200
    go_on.set()
    assert {one.status for one in await asyncio.gather(*strangers)} == {200}
    assert gateway.side_budget.used == 0


@pytest.mark.gen_test
async def test_a_bomb_in_a_side_call_is_refused(serving):
    import gzip

    bomb = gzip.compress(b" " * 20_000_000)
    answered = await serving.ask(MCP, bomb, headers={"content-encoding": "gzip"})
    assert answered.status == 413
    assert serving.gateway.side_budget.used == 0
