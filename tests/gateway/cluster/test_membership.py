"""Members: joining, dying by the clocks of others, coming back, leaving."""

import asyncio
import os
from functools import partial

import pytest

from gateway.cluster.membership import Membership
from gateway.cluster.silence import DEATH_SECONDS, SPEND_SECONDS
from gateway.repository import members
from gateway.repository.revision import current_revision
from gateway.settings import Settings
from gateway.store.database import StoreUnavailable
from gateway.store.shared.tables import ClaimRow, MemberRow

pytestmark = pytest.mark.gen_test(timeout=30)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def member(store, tmp_path, monkeypatch, clock):
    """A maker of members, in a data directory each."""

    async def make(directory, *, takes_over=True, own_clock=clock):
        monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path / directory))
        made = Membership(store, Settings.from_env(), own_clock)
        # Those of a server's database: each has a lock of its own.
        made._is_on_file = False
        await made.join(takes_over=takes_over)
        return made

    return make


async def beat(clock, seconds, *living):
    """Let so much time pass, with the beats of those who live."""
    for _ in range(round(seconds)):
        clock.now += 1
        for one in living:
            await one.beat()


async def test_one_alone_asks_nobody(member, clock):
    one = await member("a")
    assert one.is_alone
    assert one.living == {one.id}
    await one.beat()
    assert one.may_spend()


async def test_who_joins_is_seen_by_the_revision_and_sees_the_others(member, store):
    one = await member("a")
    await one.acknowledge(await store.read(current_revision))
    two = await member("b")
    assert two.living == {one.id, two.id}
    revision = await store.read(current_revision)
    assert {row.id for row in await store.read(members.behind, revision)} == two.living
    seen = []
    one.changed.subscribe(seen.append)
    await one.look()
    assert seen == [{one.id, two.id}]
    assert not one.is_alone


async def test_what_is_contributed_is_in_the_acknowledgements_transaction(
    member, store
):
    one = await member("a")
    wrote = []

    def contribution():
        before = len(wrote)
        return lambda: wrote.append((before, MemberRow.get_by_id(one.id).acknowledged))

    one.contributions.append(contribution)
    await one.acknowledge(7)
    await one.acknowledge(8)
    assert wrote == [(0, 0), (1, 7)]
    assert not await store.read(members.behind, 8)


async def test_a_silent_member_stops_spending_and_is_taken_over_later(
    member, store, clock
):
    one, two = await member("a"), await member("b")
    await beat(clock, 2, one, two)
    await two.claims.take("poll", 3600)
    await beat(clock, SPEND_SECONDS - 1, one)
    assert two.may_spend()
    await beat(clock, 1, one)
    assert not two.may_spend()
    assert one.may_spend()
    await beat(clock, DEATH_SECONDS - SPEND_SECONDS, one)  # it saw its last late
    assert one.living == {one.id, two.id}
    before = await store.read(current_revision)
    await beat(clock, 1, one)
    assert one.living == {one.id}
    assert await store.read(current_revision) > before
    assert await one.claims.take("poll", 1)


async def test_one_taken_over_from_comes_back_as_itself_and_says_so(
    member, store, clock
):
    one, two = await member("a"), await member("b")
    await beat(clock, DEATH_SECONDS + 2, one)
    told = []
    two.taken_over.subscribe(told.append)
    before = await store.read(current_revision)
    await two.beat()
    assert told == [two.id]
    assert two.may_spend()
    assert await store.read(current_revision) > before
    await one.beat()
    assert one.living == {one.id, two.id}


async def test_who_could_not_look_itself_takes_nobody_over_at_once(member, clock):
    one, two = await member("a"), await member("b")
    await beat(clock, 2, one, two)
    clock.now += 60  # the database was away, or the machine slept
    await one.beat()
    assert one.living == {one.id, two.id}
    await two.beat()
    await beat(clock, DEATH_SECONDS, one, two)
    assert one.living == {one.id, two.id}


async def test_a_beat_that_was_just_written_keeps_its_member_alive(member, store):
    one = await member("a")
    await one.beat()
    (row,) = await store.read(members.living)
    await one.beat()
    assert not await store.transact(members.end, one.id, row.heartbeat)
    assert await store.transact(members.end, one.id, row.heartbeat + 1)
    assert not await store.transact(members.end, one.id)


async def test_one_that_leaves_is_gone_at_once_with_its_claims(member, store):
    one, two = await member("a"), await member("b")
    await two.claims.take("poll", 3600)
    await two.leave()
    await one.look()
    assert one.living == {one.id}
    assert await one.claims.take("poll", 1)
    assert await store.read(partial(MemberRow.get_by_id, two.id))  # for a day


async def test_a_start_on_a_free_data_directory_ends_those_before_it(member):
    one, other = await member("a"), await member("b")
    again = await member("a")
    assert again.living == {other.id, again.id}
    successor = await member("a", takes_over=False)
    assert successor.living == {other.id, again.id, successor.id}
    assert one.id not in successor.living


async def test_on_a_file_its_lock_says_that_all_are_dead(member, store, tmp_path):
    await member("a")
    one = Membership(store, Settings.from_env(), lambda: 0.0)
    await one.join(takes_over=True)
    assert one.is_alone


async def test_on_a_file_one_alone_need_not_beat_until_another_comes(member, store):
    """A clock that jumps: the machine slept, and nobody else was there."""
    clock = Clock()
    one = Membership(store, Settings.from_env(), clock)
    await one.join(takes_over=True)
    await one.acknowledge(1)
    clock.now += 1000
    await one.beat()
    assert one.may_spend()
    two = await member("b", own_clock=clock)
    await one.look()
    assert two.living == one.living
    assert one.may_spend()  # who came has not waited yet
    clock.now += SPEND_SECONDS
    assert not one.may_spend()
    await one.beat()
    assert one.may_spend()


async def test_an_ended_members_row_goes_after_a_day(member, store):
    one = await member("a")
    await one.leave()
    long_ago = MemberRow.update(ended_at=MemberRow.ended_at - members.KEPT_MS)
    await store.transact(long_ago.execute)
    two = await member("b")
    assert two.id > one.id
    assert [row.id for row in await store.read(lambda: list(MemberRow))] == [two.id]


async def test_a_claim_is_one_members_until_its_time_or_release(member, store):
    one, two = await member("a"), await member("b")
    assert await one.claims.take("poll", 60)
    assert not await two.claims.take("poll", 60)
    assert not await one.claims.take("poll", 60)
    await two.claims.release("poll")  # not its own
    assert not await two.claims.take("poll", 60)
    await one.claims.release("poll")
    assert await two.claims.take("poll", 60)
    await store.transact(ClaimRow.update(until=ClaimRow.until - 60_001).execute)
    assert await one.claims.take("poll", 60)


async def test_a_change_is_waited_for_and_who_does_not_take_it_over_is_known(
    member, store, clock
):
    one, two = await member("a"), await member("b")
    revision = await store.read(current_revision)
    await one.acknowledge(revision)
    waiting = asyncio.create_task(one.wait_for_others(revision))
    await two.acknowledge(revision)
    await waiting
    assert one.behind == ()
    waiting = asyncio.create_task(one.wait_for_others(revision + 1))
    await one.acknowledge(revision + 1)
    clock.now += members.FOLLOW_SECONDS + 1
    await waiting
    assert one.behind == (two.id,)
    await two.leave()
    await one.look()
    await one.wait_for_others(revision + 2)  # alone it waits for nobody
    assert one.behind == ()


async def test_a_data_directory_may_have_the_longest_path(member):
    one = await member("/".join(["a" * 100] * 5))
    place = one.rows[one.id].place
    assert len(place) == 300
    assert place.endswith(f"(process {os.getpid()})")


async def test_who_was_stopped_may_spend_again_once_a_beat_is_through(member, clock):
    one = await member("a")
    clock.now += SPEND_SECONDS
    asked = asyncio.create_task(one.confirm())
    await asyncio.sleep(0)
    assert not asked.done()
    await one.beat()
    assert await asked
    assert await one.confirm()


async def test_who_has_no_database_waits_for_no_beat(store, clock):
    class CutOff(Membership):
        async def beat(self):
            raise StoreUnavailable

    one = CutOff(store, Settings.from_env(), clock)
    one._is_on_file = False
    await one.join(takes_over=True)
    clock.now += SPEND_SECONDS
    asked = asyncio.create_task(one.confirm())
    await asyncio.sleep(0)
    beating = asyncio.create_task(one.run())
    assert not await asked
    assert not await one.confirm()
    beating.cancel()
