"""What others change in the database is taken over, and that is told there."""

import asyncio

import pytest

from gateway.admin import keys
from gateway.repository.change_watch import ChangeWatch
from gateway.repository.revision import applied_revision, current_revision
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
    assert await read(applied_revision) == await read(current_revision) > 0


async def test_each_change_is_one_more(serving):
    read = serving.gateway.store.read
    before = await read(current_revision)
    await serving.add_key()
    await serving.change_key(rpm=5)
    assert await read(current_revision) == before + 2


async def test_it_looks_by_itself(serving):
    loaded = []

    async def load():
        loaded.append(await serving.gateway.store.read(current_revision))

    watch = ChangeWatch(serving.gateway.store, load, pause=0.001)
    await watch.begin()
    running = asyncio.create_task(watch.run())
    await serving.add_key()
    await until(lambda: loaded[-1] > loaded[0])
    running.cancel()
