"""What other processes have bound is read before it is used, and only then."""

import asyncio
import os
from dataclasses import replace

import pytest

from gateway.accounts.account import Account, Credentials
from gateway.accounts.affinity import MAX_AGE
from gateway.accounts.eligibility import Demand
from gateway.accounts.lease import Lease
from gateway.accounts.pool import Pool
from gateway.protocol.facts import Affinity, scoped
from gateway.repository.shared import bindings as shared_bindings
from gateway.repository.shared.bindings import SharedBindings
from gateway.repository.startup import stored_bindings
from gateway.settings import Settings
from gateway.store.models import BindingRow
from tests.gateway.store.store_rows import NOW, log_row, make_store

HERE, THERE = 1, 2  # accounts
SESSION = Affinity(session_id="s", thread_id="t")
OLD, NEW = 7, 8  # connections


class Member:
    """The bindings of one process; `clock` is its time."""

    def __init__(self, store, folder):
        settings = replace(Settings.from_env(dotenv=os.devnull), data_dir=folder)
        self.clock = NOW / 1000
        self.store, self.folder = store, folder
        self.pool = Pool(settings, lambda: self.clock)
        self.bindings = self.pool.bindings
        self.is_alone = False
        self.shared = SharedBindings(store, self.pool, lambda: self.is_alone)

    def demand(self, affinity=SESSION, **more):
        return Demand(affinity=affinity, **more)

    async def look(self, affinity=SESSION, connection=NEW, **more):
        await self.shared.look(self.demand(affinity, **more), connection)

    def home(self, affinity=SESSION):
        keys = self.demand(affinity).conversation_keys
        conversation, _ = self.bindings.conversation(keys, self.clock)
        return conversation and conversation.home

    def answer(self, account_id):
        """A turn of the conversation ends here, at this account."""
        keys = self.demand().conversation_keys
        conversation, _ = self.bindings.conversation(keys, self.clock)
        conversation = conversation or self.bindings.begin(keys, account_id, self.clock)
        self.bindings.confirm(keys, conversation, account_id, self.clock)
        conversation.answered_by = account_id
        return conversation

    async def written_elsewhere(self, account_id, affinity=SESSION):
        """Another process has a turn of it answered."""

        def write():
            for _, name in self.demand(affinity).conversation_keys:
                row = {"key": name, "account_id": account_id, "used_at": NOW}
                BindingRow.replace(**row).execute()

        await self.store.write(write)


def member(scenario):
    """Run a test's scenario with a process of its own."""

    def run(tmp_path, monkeypatch):
        monkeypatch.setattr(shared_bindings, "BATCH_SECONDS", 0.02)

        async def started():
            store = make_store(tmp_path)
            await store.start()
            try:
                await scenario(Member(store, tmp_path))
            finally:
                await store.stop()

        asyncio.run(started())

    run.__name__ = scenario.__name__
    return run


@member
async def test_a_conversation_that_began_elsewhere_is_found(one):
    await one.written_elsewhere(THERE)
    await one.look()
    assert one.home() == THERE


@member
async def test_alone_nothing_is_read(one):
    await one.written_elsewhere(THERE)
    one.is_alone = True
    await one.look()
    assert one.home() is None


@member
async def test_one_that_moved_meanwhile_is_followed_over_a_new_connection(one):
    conversation = one.answer(HERE)
    conversation.fallback = conversation.away_since = 3
    one.bindings.dirty()
    await one.written_elsewhere(THERE)
    one.clock += 1.5
    await one.look()
    assert one.home() == conversation.answered_by == THERE
    assert conversation.fallback is conversation.away_since is None


@member
async def test_over_the_same_connection_it_was_here(one):
    one.answer(HERE)
    one.bindings.dirty()
    await one.look(connection=OLD)
    await one.written_elsewhere(THERE)
    one.clock += 60
    await one.look(connection=OLD)
    assert one.home() == HERE
    await one.look(connection=NEW)
    assert one.home() == THERE
    await one.written_elsewhere(HERE)
    one.clock += 60
    await one.look(connection=OLD)  # it is the last one that counts
    assert one.home() == HERE


@member
async def test_what_was_written_or_read_a_moment_ago_is_not_read_again(one):
    one.answer(HERE)
    one.bindings.dirty()
    await one.written_elsewhere(THERE)
    await one.look(connection=OLD)
    assert one.home() == HERE
    one.clock += 1.5
    await one.look(connection=NEW)
    assert one.home() == THERE
    await one.written_elsewhere(HERE)
    await one.look(connection=OLD)
    assert one.home() == THERE


@member
async def test_what_waits_here_is_newer_than_what_is_there(one):
    one.answer(HERE)
    await one.written_elsewhere(THERE)
    one.clock += 1.5
    await one.look()
    assert one.home() == HERE


@member
async def test_a_response_s_owner_is_its_row_of_the_log(one):
    one.store.writer.log(log_row(response_id="resp_1", account_id=THERE, api_key_id=5))
    await one.store.flush()
    follows = Affinity(previous_response_id="resp_1")
    for key_id, owner in ((6, None), (None, None), (5, THERE)):
        await one.look(follows, key_id=key_id)
        found = one.bindings.owner(key_id, "response", "resp_1", one.clock)
        assert found == owner
    assert await one.store.read(lambda: BindingRow.select().count()) == 0


@member
async def test_a_row_that_comes_a_batch_later_is_waited_for(one):
    follows = Affinity(previous_response_id="resp_1")
    looking = asyncio.create_task(one.look(follows))
    await asyncio.sleep(0)
    await one.store.read(lambda: None)  # behind the first look
    one.store.writer.log(log_row(response_id="resp_1", account_id=THERE))
    await one.store.flush()
    await looking
    assert one.bindings.owner(None, "response", "resp_1", one.clock) == THERE


@member
async def test_a_turn_state_without_a_conversation_has_a_row(one):
    state = Affinity(turn_state="words")

    def write():
        name = scoped(None, "turn", "words")
        BindingRow.create(key=name, account_id=THERE, used_at=NOW)

    await one.store.write(write)
    await one.look(state)
    assert one.bindings.owner(None, "turn", "words", one.clock) == THERE


@member
async def test_the_next_start_knows_conversations_and_responses(one):
    one.answer(HERE)
    for row in one.bindings.dirty():
        one.store.writer.bind(*row)
    age = int(MAX_AGE * 1000) + 60_000
    for name, at in (("resp_1", NOW), ("resp_old", NOW - age), (None, NOW)):
        row = log_row(response_id=name, account_id=THERE, created_at=at, api_key_id=5)
        one.store.writer.log(row)
    await one.store.flush()
    rows = await one.store.read(stored_bindings)
    assert len(rows) == 3
    other = Member(one.store, one.folder)
    other.bindings.restore(rows, other.clock)
    assert other.home() == HERE
    assert other.bindings.owner(5, "response", "resp_1", other.clock) == THERE


@pytest.mark.parametrize("is_alone", [False, True])
def test_a_move_is_stored_before_it_is_told(tmp_path, is_alone):
    async def scenario():
        store = make_store(tmp_path)
        await store.start()
        one = Member(store, tmp_path)
        one.is_alone = is_alone
        one.answer(HERE)
        lease = Lease(
            Account(HERE, "one", credentials=Credentials()), one.demand(), "test"
        )
        lease.conversation = one.answer(THERE)
        moving = one.shared.is_moving(lease, made_items=False)
        if moving:
            await one.shared.keep(lease, made_items=False)
        rows = await store.read(lambda: [row.account_id for row in BindingRow.select()])
        still = one.shared.is_moving(lease, made_items=False)
        await store.stop()
        return moving, rows, still

    moving, rows, still = asyncio.run(scenario())
    assert moving is not is_alone
    assert rows == ([] if is_alone else [THERE, THERE])
    assert not still
