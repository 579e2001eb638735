"""The log's partitions on a real server: made, missing, dropped."""

import asyncio
import subprocess
import sys
from pathlib import Path

import peewee as pw
import pytest

from gateway.store import models
from gateway.store.database import close_all, migrate, open_database
from gateway.store.log import partitions
from gateway.store.log.log_rows import DAY_MS
from gateway.store.log.partitions import (
    drop_partitions,
    has_no_partition,
    make_next_partitions,
    make_partitions,
)
from gateway.store.models import RequestLog
from tests.gateway.store.store_rows import NOW, log_row, make_store

TODAY = NOW // DAY_MS * DAY_MS
FAR = TODAY + 100 * DAY_MS  # nobody has made it
NEW = Path(__file__).parents[4] / "gateway/store/migrations/0014_log_partitions.py"


@pytest.fixture
def database(server, request):
    """A new one on the server."""
    name = f"p{abs(hash(request.node.name)):x}"
    opened = open_database(server.url)
    with opened.connection_context():
        opened.execute_sql(f"CREATE DATABASE {name}")
    close_all(opened)
    opened = open_database(server.url.replace("/postgres?", f"/{name}?"))
    opened.url = server.url.replace("/postgres?", f"/{name}?")
    models.database.initialize(opened)
    with opened.connection_context():
        yield opened
    models.database.initialize(None)
    close_all(opened)


def names():
    return sorted(one.name for one in partitions._attached(models.database.obj))


def of(at):
    return partitions._name(at)


def ids():
    rows = RequestLog.select(RequestLog.id).order_by(RequestLog.id)
    return [id for (id,) in rows.tuples()]


def test_the_log_there_is_becomes_the_first_partition_without_a_copy(
    database, tmp_path
):
    old = tmp_path / "steps"
    old.mkdir()
    for step in NEW.parent.glob("0*.py"):
        if step.name < NEW.name:
            (old / step.name).write_text(step.read_text())
    migrate(database, old)
    for age in (0, 3, 60):
        RequestLog.create(**log_row(created_at=NOW - age * DAY_MS))
    file = "SELECT pg_relation_filenode('{}')"
    [(before,)] = database.execute_sql(file.format("request_log"))
    migrate(database)
    [(after,)] = database.execute_sql(file.format("request_log_first"))
    assert after == before
    assert ids() == [1, 2, 3]
    # The release before goes on writing for a week, and nothing of it is in the way.
    for ahead in (0, 1, 7):
        RequestLog.create(**log_row(created_at=TODAY + ahead * DAY_MS))
    assert ids() == [1, 2, 3, 4, 5, 6]
    RequestLog.create(**log_row(request_id="twin"))
    with pytest.raises(pw.IntegrityError):
        RequestLog.create(**log_row(request_id="twin"))


def test_the_days_to_come_are_made_once_and_read_where_they_belong(database):
    migrate(database)
    there = names()
    make_next_partitions(database, NOW)
    assert names() == there
    make_next_partitions(database, FAR)
    assert set(names()) - set(there) == {of(FAR + day * DAY_MS) for day in range(3)}
    RequestLog.create(**log_row(created_at=FAR + DAY_MS + 5))
    [(rows,)] = database.execute_sql(f"SELECT COUNT(*) FROM {of(FAR + DAY_MS)}")
    assert rows == 1


def test_a_missing_partition_is_made_before_its_row_is_tried_again(database, tmp_path):
    async def scenario():
        store = make_store(tmp_path, url=database.url)
        models.database.initialize(None)
        await store.start()
        for at in (NOW, FAR, FAR + DAY_MS - 1, NOW - 500 * DAY_MS):
            store.writer.log(log_row(created_at=at))
        await store.flush()
        written = store.writer.written, store.writer.dropped
        there = await store.read(names)
        await store.stop()
        return written, there

    written, there = asyncio.run(scenario())
    models.database.initialize(database)
    assert written == (4, 0)
    assert of(FAR) in there


def test_only_a_missing_partition_is_taken_for_one(database):
    migrate(database)
    with pytest.raises(pw.IntegrityError) as missing:
        RequestLog.create(**log_row(created_at=FAR))
    with pytest.raises(pw.IntegrityError) as empty:
        RequestLog.create(**log_row(status=None))
    assert has_no_partition(missing.value)
    assert not has_no_partition(empty.value)


def test_processes_make_the_same_one_at_once(database):
    migrate(database)
    program = (
        "import sys; from gateway.store.database import open_database\n"
        "from gateway.store.log.partitions import make_partitions\n"
        "database = open_database(sys.argv[1]); database.connect()\n"
        f"sys.stdin.read(1); make_partitions(database, [{FAR}])\n"
    )
    command = [sys.executable, "-c", program, database.url]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in processes:
        process.communicate("g")
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert names().count(of(FAR)) == 1


def test_old_partitions_go_whole_and_what_was_left_behind_with_them(database):
    migrate(database)
    make_partitions(database, [FAR, FAR + DAY_MS, FAR + 2 * DAY_MS])
    for at in (NOW, FAR, FAR + DAY_MS, FAR + 2 * DAY_MS):
        RequestLog.create(**log_row(created_at=at))
    # Its process ended before it was dropped.
    detached = of(FAR)
    database.execute_sql(f"ALTER TABLE request_log DETACH PARTITION {detached}")
    drop_partitions(database, FAR + 2 * DAY_MS)
    assert names() == [of(FAR + 2 * DAY_MS)]
    assert ids() == [4]
    tables = set(database.get_tables())
    assert not tables & {"request_log_first", detached, of(FAR + DAY_MS)}
    # A row of a day that is gone gets it anew.
    make_partitions(database, [NOW])
    assert names() == [of(NOW), of(FAR + 2 * DAY_MS)]


def test_a_partition_that_somebody_reads_goes_another_time(database):
    migrate(database)
    make_partitions(database, [FAR])
    RequestLog.create(**log_row(created_at=NOW))
    reader = open_database(database.url)
    reader.connect()
    reader.begin()
    reader.execute_sql("SELECT * FROM request_log")
    with pytest.raises(pw.OperationalError, match="cancel"):
        drop_partitions(database, FAR, patience=0.05)
    reader.rollback()
    close_all(reader)
    drop_partitions(database, FAR)
    assert names() == [of(FAR)]
    assert ids() == []


def test_every_partition_has_the_indexes_that_the_model_names(database):
    migrate(database)
    for partition in ("request_log_first", of(TODAY + DAY_MS)):
        found = database.execute_sql(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index "
            f"WHERE indrelid = '{partition}'::regclass"
        )
        there = sorted(row[0].partition(" USING btree ")[2] for row in found)
        named = [told(one) for one in RequestLog._meta.fields_to_index()]
        keys = ["(id, created_at)", "(request_id, created_at)"]
        assert there == sorted(set(named) - {"(request_id)"} | {*keys})


def told(index):
    columns = ", ".join(field.column_name for field in index._expressions)
    where = " WHERE ((status)::text <> 'success'::text)" if index._where else ""
    return f"({columns}){where}"
