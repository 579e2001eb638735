"""At a real PostgreSQL, commands act on the gateway that runs or say they do not."""

import asyncio
import os
import re
import shutil
import signal
import subprocess

import aiohttp
import pytest

from tests.gateway.cli.commands import Commands
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


class Shell:
    """Commands of this process, for a directory; they are real, and quick to start."""

    def __init__(self, folder, **settings):
        self._commands = Commands(folder, **settings)

    async def run(self, *words):
        """What a command that goes well says."""
        done = await asyncio.to_thread(self._commands, *words)
        assert done.status == 0, done.err
        return done.out + done.err

    async def fails(self, *words):
        """What one that fails says."""
        done = await asyncio.to_thread(self._commands, *words)
        assert done.status == 1, done.out
        return done.out + done.err


def key_in(told):
    return re.search(r"sk-cgw-[\w-]+", told)[0]


async def test_a_shell_that_knows_the_directory_only(
    make_gateway, database_url, upstream
):
    gateway = make_gateway("home", DATABASE_URL=database_url)
    await gateway.start()
    shell = Shell(gateway.folder)
    path = upstream.add_account("one").write_auth_file(gateway.folder / "auth")
    await shell.run("accounts", "import", path)
    key = key_in(await shell.run("keys", "create", "dave"))
    assert await ask(gateway, key) == 200
    assert "state: active → disabled" in await shell.run("keys", "disable", "dave")
    assert await ask(gateway, key) == 401
    assert "dave" in await shell.run("logs")
    told = await shell.fails("export")
    assert "PostgreSQL operator" in told
    assert f"{gateway.folder}/data/gateway.db" in told
    wrong = Shell(gateway.folder, DATABASE_URL=f"sqlite:///{gateway.folder}/other.db")
    told = await wrong.fails("keys", "enable", "dave")
    assert "PostgreSQL operator" in told
    assert f"{gateway.folder}/other.db" in told
    # The same database by another name: the mark in it tells.
    other_name = database_url.replace("host=", "host=/.")
    assert "dave" in await Shell(gateway.folder, DATABASE_URL=other_name).run("logs")
    assert not list(gateway.folder.glob("**/*.db"))


async def test_a_gateway_elsewhere_takes_changes_over(
    make_gateway, database_url, upstream
):
    gateway = make_gateway("server", DATABASE_URL=database_url)
    path = upstream.add_account("one").write_auth_file(gateway.folder / "auth")
    await Shell(gateway.folder, DATABASE_URL=database_url).run(
        "accounts", "import", path
    )
    await gateway.start()
    laptop = Shell(gateway.folder / "laptop", DATABASE_URL=database_url)
    key = key_in(await laptop.run("keys", "create", "eve"))
    assert await ask(gateway, key) == 200
    told = await laptop.run("keys", "disable", "eve")
    assert f"gateway of {gateway.folder}/data on " in told
    assert "has taken the change over" in told
    assert await ask(gateway, key) == 401
    told = await laptop.fails("accounts", "import", path)
    assert "None of the encryption keys is one of the database's" in told
    assert "needs the gateway stopped" in await laptop.fails("accounts", "rotate-key")
    assert "prices of its own" in await laptop.fails("prices", "recost")
    server = f"gateway of {gateway.folder}/data on "
    for words in (
        ("status",),
        ("accounts", "list"),
        ("keys", "delete-log", "eve", "--yes"),
    ):
        told = await laptop.run(*words)
        assert server in told
        assert "changed in the database PostgreSQL" not in told
    gateway.signal(signal.SIGSTOP)
    try:
        told = await laptop.fails("keys", "enable", "eve")
    finally:
        gateway.signal(signal.SIGCONT)
    assert "Enabled key 'eve'" in told
    assert f"gateway of {gateway.folder}/data on " in told
    assert "not taken over within 5 s by the gateway of " in told


async def test_a_gateway_moves_to_postgresql_and_its_dump_comes_back(
    make_gateway, database_url, upstream
):
    gateway = make_gateway("home")
    path = upstream.add_account("one").write_auth_file(gateway.folder / "auth")
    shell = Shell(gateway.folder)
    await shell.run("accounts", "import", path)
    key = key_in(await shell.run("keys", "create", "k"))
    assert "counted on both sides" in await shell.run("database", "copy", database_url)
    dump = gateway.folder / "gateway.dump"
    _postgresql("pg_dump", "--format=custom", f"--file={dump}", database_url)
    moved = Shell(gateway.folder, DATABASE_URL=database_url)
    await moved.run("keys", "remove", "k")
    clean = ("--clean", "--if-exists", "--no-owner", "--single-transaction")
    _postgresql("pg_restore", *clean, f"--dbname={database_url}", str(dump))
    gateway.env["GATEWAY_DATABASE_URL"] = database_url
    await gateway.start()
    assert await ask(gateway, key) == 200


def _postgresql(program, *arguments):
    beside_server = (server_directory() / "initdb").resolve().parent
    found = shutil.which(program, path=f"{beside_server}:{os.environ['PATH']}")
    subprocess.run([found, *arguments], check=True)
