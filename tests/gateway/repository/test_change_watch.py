"""What others change in the database is taken over, and that is told there."""

import asyncio

import pytest

from gateway.admin import keys
from gateway.repository import options
from gateway.repository.change_watch import ChangeWatch
from gateway.repository.members import Identity, behind, end, join
from gateway.repository.revision import (
    RAISED,
    current_revision,
    raise_revision,
)
from tests.serving import until

pytestmark = pytest.mark.gen_test(timeout=30)


async def test_a_change_of_another_process_holds_and_is_acknowledged(serving):
    made = await serving.gateway.store.write(keys.create_key, "k", {}, "test")
    headers = {"authorization": f"Bearer {made.token.reveal()}"}
    assert (await serving.get("/v1/models")).status == 200  # nobody told it
    await serving.gateway.changes.look()
    assert (await serving.get("/v1/models", headers=headers)).status == 200
    assert (await serving.get("/v1/models")).status == 401
    read = serving.gateway.store.read
    assert not await read(behind, await read(current_revision))


async def test_each_change_is_one_more(serving):
    read = serving.gateway.store.read
    before = await read(current_revision)
    await serving.add_key()
    await serving.change_key(rpm=5)
    assert await read(current_revision) == before + 2


@pytest.mark.parametrize("revision", ["abc", "-5", str(2**63 - 1), "9" * 5000, ""])
async def test_numbers_that_are_none_are_mended_by_a_change(serving, revision):
    await serving.add_key()
    store = serving.gateway.store
    await serving.gateway.changes.look()
    before = await store.read(current_revision)
    await store.write(options.write, "revision", revision)
    await store.write(keys.change_key, "key", {"rpm": 5}, "test")
    raised = await store.read(current_revision)
    assert raised > before
    assert await store.read(behind, raised)
    assert not await store.read(behind, before)
    await serving.gateway.changes.look()
    assert not await store.read(behind, raised)
    (key,) = serving.gateway.ring
    assert key.rpm == 5


async def test_it_looks_by_itself(serving):
    loaded, told = [], []

    async def load():
        loaded.append(await serving.gateway.store.read(current_revision))

    async def acknowledge(revision):
        told.append(revision)

    watch = ChangeWatch(serving.gateway.store, load, acknowledge, pause=0.001)
    await watch.look()
    running = asyncio.create_task(watch.run())
    await serving.add_key()
    await until(lambda: told[-1] == loaded[-1] > loaded[0])
    running.cancel()


async def test_it_looks_at_once_when_a_change_is_called_out():
    looks = asyncio.Queue()

    class Looking(ChangeWatch):
        async def look(self):
            looks.put_nowait(None)

    watch = Looking(None, None, None, pause=3600)
    running = asyncio.create_task(watch.run())
    watch.hear("something else")
    watch.hear(RAISED)
    await looks.get()
    watch.hear(RAISED)
    await looks.get()
    assert looks.empty()
    running.cancel()


async def test_who_comes_or_goes_has_nothing_loaded_anew(store):
    loaded, told = [], []

    async def load():
        loaded.append(None)

    async def acknowledge(revision):
        told.append(revision)

    watch = ChangeWatch(store, load, acknowledge)
    await watch.look()
    who = Identity("elsewhere", "elsewhere", "1")
    number = await store.transact(
        lambda: join(who, ends_directory=False, ends_all=False)
    )
    await watch.look()
    await store.transact(end, number)
    await watch.look()
    await watch.look()
    assert (len(loaded), told) == (1, [0, 1, 2])
    # What an older release changes counts as what it may be.
    await store.transact(raise_revision)
    await watch.look()
    assert (len(loaded), told) == (2, [0, 1, 2, 3])
