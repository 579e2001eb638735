"""Two shells, a pooler, a database that takes no writes: at a real PostgreSQL."""

import threading

import pytest

from gateway.admin import accounts, keys
from gateway.admin.errors import NotThere
from gateway.secret import Secret
from gateway.store import models
from gateway.store.database import migrate, open_database, select, transaction
from gateway.store.encryption import SecretBox

pytestmark = pytest.mark.operator
# pg_stat_activity is another picture only in the next transaction.
WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"


@pytest.fixture
def database(database_url):
    opened = open_database(database_url)
    migrate(opened)
    models.database.initialize(opened)
    yield opened
    models.database.initialize(None)
    opened.close_all()


def change_at_once(database, first, second):
    """What the second change gives, which begins before the first is committed."""
    told = []

    def change():
        with database.connection_context(), transaction(database):
            told.append(second())

    thread = threading.Thread(target=change, daemon=True)
    with database.connection_context():
        with transaction(database):
            first()
            thread.start()
            while not select(database, WAITING):
                assert thread.is_alive()
        thread.join(30)
    return told[0]


def test_a_key_that_is_disabled_meanwhile_stays_so(database):
    with transaction(database):
        keys.create_key("bob", {}, "test")
    changed = change_at_once(
        database,
        lambda: keys.set_disabled("bob", "test", disabled=True),
        lambda: keys.change_key("bob", {"rpm": 30}, "test"),
    )
    assert (changed.before, changed.after) == ({"rpm": None}, {"rpm": 30})
    with database.connection_context():
        row = models.ApiKeyRow.get()
    assert row.is_disabled
    assert row.rpm == 30


def test_a_limit_raised_twice_says_what_each_found(database):
    with transaction(database):
        keys.create_key("amy", {"limits": ["tokens 1000/7d"]}, "test")
    more = {"raise_limits": ["tokens +1"]}
    changed = change_at_once(
        database,
        lambda: keys.change_key("amy", more, "test"),
        lambda: keys.change_key("amy", more, "test"),
    )
    assert changed.before == {"limits": ["tokens 1001/7d"]}
    assert changed.after == {"limits": ["tokens 1002/7d"]}


def test_a_key_that_is_removed_meanwhile_is_not_there(database):
    with transaction(database):
        keys.create_key("bob", {}, "test")

    def rotate():
        with pytest.raises(NotThere):
            keys.replace_token("bob", "test")
        return True

    assert change_at_once(database, lambda: keys.remove_key("bob", "test"), rotate)


def test_an_account_says_what_it_found(database, tmp_path):
    wanted = accounts.ApiKeyAccount("x", "https://api.example/v1", Secret("sk-1"))
    with transaction(database):
        accounts.add_api_key_account(wanted, SecretBox.open(tmp_path), "test")
    changed = change_at_once(
        database,
        lambda: accounts.change_account("x", {"priority": 7}, "test"),
        lambda: accounts.change_account("x", {"priority": 9}, "test"),
    )
    assert (changed.before, changed.after) == ({"priority": 7}, {"priority": 9})


def test_no_statement_stays_in_a_session_that_a_pooler_gives_to_others(database):
    with database.connection_context():
        for _ in range(10):
            models.ApiKeyRow.get_or_none(models.ApiKeyRow.id == 1)
        assert select(database, "SELECT COUNT(*) FROM pg_prepared_statements") == [(0,)]


def test_one_that_takes_no_writes_is_read(database, database_url):
    read_only = open_database(
        f"{database_url}&options=-cdefault_transaction_read_only=on"
    )
    assert migrate(read_only) == []
    read_only.close_all()
