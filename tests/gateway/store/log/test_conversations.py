"""What a conversation used, and what moving it cost."""

import pytest

from gateway.store.batches import write_batch
from gateway.store.log import conversations
from gateway.store.log.conversations import (
    CACHE_MS,
    ConversationRow,
    conversation_page,
    find_conversation,
)
from gateway.store.log.log_rows import DAY_MS
from gateway.store.log.retention import remove_log_of_key, remove_slice
from gateway.store.write_queue import Batch
from tests.gateway.store.store_rows import NOW, log_row

# What a cached token costs less: a micro-dollar.
DISCOUNT = 1_000_000
FIRST = "1:session:a"


def turn(
    at=0, *, account=1, moved=False, asked=0, cached=0, name="1:session:a", **more
):
    return log_row(
        created_at=NOW + at,
        account_id=account,
        api_key_id=2 if str(name).startswith("2:") else 1,
        conversation=name,
        has_switched=moved,
        cached_discount=DISCOUNT,
        input_tokens=asked,
        cached_tokens=cached,
        **{"cost_microdollars": 0, **more},
    )


def write(opened, *logged):
    with opened.atomic():
        write_batch(opened, Batch(rows=[(0.0, row) for row in logged]))


@pytest.fixture(params=["one batch", "a batch each"])
def written(request, database):
    """Writes turns, all at once or each alone, and gives the first conversation."""

    def write_all(*logged):
        batches = (
            [logged] if request.param == "one batch" else [[one] for one in logged]
        )
        for batch in batches:
            write(database, *batch)
        return conversation_page()[0] if conversation_page() else None

    return write_all


def test_a_conversation_has_the_sums_of_its_turns(written):
    found = written(
        turn(asked=100, output_tokens=5, cost_microdollars=7, model="a"),
        turn(1, asked=200, cached=90, output_tokens=6, cost_microdollars=None),
        turn(2, status="error", error_origin="upstream", model="b"),
        turn(-1, name="1:session:b", asked=1_000),
    )
    told = {"turns": 3, "errors": 1, "switches": 0, "unpriced": 1, "last_input": 200}
    sums = {"input_tokens": 300, "cached_tokens": 90, "output_tokens": 11}
    times = {"first_at": NOW, "last_at": NOW + 2, "cost_microdollars": 7}
    assert found.items() >= (told | sums | times).items()
    assert (found["accounts"], found["account_id"], found["model"]) == ([1], 1, "b")
    assert found["repaid_tokens"] == 0


def test_what_another_account_reads_anew_was_paid_twice(written):
    found = written(
        turn(asked=100_000),
        turn(1, asked=110_000, cached=99_000),
        # Of 110,000 that were in the first account's cache, 2,000 are in this one's.
        turn(2, account=2, moved=True, asked=120_000, cached=2_000),
        turn(3, account=2, asked=130_000, cached=119_000),
    )
    assert (found["switches"], found["accounts"]) == (1, [1, 2])
    assert found["repaid_tokens"] == 108_000
    assert found["repaid_microdollars"] == 108_000


@pytest.mark.parametrize(
    "moved",
    [
        {"at": CACHE_MS + 1},  # its own account would not have it any more, either
        {"status": "error"},  # it was not answered there
        {"asked": 4_000, "cached": 4_000},  # after a compaction
        {"moved": False},
    ],
)
def test_what_was_not_paid_twice(written, moved):
    first = turn(asked=100_000)
    found = written(first, turn(**{"at": 1, "account": 2, "moved": True, **moved}))
    assert (found["repaid_tokens"], found["repaid_microdollars"]) == (0, 0)


def test_turns_that_are_of_none_or_at_no_account_are_left_out(written):
    assert (
        written(
            turn(name=None),
            turn(account=None, status="error"),
            turn(is_prewarm=True),
        )
        is None
    )


def test_pages_have_each_once_the_latest_first(database):
    for number in range(7):
        moved = number % 2 == 1
        write(database, turn(number // 2, name=f"1:session:{number}", moved=moved))
    seen, place = [], None
    while page := conversation_page(before=place, limit=2):
        seen += [row["name"][-1] for row in page]
        place = page[-1]["last_at"], page[-1]["id"]
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]
    found = conversation_page(has_moved=True, api_key_id=1)
    assert [row["name"][-1] for row in found] == ["5", "3", "1"]
    assert conversation_page(api_key_id=2) == []
    assert find_conversation(found[0]["name"]) == found[0]
    assert find_conversation("1:session:\0") is find_conversation("none") is None


def test_the_oldest_go_by_age_and_by_a_keys_number(database, monkeypatch):
    monkeypatch.setattr("gateway.store.log.retention.CONVERSATIONS_KEPT", 2)
    for number, age in enumerate((0, 1, 2, 31 * DAY_MS)):
        write(database, turn(-age, name=f"1:session:{number}"))
    write(database, turn(-DAY_MS, name="2:session:x"))
    left = []
    while remove_slice(NOW, 30):
        left.append(ConversationRow.select().count())
    assert [*dict.fromkeys(left)] == [5, 4, 3]
    assert [row["name"][-1] for row in conversation_page()] == ["0", "1", "x"]


def test_a_key_that_goes_takes_its_conversations_with_it(database):
    write(database, turn(), turn(-1, name="2:session:a"))
    ConversationRow.update(api_key_id=2).where(ConversationRow.id == 2).execute()
    while remove_log_of_key(1):
        pass
    assert [row["api_key_id"] for row in conversation_page()] == [2]


def test_accounts_without_end_are_not_all_named(database):
    write(database, *(turn(n, account=10_000_000 + n) for n in range(1, 60)))
    [found] = conversation_page()
    assert len(found["accounts"]) == conversations._MOST_ACCOUNTS
    assert found["account_id"] == 10_000_059
