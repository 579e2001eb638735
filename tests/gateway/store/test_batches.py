"""Batches on a real server: written once, whatever became of a commit's answer."""

import asyncio
import threading

import pytest

from gateway.store import models
from gateway.store.batches import Batches, write_batch
from gateway.store.database import close_all, migrate, open_database, transaction
from gateway.store.log.conversations import ConversationRow
from gateway.store.models import RequestLog, UsageDay
from gateway.store.shared.tables import MemberRow
from gateway.store.write_queue import Batch
from tests.gateway.process.pooler import Pooler
from tests.gateway.store.store_rows import NOW, log_row, make_store
from tests.gateway.store.test_postgres import empty
from tests.gateway.store.writers import until


@pytest.fixture
def database(server):
    opened = open_database(server.url)
    models.database.initialize(opened)
    with opened.connection_context():
        migrate(opened)
        empty()
        yield opened
        empty()
    models.database.initialize(None)
    close_all(opened)


@pytest.fixture
def member(database):
    return MemberRow.create(
        directory="d", place="p", version="1", state="serving", started_at=NOW
    )


def batches_of(member):
    made = Batches()
    made.member_id = member.id
    return made


def rows(number):
    return Batch(rows=[(0.0, log_row(input_tokens=1)) for _ in range(number)])


def written():
    days = sum(row.requests for row in UsageDay.select())
    return RequestLog.select().count(), days, MemberRow.get().batch


def test_each_batch_advances_its_members_number(database, member):
    batches = batches_of(member)
    batches.write(database, rows(3))
    batches.write(database, rows(2))
    assert written() == (5, 5, 2)


def test_a_commit_that_was_answered_with_silence_is_not_repeated(database, member):
    """The batch went in; what says so was lost with the connection."""
    twin = rows(2)
    first, again = batches_of(member), batches_of(member)
    first.write(database, twin)
    again._is_unclear = True  # its try ended as the first one's might have
    again.write(database, twin)
    assert written() == (2, 2, 1)
    again.write(database, rows(1))
    assert written() == (3, 3, 2)


@pytest.mark.parametrize("has_twin", [False, True], ids=["whole", "row by row"])
def test_an_answer_lost_on_the_way_loses_and_doubles_nothing(
    server, database, member, tmp_path, has_twin
):
    """Of a batch, or of the first row of one that was refused as a whole."""
    armed, lost = threading.Event(), threading.Event()
    logged = [log_row(input_tokens=1) for _ in range(3)]
    logged += [dict(logged[1])] if has_twin else []

    def answer(data):
        if b"COMMIT\0" in data and armed.is_set() and not lost.is_set():
            lost.set()
            return None
        return data

    models.database.initialize(None)

    async def scenario(url):
        store = make_store(tmp_path, url=url)
        await store.start()
        store.writer.batches.member_id = member.id
        armed.set()
        for row in logged:
            store.writer.log(row)
        store.writer.bind("1:session:a", 1, NOW)
        await until(lambda: store.writer.written + store.writer.dropped == len(logged))
        await store.stop()
        assert lost.is_set()
        assert (store.writer.written, store.writer.dropped) == (3, int(has_twin))

    with Pooler(server.home / ".s.PGSQL.5432", answer) as pooler:
        asyncio.run(scenario(pooler.url))
    models.database.initialize(database)
    assert written() == (3, 3, 4 if has_twin else 1)


def test_a_commit_does_not_wait_for_the_disk_and_other_changes_do(database, member):
    database.execute_sql(
        "CREATE OR REPLACE FUNCTION tell() RETURNS trigger AS $$ BEGIN "
        "NEW.model := current_setting('synchronous_commit'); RETURN NEW; END $$ "
        "LANGUAGE plpgsql"
    )
    database.execute_sql(
        "CREATE TRIGGER tell BEFORE INSERT ON request_log "
        "FOR EACH ROW EXECUTE FUNCTION tell()"
    )
    try:
        batches_of(member).write(database, rows(1))
        RequestLog.create(**log_row())
        told = [row.model for row in RequestLog.select().order_by(RequestLog.id)]
    finally:
        database.execute_sql("DROP TRIGGER tell ON request_log")
    assert told == ["off", "on"]


def of_conversation(account_id):
    row = log_row(account_id=account_id, conversation="1:session:a", api_key_id=1)
    return Batch(rows=[(0.0, row)])


def test_of_a_conversation_that_two_processes_write_neither_s_part_is_lost(
    server, database
):
    other, waiting = Batches(), "SELECT 1 FROM pg_locks WHERE NOT granted"

    def write_elsewhere():
        opened = open_database(server.url)
        other.write(opened, of_conversation(3))
        close_all(opened)

    Batches().write(database, of_conversation(1))
    writing = threading.Thread(target=write_elsewhere)
    with transaction(database):
        write_batch(database, of_conversation(2))
        writing.start()
        while not database.execute_sql(waiting).fetchall():
            pass
    writing.join(10)
    row = ConversationRow.get()
    assert (row.accounts, row.turns) == ("[1, 2, 3]", 3)
