import asyncio
import re
import shutil
import subprocess
import sys

import pytest
from playhouse.schema_diff import diff_models

from gateway.store import database as store_database
from gateway.store import models
from gateway.store.database import UnusableDatabase, migrate, open_database
from gateway.store.tables import TABLES
from tests.gateway.store.store_rows import make_store

START = """
import asyncio, pathlib, sys
from tests.gateway.store.store_rows import make_store

async def main():
    store = make_store(pathlib.Path(sys.argv[1]))
    await store.start()
    await store.stop()

sys.stdin.read(1)
asyncio.run(main())
"""


@pytest.fixture
def database(tmp_path):
    opened = open_database(f"sqlite:///{tmp_path}/gateway.db")
    with opened.bind_ctx(TABLES), opened.connection_context():
        yield opened


def test_migrations_give_the_schema_the_models_describe(database):
    assert migrate(database)
    difference = diff_models(database, list(TABLES))
    assert not difference, difference


def test_a_second_run_has_nothing_to_do(database):
    migrate(database)
    assert migrate(database) == []


def test_migrations_are_numbered_without_gaps():
    names = sorted(file.stem for file in store_database.MIGRATIONS.glob("[0-9]*.py"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z_]+", name) for name in names)


def test_the_whole_database_passes_the_integrity_check(database):
    migrate(database)
    models.UsageHour.create(start=1, api_key_id=1, account_id=1, model="m")
    models.BindingRow.create(key="a", account_id=1, used_at=1)
    models.LimitCounterRow.insert(limit_id=1, window_start=1, used=1).execute()
    assert database.pragma("integrity_check") == "ok"


@pytest.mark.parametrize("table", [models.AccountRow, models.ApiKeyRow])
def test_a_removed_rows_number_is_not_given_out_again(database, table):
    migrate(database)
    values = {
        models.AccountRow: {"kind": "chatgpt", "credentials": "-"},
        models.ApiKeyRow: {"prefix": "p", "digest": "d"},
    }[table]
    first = table.create(name="one", **values).id
    table.delete().execute()
    assert table.create(name="one", **values).id > first


def test_one_login_has_one_account(database):
    migrate(database)
    login = {"kind": "chatgpt", "credentials": "-", "chatgpt_account_id": "a"}
    models.AccountRow.create(name="one", chatgpt_user_id="u", **login)
    models.AccountRow.create(name="two", chatgpt_user_id="v", **login)
    with pytest.raises(models.pw.IntegrityError):
        models.AccountRow.create(name="three", chatgpt_user_id="u", **login)
    # Accounts that are just an API key have no such identity.
    for name in ("four", "five"):
        models.AccountRow.create(name=name, kind="api_key", credentials="-")


def newer(tmp_path):
    """The steps of the next release, which adds a column that has a default."""
    steps = tmp_path / "steps"
    shutil.copytree(store_database.MIGRATIONS, steps)
    (steps / "9000_next.py").write_text(
        "def up(migrator, db):\n"
        '    db.execute_sql("ALTER TABLE account ADD COLUMN moon TEXT NOT NULL '
        "DEFAULT ''\")\n"
        "    db.execute_sql('CREATE TABLE tide (id INTEGER)')\n"
    )
    return steps


def test_going_back_one_release_is_nothing(tmp_path, database):
    """The newer one only added: this one goes on reading and writing its own."""
    migrate(database, newer(tmp_path))
    asyncio.run(start_and_stop(tmp_path))
    row = {"kind": "chatgpt", "credentials": "-", "chatgpt_user_id": "u"}
    models.AccountRow.create(name="one", **row)
    assert models.AccountRow.get().name == "one"
    assert migrate(database) == []


def test_a_database_that_needs_a_newer_release_is_refused(
    tmp_path, database, monkeypatch
):
    steps = newer(tmp_path)
    monkeypatch.setattr(store_database, "OLDEST_STEP", "9000_next")
    migrate(database, steps)
    monkeypatch.undo()
    with pytest.raises(UnusableDatabase, match="too old"):
        asyncio.run(start_and_stop(tmp_path))
    migrate(database, steps)  # the release that wrote it goes on


def test_every_step_after_the_first_lets_the_release_before_it_write(database):
    """A column that is asked for has a default in the database itself."""
    migrate(database, store_database.MIGRATIONS)
    for row in (models.AccountRow, models.ApiKeyRow):
        first = set(columns_of_the_first_release(row))
        added = database.get_columns(row._meta.table_name)
        assert {c.name for c in added if c.name not in first and not c.null} <= {
            c.name for c in added if c.default is not None
        }


def columns_of_the_first_release(row):
    source = (store_database.MIGRATIONS / "0001_initial.py").read_text()
    return re.findall(r"^        (\w+) = pw\.", source, re.MULTILINE)


async def start_and_stop(folder):
    store = make_store(folder)
    await store.start()
    await store.stop()


def test_a_failing_migration_leaves_the_database_as_it_was(tmp_path, database):
    steps = tmp_path / "steps"
    shutil.copytree(store_database.MIGRATIONS, steps)
    (steps / "9000_broken.py").write_text(
        "def up(migrator, db):\n"
        "    db.execute_sql('CREATE TABLE half (id INTEGER)')\n"
        "    raise LookupError\n"
    )
    with pytest.raises(LookupError):
        migrate(database, steps)
    assert database.get_tables() == []


def test_processes_that_start_at_once_migrate_once(tmp_path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(tmp_path)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        process.stdin.write("g")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
