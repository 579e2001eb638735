"""Gateways in processes of their own, with a data directory each, on one PostgreSQL."""

import asyncio
import json
import signal

import aiohttp
import pytest
from cryptography.fernet import Fernet

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.gateway.conftest import driver, server
from tests.operator.conftest import database_url, make_gateway
from tests.operator.test_acting import Shell, ask, key_in
from tests.serving import next_event, payload, until

__all__ = ["database_url", "driver", "make_gateway", "server"]
pytestmark = [pytest.mark.cluster, pytest.mark.gen_test(timeout=90)]

BEGUN = ScriptedTurn().text("one two three").completed().events[:6]


@pytest.fixture
def two(io_loop, make_gateway, database_url, upstream):
    """Two gateways that run, with an account, and a shell at each."""
    key = Fernet.generate_key().decode()
    more = {"DATABASE_URL": database_url, "ENCRYPTION_KEY": key}
    made = [make_gateway(name, **more) for name in ("one", "two")]
    shells = [Shell(one.folder, **more) for one in made]
    path = upstream.add_account("one").write_auth_file(made[0].folder / "auth")

    async def start():
        await shells[0].run("accounts", "import", path)
        for one in made:
            await one.start()

    io_loop.run_sync(start)
    return *made, *shells


async def rows(shell, *words):
    told = await shell.run(*words, "--json")
    return [json.loads(line) for line in told.splitlines()]


async def members(shell):
    """Their numbers, the oldest first."""
    return [row["id"] for row in await rows(shell, "members")]


async def test_a_change_made_at_one_holds_at_all_when_its_command_returns(two):
    one, other, shell, elsewhere = two
    assert [row["is_behind"] for row in await rows(shell, "members")] == [False, False]
    key = key_in(await shell.run("keys", "create", "bob"))
    for _ in range(3):
        assert await ask(other, key) == 200
        await elsewhere.run("keys", "disable", "bob")
        assert (await ask(one, key), await ask(other, key)) == (401, 401)
        await shell.run("keys", "enable", "bob")
        assert await ask(other, key) == 200


async def test_turns_of_all_are_seen_and_stopped_from_each(two, upstream):
    one, other, shell, _ = two
    key = key_in(await shell.run("keys", "create", "bob"))
    upstream.answer(ScriptedResponse((*BEGUN, asyncio.Event())))
    url, asked = f"{other.url}/v1/responses", payload() | {"stream": True}
    async with (
        aiohttp.ClientSession(headers={"x-api-key": key}) as session,
        session.post(url, json=asked) as turn,
    ):
        await next_event(turn)
        (running,) = await rows(shell, "turns")
        mine, theirs = await rows(shell, "members")
        assert (mine["turns"], theirs["turns"]) == (0, 1)
        assert (running["key"], running["member"]) == ("bob", theirs["id"])
        id = turn.headers["x-request-id"]
        assert "Stopped" in await shell.run("turns", "cut", id[:12])
        await turn.read()
    made = await rows(shell, "audit")
    assert ("turn.cut", id) in [(row["action"], row["target"]) for row in made]
    sums = await fetched(f"{one.url}/metrics/members")
    assert 'codex_gateway_members{reached="yes"} 2' in sums


async def fetched(url):
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.text()


async def test_a_start_in_a_killed_ones_directory_takes_over_at_once(two):
    _, other, shell, elsewhere = two
    first, second = await members(shell)
    other.signal(signal.SIGKILL)
    await other.stop()
    await other.start()
    assert await members(elsewhere) == [first, second + 1]
    await elsewhere.run("keys", "create", "bob")
    await other.stop()  # in good order
    assert await members(shell) == [first]


async def test_who_does_not_take_a_change_over_is_named(two):
    one, other, shell, _ = two
    key = key_in(await shell.run("keys", "create", "bob"))
    _, second = await members(shell)
    other.signal(signal.SIGSTOP)
    try:
        told = await shell.fails("keys", "disable", "bob")
        assert f"not taken over within 5 s by member {second}" in told
        assert await ask(one, key) == 401
    finally:
        other.signal(signal.SIGCONT)
    assert "nabled key 'bob'" in await shell.run("keys", "enable", "bob")
    assert await ask(other, key) == 200


@pytest.mark.nightly
async def test_a_silent_member_is_taken_over_after_25_seconds_and_comes_back(two):
    one, other, shell, _ = two
    first, second = await members(shell)
    other.signal(signal.SIGSTOP)
    loop = asyncio.get_running_loop()
    stopped_at = loop.time()
    while len(await members(shell)) == 2:
        assert loop.time() < stopped_at + 40
        await asyncio.sleep(0.5)
    assert loop.time() > stopped_at + 20
    other.signal(signal.SIGCONT)
    await until(lambda: "taken over from this process; it is back" in other.log())
    for _ in range(50):
        if await members(shell) == [first, second]:
            break
        await asyncio.sleep(0.1)
    assert await members(shell) == [first, second]
    assert f"member {second} is silent" in one.log()
