"""What is left of a grant when those who shared it have gone, or it is old."""

import time

import pytest

from gateway.errors import KeyLimitReached
from gateway.repository.revision import current_revision
from gateway.store.shared.tables import GrantRow
from tests.gateway.cluster.limiting_processes import (
    key,
    processes,
    rows,
    start,
    stop,
    store,
)
from tests.serving import until

__all__ = ["processes", "start", "store"]
pytestmark = pytest.mark.gen_test(timeout=30)


async def test_who_was_alone_gives_what_it_was_granted_before(start):
    one = await start(key(concurrency=2, rpm=6))
    two = await start(one.key)
    held = [await one.reserve(), await one.reserve()]
    for reservation in held:
        reservation.release()
    await one.grants.flush()
    await stop(two, [one])
    await until(lambda: not one.limiter.shared.are_shared)
    one.limiter._rate._starts.clear()  # a minute has passed
    three = await start(one.key)
    held = [await three.reserve(), await three.reserve()]
    for reservation in held:
        reservation.release()
    admitted = [await three.turn() for _ in range(5)]
    assert admitted == [*[True] * 4, False]


def age(ms):
    GrantRow.update(written_at=GrantRow.written_at - ms).execute()


async def test_starts_elsewhere_of_more_than_a_minute_ago_refuse_nobody(start, store):
    late = [0.0]
    one, two = await start(key((), rpm=4)), await start(key((), rpm=4))
    for process in (one, two):
        process.limiter._clock = lambda: time.time() + late[0]
        process.limiter.shared._clock = process.limiter._clock
    assert all([await two.turn() for _ in range(4)])
    await two.grants.flush()
    with pytest.raises(KeyLimitReached):
        await one.reserve()
    await one.grants.flush()
    await two.grants.flush()
    late[0] = 61.0
    await store.write(age, 61_000)
    assert all([await one.turn() for _ in range(4)])
    assert not await one.turn()


def of_limits():
    return [row for row in rows(GrantRow) if row["window_start"]]


async def test_what_is_written_is_not_written_with_each_acknowledgement(start, store):
    one = await start()
    await start(one.key)
    assert await one.turn()
    await one.grants.flush()
    before = await store.read(of_limits)
    for _ in range(2):
        revision = await store.read(current_revision)
        await one.members.acknowledge(revision)
    assert await store.read(of_limits) == before
