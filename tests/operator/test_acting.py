"""At a real PostgreSQL, commands act on the gateway that runs or say they do not."""

import os
import shutil
import signal
import subprocess

import aiohttp
import pytest

from tests.gateway.postgres_server import server_directory

pytestmark = [pytest.mark.operator, pytest.mark.gen_test(timeout=60)]
BODY = {"model": "gpt-5.5", "input": "hi"}


async def ask(gateway, key):
    """The status of one turn."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            gateway.url + "/v1/responses", json=BODY, headers={"x-api-key": key}
        ) as response,
    ):
        await response.read()
        return response.status


async def fails(shell, *words):
    """What a command that fails says."""
    with pytest.raises(AssertionError) as failed:
        await shell.run(*words)
    return str(failed.value)


def shell_of(gateway, **settings):
    """Another shell on the gateway's data directory."""
    made = type(gateway)(gateway.folder, "http://127.0.0.1:1", **settings)
    made.env["GATEWAY_AUTH_BASE_URL"] = gateway.env["GATEWAY_AUTH_BASE_URL"]
    return made


async def test_a_shell_that_knows_the_directory_only(
    make_gateway, database_url, upstream
):
    gateway = make_gateway("home", DATABASE_URL=database_url)
    await gateway.start()
    shell = shell_of(gateway)
    path = upstream.add_account("one").write_auth_file(gateway.folder / "auth")
    await shell.run("accounts", "import", str(path))
    key = await shell.create_key("dave")
    assert await ask(gateway, key) == 200
    assert "state: active → disabled" in await shell.run("keys", "disable", "dave")
    assert await ask(gateway, key) == 401
    told = await fails(shell, "logs")
    assert "PostgreSQL operator" in told
    assert f"{gateway.folder}/data/gateway.db" in told
    wrong = shell_of(gateway, DATABASE_URL=f"sqlite:///{gateway.folder}/other.db")
    told = await fails(wrong, "keys", "enable", "dave")
    assert "PostgreSQL operator" in told
    assert f"{gateway.folder}/other.db" in told
    # The same database by another name: the mark in it tells.
    other_name = database_url.replace("host=", "host=/.")
    assert "dave" in await shell_of(gateway, DATABASE_URL=other_name).run("logs")
    assert not list(gateway.folder.glob("**/*.db"))


async def test_a_gateway_elsewhere_takes_changes_over(
    make_gateway, database_url, upstream
):
    gateway = make_gateway("server", DATABASE_URL=database_url)
    path = upstream.add_account("one").write_auth_file(gateway.folder / "auth")
    await gateway.run("accounts", "import", str(path))
    await gateway.start()
    laptop = make_gateway("laptop", DATABASE_URL=database_url)
    key = await laptop.create_key("eve")
    assert await ask(gateway, key) == 200
    told = await laptop.run("keys", "disable", "eve")
    assert f"gateway of {gateway.folder}/data on " in told
    assert "has taken the change over" in told
    assert await ask(gateway, key) == 401
    told = await fails(laptop, "accounts", "import", str(path))
    assert "could not read what is encrypted" in told
    assert "needs the gateway stopped" in await fails(laptop, "accounts", "rotate-key")
    gateway.signal(signal.SIGSTOP)
    try:
        told = await fails(laptop, "keys", "enable", "eve")
    finally:
        gateway.signal(signal.SIGCONT)
    assert "Enabled key 'eve'" in told
    assert f"gateway of {gateway.folder}/data on " in told
    assert "has not taken it over within 5 s" in told


async def test_a_gateway_moves_to_postgresql_and_its_dump_comes_back(
    make_gateway, database_url, upstream
):
    gateway = make_gateway("home")
    path = upstream.add_account("one").write_auth_file(gateway.folder / "auth")
    await gateway.run("accounts", "import", str(path))
    key = await gateway.create_key("k")
    told = await gateway.run("database", "copy", database_url)
    assert "counted on both sides" in told
    gateway.env["GATEWAY_DATABASE_URL"] = database_url
    dump = gateway.folder / "gateway.dump"
    _postgresql("pg_dump", "--format=custom", f"--file={dump}", database_url)
    await gateway.run("keys", "remove", "k")
    clean = ("--clean", "--if-exists", "--no-owner", "--single-transaction")
    _postgresql("pg_restore", *clean, f"--dbname={database_url}", str(dump))
    await gateway.start()
    assert await ask(gateway, key) == 200


def _postgresql(program, *arguments):
    beside_server = (server_directory() / "initdb").resolve().parent
    found = shutil.which(program, path=f"{beside_server}:{os.environ['PATH']}")
    subprocess.run([found, *arguments], check=True)
