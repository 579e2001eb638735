"""The command line beside a running gateway: two processes, one database."""

import asyncio
import json
import os
import signal
import sqlite3
import sys

import aiohttp
import pytest

from gateway.demo import faults
from gateway.demo.script import ScriptRule
from tests.e2e.gateway_process import ROOT, GatewayProcess

pytestmark = [pytest.mark.operator, pytest.mark.gen_test(timeout=60)]
V1 = "/v1/responses"
BODY = {"model": "gpt-5.5", "input": "hi", "stream": True}


async def ask(gateway, key=None):
    """The status of one turn."""
    headers = {} if key is None else {"x-api-key": key}
    async with (
        aiohttp.ClientSession() as session,
        session.post(gateway.url + V1, json=BODY, headers=headers) as response,
    ):
        await response.read()
        return response.status


async def rows(gateway, *command):
    return [json.loads(line) for line in (await gateway.run(*command)).splitlines()]


async def fails(gateway, *command):
    """What a command that fails says."""
    with pytest.raises(AssertionError) as failed:
        await gateway.run(*command)
    return str(failed.value)


async def test_a_change_of_a_key_holds_for_the_next_request(gateway):
    assert await ask(gateway) == 200
    key = await gateway.create_key("laptop")
    assert await ask(gateway) == 401
    assert await ask(gateway, key) == 200
    await gateway.run("keys", "disable", "laptop")
    assert await ask(gateway, key) == 401
    await gateway.run("keys", "enable", "laptop")
    assert await ask(gateway, key) == 200
    await gateway.run("keys", "update", "laptop", "--models", "o3")
    assert await ask(gateway, key) == 403
    await gateway.run("keys", "update", "laptop", "--models", "")
    await gateway.run("keys", "rotate", "laptop")
    assert await ask(gateway, key) == 401
    await gateway.run("keys", "remove", "laptop")
    assert await ask(gateway) == 401


async def test_a_change_of_an_account_holds_for_the_next_request(
    gateway, upstream, tmp_path
):
    name = (await rows(gateway, "accounts", "list", "--json"))[0]["name"]
    await gateway.run("accounts", "pause", name)
    assert await ask(gateway) == 400
    second = upstream.add_account("second")
    await gateway.run("accounts", "import", str(second.write_auth_file(tmp_path)))
    assert await ask(gateway) == 200
    assert upstream.of("responses")[-1].account == "second"
    await gateway.run("accounts", "remove", second.email)
    await gateway.run("accounts", "resume", name)
    assert await ask(gateway) == 200
    assert upstream.of("responses")[-1].account == "one"


async def test_the_list_shows_what_the_running_gateway_knows(gateway, upstream):
    upstream.script.add(ScriptRule(faults.usage_limit(), account="one"))
    assert await ask(gateway) == 429
    (row,) = await rows(gateway, "accounts", "list", "--json")
    assert row["state"] == "limited"
    assert row["until"] > 0
    assert "limited" in await gateway.run("accounts", "list")


async def test_the_strategy_changes_while_it_runs(gateway):
    await gateway.run("strategy", "round_robin")
    token = (await gateway.run("admin", "token")).strip()
    headers = {"authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(gateway.url + "/api/settings", headers=headers) as response,
    ):
        assert (await response.json())["strategy"] == "round_robin"


async def test_a_probe_goes_through_the_running_gateway_and_without_one(
    gateway, upstream
):
    name = upstream.accounts["one"].email
    (probed,) = await rows(gateway, "accounts", "probe", name, "--json")
    assert probed["ok"]
    await gateway.stop()
    assert "answered with" in await gateway.run("accounts", "probe", name)
    assert len(upstream.of("responses")) == 2
    upstream.script.add(ScriptRule(faults.usage_limit(), account="one"))
    assert "status 429" in await fails(gateway, "accounts", "probe", name)


async def test_a_device_login_adds_an_account_that_serves(gateway, upstream):
    upstream.add_account("newcomer")
    upstream.auth.login_account = "newcomer"
    upstream.auth.interval = "0.05"
    told = await gateway.run("accounts", "login")
    assert f"{upstream.url}/codex/device" in told
    assert "Added account 'newcomer@demo.example'" in told
    await gateway.run("accounts", "pause", upstream.accounts["one"].email)
    assert await ask(gateway) == 200
    assert upstream.of("responses")[-1].account == "newcomer"
    again = await gateway.run("accounts", "login")
    assert "Updated account" in again


async def test_the_encryption_key_is_rotated_under_a_running_gateway(gateway, upstream):
    await gateway.run("accounts", "rotate-key")
    assert await ask(gateway) == 200
    upstream.auth.expire("one")  # it must now store rotated tokens
    assert await ask(gateway) == 200
    await gateway.stop()
    await gateway.start()
    assert await ask(gateway) == 200
    assert (await rows(gateway, "accounts", "list", "--json"))[0]["state"] == "active"


async def test_the_log_is_followed_while_it_is_written(gateway):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "run.py", "logs", "--follow", "--json"),
        cwd=ROOT,
        env=gateway.env,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        found = None
        while found is None:  # it may have begun after the first turns
            await ask(gateway)
            try:
                found = await asyncio.wait_for(process.stdout.readline(), 1)
            except TimeoutError:
                continue
        assert json.loads(found)["status"] == "success"
    finally:
        process.terminate()
        await process.communicate()


async def test_a_receipt_and_usage_of_what_was_just_served(gateway):
    assert await ask(gateway) == 200
    await gateway.stop()  # what was served is in the database then
    (row,) = await rows(gateway, "logs", "--json")
    assert "attempts:" in await gateway.run("explain", row["request_id"])
    (sums,) = await rows(gateway, "usage", "--by", "model", "--json")
    assert (sums["model"], sums["requests"]) == ("gpt-5.5", 1)


async def test_a_second_gateway_on_the_data_directory_refuses_to_start(gateway):
    told = await fails(gateway, "serve")
    assert "already serves" in told
    assert f"port {gateway.port}" in told
    assert "Traceback" not in told


async def test_a_port_in_use_is_one_clear_line(gateway, tmp_path, upstream):
    (tmp_path / "other").mkdir()
    other = GatewayProcess(tmp_path / "other", upstream.url, PORT=str(gateway.port))
    told = await fails(other, "serve")
    assert "ddress already in use" in told
    assert "Traceback" not in told


async def test_a_gateway_that_was_killed_leaves_nothing_in_the_way(gateway):
    lock = json.loads((gateway.folder / "data" / "gateway.lock").read_text())
    os.kill(lock["pid"], signal.SIGKILL)
    await gateway.stop()
    await gateway.run("keys", "create", "--name", "k")
    await gateway.start()
    assert await ask(gateway) == 401


async def test_a_backup_of_a_running_gateway_serves_again(gateway, tmp_path):
    for _ in range(3):
        assert await ask(gateway) == 200
    await gateway.run("backup", str(tmp_path / "copy.db"))
    database = sqlite3.connect(tmp_path / "copy.db")
    (names,) = database.execute("SELECT name FROM account").fetchall()
    database.close()
    assert names == ("one@demo.example",)
    await gateway.stop()
    gateway.env["GATEWAY_DATABASE_URL"] = f"sqlite:///{tmp_path / 'copy.db'}"
    await gateway.start()
    assert await ask(gateway) == 200
