"""Guesses at two processes at once, on a real PostgreSQL server."""

import asyncio
import time

import pytest

from gateway.sign_in.delays import wait_after
from gateway.sign_in.stored_delays import count_stored, forgive_stored
from gateway.store.users.tables import FailedSignInRow
from tests.gateway.store.store_rows import make_store

pytestmark = [pytest.mark.operator, pytest.mark.gen_test]


async def test_of_guesses_at_once_one_counts_whoever_takes_them(server, tmp_path):
    store = make_store(tmp_path, url=server.url)
    await store.start()
    try:
        await store.write(FailedSignInRow.delete().execute)
        asked = ["account", "address"], time.time(), wait_after
        # Each has a connection of its own, as two processes have.
        told = await asyncio.gather(
            *(
                ask(count_stored, *asked)
                for ask in (store.write, store.transact)
                for _ in range(10)
            )
        )
        taken = [before for before, _ in told if before is not None]
        assert taken == [{"account": None, "address": None}]
        await store.transact(forgive_stored, taken[0], time.time())
        assert await store.read(FailedSignInRow.select().count) == 0
    finally:
        await store.stop()
