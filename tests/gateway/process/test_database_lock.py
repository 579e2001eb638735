"""Who serves from a database: who may hold its lock, and what becomes of a lost one."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading

import pytest

from gateway.process.database_lock import (
    DatabaseLock,
    held_alone,
    identify,
    lock_of,
    problem_of,
)
from gateway.process.lockfile import AlreadyRunning
from gateway.repository.revision import RAISED, current_revision, raise_revision
from gateway.store.database import UnusableDatabase
from gateway.store.shared.calling import call_out
from tests.gateway.process.pooler import Pooler
from tests.gateway.store.store_rows import make_store
from tests.serving import until

HOLD = """
import asyncio, pathlib, sys
from gateway.process.database_lock import DatabaseLock

async def main():
    await DatabaseLock(sys.argv[1], pathlib.Path(sys.argv[2])).acquire()
    print("held", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'shared' / 'gateway.db'}"


@contextlib.asynccontextmanager
async def held(url, data_dir):
    lock = DatabaseLock(url, data_dir, patience=0.1, look_seconds=0.02)
    try:
        await lock.acquire()
        yield lock
    finally:
        await lock.release()


async def refusal(url, data_dir):
    with pytest.raises(UnusableDatabase) as caught:
        async with held(url, data_dir):
            pass
    return str(caught.value)


def run(scenario):
    asyncio.run(scenario())
    assert not [one for one in threading.enumerate() if one.name == "database-lock"]


def test_a_second_data_directory_is_refused_and_both_are_named(url, tmp_path):
    async def scenario():
        async with held(url, tmp_path / "one") as lock:
            told = await refusal(url, tmp_path / "two")
            assert f"{tmp_path / 'one'} on " in told
            assert f"{tmp_path / 'two'} on " in told
            assert "GATEWAY_DATABASE_URL" in told
            assert lock.problem == ""
        async with held(url, tmp_path / "two"):
            assert str(tmp_path / "two") in await refusal(url, tmp_path / "one")

    run(scenario)


def test_predecessor_and_successor_hold_it_together(url, tmp_path):
    async def scenario():
        async with contextlib.AsyncExitStack() as successor:
            async with held(url, tmp_path / "one"):
                await successor.enter_async_context(held(url, tmp_path / "one"))
                await refusal(url, tmp_path / "two")
            await refusal(url, tmp_path / "two")
        async with held(url, tmp_path / "two"):
            pass

    run(scenario)


def test_of_many_that_start_at_once_one_has_it(url, tmp_path):
    async def scenario():
        locks = [
            DatabaseLock(url, tmp_path / str(number), patience=0.5)
            for number in range(5)
        ]
        found = await asyncio.gather(
            *(lock.acquire() for lock in locks), return_exceptions=True
        )
        refused = [one for one in found if isinstance(one, UnusableDatabase)]
        assert (found.count(None), len(refused)) == (1, 4)
        await asyncio.gather(*(lock.release() for lock in locks))

    run(scenario)


def test_it_is_free_after_its_holder_was_killed(url, tmp_path):
    command = [sys.executable, "-c", HOLD, url, str(tmp_path / "one")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"

        async def scenario():
            await refusal(url, tmp_path / "two")
            os.kill(holder.pid, signal.SIGKILL)
            holder.wait()
            async with held(url, tmp_path / "two"):
                pass

        try:
            run(scenario)
        finally:
            holder.kill()


def test_a_file_that_was_removed_is_said_and_locked_again(tmp_path, caplog):
    url = f"sqlite:///{tmp_path / 'gateway.db'}"

    async def scenario():
        async with held(url, tmp_path / "one") as lock:
            (tmp_path / "gateway.db.lock").unlink()
            await until(lambda: "is held again" in caplog.text)
            assert lock.problem == ""
            await refusal(url, tmp_path / "two")

    run(scenario)
    assert "gateway.db.lock was removed" in caplog.text


def test_a_link_to_the_database_is_the_same_database(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")

    async def scenario():
        async with held(f"sqlite:///{tmp_path}/real/gateway.db", tmp_path / "one"):
            url = f"sqlite:///{tmp_path}/link/gateway.db"
            await refusal(url, tmp_path / "two")

    run(scenario)


def test_a_restarted_server_has_it_taken_again(server, tmp_path, caplog):
    async def scenario():
        async with held(server.url, tmp_path / "one") as lock:
            server.stop()
            await until(lambda: "the lock on the database is lost" in lock.problem)
            server.start()
            await until(lambda: lock.problem == "")
            assert "is held again" in caplog.text
            assert f"{tmp_path / 'one'} on " in kept_out(server.url, tmp_path / "two")

    run(scenario)


def kept_out(url, data_dir):
    """What a command is told that needs the database for itself."""
    with pytest.raises(AlreadyRunning) as caught, held_alone(url, data_dir):
        pass
    return str(caught.value)


def test_on_a_server_all_have_it_but_for_a_command_that_works_alone(server, tmp_path):
    async def scenario():
        async with held(server.url, tmp_path / "one") as lock:
            async with held(server.url, tmp_path / "two"):
                told = kept_out(server.url, tmp_path / "three")
                assert f"{tmp_path / 'one'} on " in told
                assert f"{tmp_path / 'two'} on " in told
            assert lock.problem == ""
        with held_alone(server.url, tmp_path / "three"):
            told = await refusal(server.url, tmp_path / "one")
            assert f"{tmp_path / 'three'} on " in told
            # The same command, by another URL of the same database.
            with held_alone(server.url, tmp_path / "three"):
                pass
        async with held(server.url, tmp_path / "one"):
            pass

    run(scenario)


def test_what_is_called_out_is_heard_once_it_is_committed(server, tmp_path):
    async def scenario():
        store = make_store(tmp_path, url=server.url)
        await store.start()
        async with held(server.url, tmp_path / "one") as lock:
            heard = []
            lock.heard.subscribe(heard.append)
            for text in ("one", "two"):
                await store.write(call_out, text)
            await until(lambda: heard == ["one", "two"])
            before = await store.read(current_revision)
            await store.write(raise_revision)
            await until(lambda: heard[2:] == [RAISED])
            assert await store.read(current_revision) == before + 1
        await store.stop()

    run(scenario)


def test_it_is_heard_with_a_thousand_connections_open(server, tmp_path):
    """A session that is begun anew has a high number then."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(2_048, most[0]), most[1]))
    others = [os.dup(0) for _ in range(1_024)]

    async def scenario():
        async with held(server.url, tmp_path / "one") as lock:
            heard = []
            lock.heard.subscribe(heard.append)
            store = make_store(tmp_path, url=server.url)
            await store.start()
            await store.write(call_out, "one")
            await until(lambda: heard == ["one"])
            await store.stop()

    try:
        run(scenario)
    finally:
        for one in others:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, most)


def test_who_came_between_is_named_to_who_had_it(url, tmp_path):
    """A session that ended is noticed at the next look, and until then others come."""
    own = identify(tmp_path / "one")
    lock = lock_of(url, own)
    lock.open()
    assert lock.take_first()
    lock.let_go()

    async def scenario():
        async with held(url, tmp_path / "two"):
            told = problem_of(lock, own)
            assert told.startswith("another gateway uses the database, too: ")
            assert str(tmp_path / "two") in told
            assert problem_of(lock, own) == told
            await refusal(url, tmp_path / "three")
        await until(lambda: problem_of(lock, own) == "")  # its session ends by and by

    try:
        run(scenario)
    finally:
        lock.close()


def test_a_pooler_is_found_out_and_takes_no_lock(server, tmp_path, caplog):
    async def scenario():
        with Pooler(server.home / ".s.PGSQL.5432") as pooler:
            async with held(pooler.url, tmp_path / "one") as lock:
                assert "GATEWAY_DATABASE_DIRECT_URL" in lock.problem
                async with held(server.url, tmp_path / "two") as direct:
                    assert direct.problem == ""
            assert b"set_config" not in pooler.seen  # for whoever has it next
        assert caplog.text.count("GATEWAY_DATABASE_DIRECT_URL") == 1

    run(scenario)


def test_a_server_that_is_not_there_says_so_without_the_password(driver, tmp_path):
    url = "postgresql://me:hidden@127.0.0.1:1/gateway"
    told = asyncio.run(refusal(url, tmp_path / "one"))
    assert "127.0.0.1" in told
    assert "hidden" not in told
