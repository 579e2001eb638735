"""Old rows go in slices, and of several processes one removes them."""

import asyncio
import contextlib

from gateway.repository.claims import Claims
from gateway.repository.shared import retention
from gateway.repository.shared.retention import Retention
from gateway.store.log.log_rows import DAY_MS
from gateway.store.log.retention import SLICE_ROWS
from gateway.store.models import RequestLog, UsageHour
from tests.gateway.store.store_rows import NOW, log_row, make_store


def count():
    return RequestLog.select().count()


@contextlib.asynccontextmanager
async def filled(directory, old):
    store = make_store(directory)
    await store.start()
    for number in range(old + 10):
        age = 31 * DAY_MS if number >= 10 else 29 * DAY_MS
        store.writer.log(log_row(created_at=NOW - age))
    await store.flush()
    try:
        yield store
    finally:
        await store.stop()


def test_old_rows_go_in_small_slices_and_their_sums_stay(tmp_path):
    async def scenario():
        async with filled(tmp_path, 2 * SLICE_ROWS) as store:
            removing = asyncio.create_task(Retention(store, Claims(store), 30).run())
            seen = set()
            async with asyncio.timeout(10):
                while 10 not in seen:
                    seen.add(await store.write(count))
            removing.cancel()
            sums = await store.read(lambda: [row.requests for row in UsageHour])
            return seen, sum(sums)

    seen, requests = asyncio.run(scenario())
    # Others had their turn between two slices.
    assert SLICE_ROWS + 10 in seen
    assert requests == 2 * SLICE_ROWS + 10


def test_while_another_process_removes_this_one_leaves_it_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(retention, "IDLE_PAUSE", 0.01)

    async def scenario():
        async with filled(tmp_path, 5) as store:
            claims, others = Claims(store), Claims(store)
            others.member_id = 2
            assert await others.take("retention", 60)
            removing = asyncio.create_task(Retention(store, claims, 30).run())
            await asyncio.sleep(0)
            assert await others.take("after its look", 60)
            there = await store.write(count)
            await others.release("retention")
            async with asyncio.timeout(10):
                while await store.write(count) != 10:
                    pass
            removing.cancel()
            return there

    assert asyncio.run(scenario()) == 15


def test_a_claim_is_given_up_after_the_look(tmp_path):
    async def scenario():
        async with filled(tmp_path, 5) as store:
            claims = Claims(store)
            removing = asyncio.create_task(Retention(store, claims, 30).run())
            async with asyncio.timeout(10):
                while await store.write(count) != 10:
                    pass
                while not await claims.take("retention", 60):
                    pass
            removing.cancel()

    asyncio.run(scenario())
