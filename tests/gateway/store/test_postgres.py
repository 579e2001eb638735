"""The same store on a real PostgreSQL server, started for these tests."""

import asyncio
import contextlib
import itertools
import random
import subprocess
import sys
from collections import Counter
from zoneinfo import ZoneInfo

from playhouse.schema_diff import diff_models

from gateway.store import models
from gateway.store.database import open_database
from gateway.store.key_rotation import Rotated, rotate_key
from gateway.store.log.log_rows import DAY_MS
from gateway.store.log.queries import (
    LogFilter,
    find_log,
    log_page,
    newest_rows,
)
from gateway.store.log.retention import remove_slice
from gateway.store.log.usage_sums import GROUPINGS, usage_report
from gateway.store.models import (
    AccountRow,
    BindingRow,
    RequestLog,
    UsageDay,
)
from gateway.store.tables import TABLES
from gateway.store.write_queue import StoredHealth
from tests.gateway.store.log.test_activity import check
from tests.gateway.store.log.test_queries import (
    COMBINATIONS,
    FILTERS,
    START,
    judged,
    passes,
)
from tests.gateway.store.log.test_usage_sums import group_of, named
from tests.gateway.store.store_rows import NOW, log_row, make_store


@contextlib.asynccontextmanager
async def running(server, directory, **settings):
    store = make_store(directory, url=server.url, **settings)
    await store.start()
    try:
        await store.write(empty)
        yield store
    finally:
        await store.stop()


def empty():
    for table in TABLES:
        table.delete().execute()


def test_migrations_give_the_schema_the_models_describe(server, tmp_path):
    async def scenario():
        async with running(server, tmp_path) as store:
            return await store.read(
                lambda: diff_models(models.database.obj, list(TABLES))
            )

    difference = asyncio.run(scenario())
    # peewee looks for no indexes of a partitioned table: `test_partitions` does.
    assert {one.table for one in difference.add_indexes} == {"request_log"}
    assert not any(difference._replace(add_indexes=[])), difference


def test_stores_that_start_at_once_migrate_once(server, tmp_path):
    program = (
        "import asyncio, pathlib, sys\n"
        "from tests.gateway.store.store_rows import make_store\n"
        "async def main():\n"
        "    store = make_store(pathlib.Path(sys.argv[1]), url=sys.argv[2])\n"
        "    await store.start()\n"
        "    await store.stop()\n"
        "asyncio.run(main())\n"
    )
    database = open_database(server.url)
    with database.connection_context():
        database.execute_sql("CREATE DATABASE fresh")
    database.close_all()
    url = server.url.replace("/postgres?", "/fresh?")
    command = [sys.executable, "-c", program, str(tmp_path), url]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]


def test_rows_sums_and_what_is_latest_are_written(server, tmp_path):
    async def scenario():
        async with running(server, tmp_path) as store:
            account = await store.write(
                lambda: AccountRow.create(
                    name="one", kind="chatgpt", credentials="-"
                ).id
            )
            for number in range(700):
                store.writer.log(
                    log_row(
                        user_agent="nul\0 and lone \ud800 surrogate",
                        input_tokens=2**70,
                        is_prewarm=number % 2 == 0,
                    )
                )
            for number in range(3):
                store.writer.bind("a", number, NOW)
                store.writer.save_state(account, StoredHealth("limited", NOW, "x"))
            await store.flush()
            assert store.writer.dropped == 0
            return await store.read(
                lambda: (
                    RequestLog.select().count(),
                    [row.requests for row in UsageDay.select()],
                    list(BindingRow.select().tuples()),
                    AccountRow.get().state_kind,
                    RequestLog.get().user_agent,
                )
            )

    found = asyncio.run(scenario())
    text = "nul and lone ? surrogate"
    assert found == (700, [700], [("a", 2, NOW)], "limited", text)


def test_a_row_the_database_refuses_costs_only_itself(server, tmp_path):
    async def scenario():
        async with running(server, tmp_path) as store:
            twin = log_row()
            for row in (log_row(), twin, dict(twin), log_row()):
                store.writer.log(row)
            await store.flush()
            assert (store.writer.written, store.writer.dropped) == (3, 1)

    asyncio.run(scenario())


def test_pages_and_reports_agree_with_plain_lists(server, tmp_path):
    chance = random.Random(1)
    written = [
        judged(
            created_at=START + chance.randrange(9) * DAY_MS // 4,
            api_key_id=chance.choice([None, 1, 2]),
            account_id=chance.choice([None, 1, 2]),
            model=chance.choice([None, "a", "b"]),
            status=chance.choice(["success", "error", "interrupted"]),
            error_origin=chance.choice(["client", "upstream"]),
            conversation=chance.choice([None, "1:session:a", "1:session:b"]),
            response_id=chance.choice([None, "resp_a", "resp_b"]),
        )
        for _ in range(120)
    ]

    def pages(wanted):
        found, before = [], None
        while page := log_page(wanted, before=before, limit=7):
            found += page
            before = page[-1]["id"]
        return found

    async def scenario():
        async with running(server, tmp_path) as store:
            for row in written:
                store.writer.log(row)
            await store.flush()
            for names, since in itertools.product(COMBINATIONS, (None, START + DAY_MS)):
                wanted = LogFilter(
                    **{name: FILTERS[name] for name in names}, since=since
                )
                found = await store.read(pages, wanted)
                expected = {row["request_id"] for row in written if passes(row, wanted)}
                assert {row["request_id"] for row in found} == expected
                assert len(found) == len(expected)
                places = [(row["created_at"], row["id"]) for row in found]
                assert places == sorted(places, reverse=True)
            newest = await store.read(
                lambda: list(newest_rows(LogFilter(), 50, upto=2**31, page=7))
            )
            assert [row["id"] for row in newest] == [
                row["id"] for row in (await store.read(pages, LogFilter()))[49::-1]
            ]
            zone = ZoneInfo("Australia/Lord_Howe")
            for by in (*((one,) for one in GROUPINGS), ("key", "day"), ("week", "key")):
                since = START + DAY_MS // 4
                report = await store.read(
                    lambda b=by, s=since: usage_report(b, since=s, zone=zone)
                )
                counted = Counter(
                    tuple(group_of(row, one, zone) for one in by)
                    for row in written
                    if row["created_at"] >= since
                )
                found = {named(row, by, zone): row["requests"] for row in report}
                assert found == counted
            name = written[5]["request_id"]
            [row] = await store.read(find_log, name)
            assert row["request_id"] == name

    asyncio.run(scenario())


def test_what_happened_lately_is_told(server, tmp_path):
    asyncio.run(check(running(server, tmp_path)))


def test_old_rows_go(server, tmp_path):
    async def scenario():
        async with running(server, tmp_path) as store:
            for number in range(10):
                store.writer.log(log_row(created_at=NOW - number * 10 * DAY_MS))
            store.writer.bind("1:session:a", 1, NOW - 8 * DAY_MS)
            await store.flush()
            while await store.write(remove_slice, NOW, 45):
                pass
            assert await store.read(lambda: RequestLog.select().count()) == 5
            assert await store.read(lambda: BindingRow.select().count()) == 0

    asyncio.run(scenario())


def test_a_key_rotation_reseals_accounts(server, tmp_path):
    async def scenario():
        async with running(server, tmp_path) as store:
            sealed = store.secrets.encrypt("x")
            await store.write(
                lambda: AccountRow.create(
                    name="one", kind="chatgpt", credentials=sealed
                )
            )
            assert await rotate_key(store, store.secrets) == Rotated(1, 0)
            row = await store.read(AccountRow.get)
            assert store.secrets.decrypt(row.credentials) == "x"

    asyncio.run(scenario())


def test_of_several_hosts_the_one_that_takes_writes_is_found(server, tmp_path):
    async def scenario():
        hosts = server.url.replace("?host=", f"?host={tmp_path},")
        url = f"{hosts}&target_session_attrs=read-write"
        store = make_store(tmp_path, url=url)
        await store.start()
        store.writer.log(log_row())
        await store.flush()
        await store.stop()

    asyncio.run(scenario())
