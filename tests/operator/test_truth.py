"""What commands say of keys, accounts and refusals is what then holds, in processes."""

import asyncio
import json
import re
import time

import aiohttp
import pytest

from gateway.demo import faults
from gateway.demo.script import ScriptRule

pytestmark = [pytest.mark.operator, pytest.mark.gen_test(timeout=60)]
BODY = {"model": "gpt-5.5", "input": "hi"}


async def ask(gateway, key, body=BODY):
    """Status and request id of one turn."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            gateway.url + "/v1/responses", json=body, headers={"x-api-key": key}
        ) as response,
    ):
        await response.read()
        return response.status, response.headers["x-request-id"]


@pytest.fixture
def gateway(make_gateway, upstream, io_loop):
    made = make_gateway("home")

    async def start():
        path = upstream.add_account("one").write_auth_file(made.folder / "auth")
        await made.run("accounts", "import", str(path))
        await made.start()

    io_loop.run_sync(start)
    return made


async def test_a_key_s_budget_is_raised_reset_and_its_old_token_ends_by_itself(gateway):
    limits = ("--limit", "requests 1/1d", "--limit", "cost 5/30d")
    old = await gateway.create_key("alice-laptop", *limits)
    assert (await ask(gateway, old))[0] == 200
    assert (await ask(gateway, old))[0] == 429
    told = await gateway.run("keys", "update", "alice", "--raise", "requests +1")
    assert "requests 1/1d, cost 5/30d → requests 2/1d, cost 5/30d" in told
    assert (await ask(gateway, old))[0] == 200
    assert (await ask(gateway, old))[0] == 429
    told = await gateway.run("keys", "reset-usage", "alice")
    assert "requests 2/1d: 2 → 0" in told
    told = await gateway.run("keys", "rotate", "alice-laptop", "--overlap", "3s")
    until = time.monotonic() + 3
    new = re.search(r"sk-cgw-[\w-]{43}", told)[0]
    assert "is good until" in told
    assert {(await ask(gateway, key))[0] for key in (old, new)} == {200}
    refused = await gateway.run("keys", "update", "alice", "--rpm", "0", may_fail=True)
    assert "out of range" in refused
    await asyncio.sleep(max(0.0, until - time.monotonic()))
    status, request_id = await ask(gateway, old)
    assert status == 401
    explained = await gateway.run("explain", request_id)
    assert "the key was rotated, and this is its old token" in explained
    assert "alice-laptop" in explained
    assert old not in explained


async def test_refusals_are_read_and_a_log_is_deleted_when_it_is_meant(gateway):
    key = await gateway.create_key("bob")
    assert (await ask(gateway, key))[0] == 200
    await gateway.run("keys", "disable", "bob")
    assert (await ask(gateway, key))[0] == 401
    assert (await ask(gateway, "sk-cgw-nobody"))[0] == 401
    listed = await gateway.run("logs", "--refused", "--json")
    rows = [json.loads(line) for line in listed.splitlines()]
    assert [(row["key"], row["reason"]) for row in rows] == [
        ("bob", "the key is disabled"),
        (None, "the key is unknown"),
    ]
    usage = json.loads(await gateway.run("usage", "--json"))
    assert (usage["requests"], usage["errors"]) == (1, 0)
    asked = await gateway.run("keys", "delete-log", "bob", may_fail=True)
    assert "give --yes" in asked
    assert "Deleted 2 rows" in await gateway.run("keys", "delete-log", "bob", "--yes")
    assert json.loads(await gateway.run("usage", "--json"))["requests"] == 1
    told = await gateway.run("audit", "--since", "1h")
    assert re.search(r"key.update +bob", told)


async def test_a_limited_account_is_said_to_be_limited_until_it_is_not(
    gateway, upstream
):
    key = await gateway.create_key("carol")
    upstream.script.add(ScriptRule(faults.usage_limit(), account="one"))
    assert (await ask(gateway, key))[0] == 429
    told = await gateway.run("accounts", "resume", "one")
    assert "It is limited until" in told
    told = await gateway.run("accounts", "probe", "one", "--model", "gpt-5.5")
    assert "answered with gpt-5.5" in told
    assert "limited" not in told
    assert (await ask(gateway, key))[0] == 200
