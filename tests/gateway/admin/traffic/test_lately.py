"""Conversations as pages show them, and when they lose their accounts."""

import json

import pytest

from gateway.admin.errors import NotThere
from gateway.admin.traffic.lately import (
    conversation_rows,
    locality_lately,
    one_conversation,
)
from gateway.store import models
from gateway.store.batches import write_batch
from gateway.store.database import migrate, open_database
from gateway.store.log.log_rows import HOUR_MS
from gateway.store.write_queue import Batch
from tests.gateway.store.store_rows import NOW, log_row


@pytest.fixture
def database(tmp_path):
    opened = open_database(f"sqlite:///{tmp_path}/gateway.db")
    models.database.initialize(opened)
    with opened.connection_context():
        migrate(opened)
        key = {"prefix": "p", "accounts": json.dumps([])}
        models.ApiKeyRow.create(name="bob", digest="d", **key)
        account = {"kind": "chatgpt", "credentials": "-", "chatgpt_user_id": "u"}
        models.AccountRow.create(name="one", **account)
        yield opened
    models.database.initialize(None)


def write(database, *rows):
    with database.atomic():
        write_batch(database, Batch(rows=[(0.0, row) for row in rows]))


def turn(age=0, key=1, account=1, **more):
    conversation = f"{key}:session:{'a' * 32}"
    more = {"created_at": NOW - age, "api_key_id": key, "account_id": account, **more}
    return log_row(conversation=conversation, **more)


def test_conversations_that_changed_accounts_are_named(database):
    write(
        database,
        turn(2, 1, 1, input_tokens=1_000),
        turn(1, 1, 7, input_tokens=1_000, has_switched=True),
        turn(0, 3, 1),
    )
    later, moved = conversation_rows({})
    assert conversation_rows({"moved": True}) == [moved]
    assert conversation_rows({"key": "bob"}) == [moved]
    assert conversation_rows({"key": "#3"}) == [later]
    # What is gone since is told by its number.
    assert (moved["key"], moved["accounts"], moved["account"]) == (
        "bob",
        ["one", "#7"],
        "#7",
    )
    assert later["key"] == "#3"
    assert (moved["first_at"], moved["repaid_tokens"]) == ((NOW - 2) / 1000, 1_000)
    assert conversation_rows({}, before=later["place"]) == [moved]
    assert one_conversation(moved["name"]) == moved
    with pytest.raises(NotThere):
        one_conversation("none")
    with pytest.raises(NotThere):
        conversation_rows({"key": "nobody"})


def test_losing_the_cache_is_an_alarm(database):
    for age, cached in ((5 * HOUR_MS, 900), (0, 10)):
        write(
            database,
            *(turn(age, input_tokens=1_000, cached_tokens=cached) for _ in range(30)),
        )
    hour, day_before, alarm = locality_lately(NOW / 1000)
    assert (hour.cached, day_before.cached, alarm) == (0.01, 0.9, "uncached")
