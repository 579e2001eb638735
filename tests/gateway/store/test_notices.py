"""The marks of what was told, on SQLite and on PostgreSQL."""

import asyncio

import pytest

from gateway.store.models import now_ms
from gateway.store.notices import (
    KEPT_DAYS,
    TOO_LATE_MS,
    NoticeRow,
    end_marks,
    latest_notices,
    open_marks,
    put_notices,
    settle_notice,
    take_over_notices,
)
from tests.gateway.store.store_rows import NOW, make_store


def notice(message_id, **changes):
    return {
        "message_id": message_id,
        "event": "key.limit",
        "scope": "5/1000/7",
        "level": 80,
        "channel": "mail",
        "title": "t",
        "text": "x",
        "created_at": NOW,
        "next_at": NOW,
        **changes,
    }


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.operator)]
)
def run(request, tmp_path):
    """Runs a function in one transaction: `run(put_notices, [row])`."""
    settings = {}
    if request.param == "postgresql":
        settings["url"] = request.getfixturevalue("server").url
    store = make_store(tmp_path, **settings)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(store.start())
    loop.run_until_complete(store.write(NoticeRow.delete().execute))
    yield lambda function, *args: loop.run_until_complete(store.write(function, *args))
    loop.run_until_complete(store.stop())
    loop.close()


def test_the_first_to_write_tells(run):
    both = [notice("msg_1"), notice("msg_1", channel="ntfy")]
    assert run(put_notices, both) is True
    assert run(put_notices, both) is True  # once more, for nobody knew
    other = [notice("msg_2"), notice("msg_2", channel="ntfy")]
    assert run(put_notices, other) is False
    assert run(NoticeRow.select().count) == 2
    assert run(put_notices, [notice("msg_3", level=90)]) is True
    marks = [("key.limit", "5/1000/7", 80), ("key.limit", "5/1000/7", 90)]
    assert run(open_marks) == marks


def test_what_is_over_may_be_told_again(run):
    run(put_notices, [notice("msg_1"), notice("msg_1", channel="ntfy")])
    run(put_notices, [notice("msg_2", scope="other")])
    run(end_marks, [("key.limit", "5/1000/7"), ("key.limit", "never there")])
    assert run(open_marks) == [("key.limit", "other", 80)]
    assert run(put_notices, [notice("msg_3")]) is True
    told = [row["message_id"] for row in run(latest_notices, 2)]
    assert told == ["msg_3", "msg_2"]


def test_what_waits_is_found_until_it_is_told_or_given_up(run):
    for number in range(3):
        run(put_notices, [notice(f"msg_{number}", scope=str(number))])
    run(settle_notice, "msg_0", "mail", {"next_at": None, "told_at": NOW})
    run(settle_notice, "msg_1", "ntfy", {"next_at": None})  # of another channel
    waiting = run(take_over_notices, ["mail"])
    assert [row["message_id"] for row in waiting] == ["msg_1", "msg_2"]
    assert run(take_over_notices, ["ntfy"]) == []


def test_beside_others_only_what_is_overdue_is_taken_over_and_by_one(run):
    for number, late in enumerate((90_000, 30_000, -90_000)):
        due = now_ms() - late
        run(put_notices, [notice(f"msg_{number}", scope=str(number), next_at=due)])
    (left,) = run(take_over_notices, ["mail"], 60_000)
    assert left["message_id"] == "msg_0"
    assert run(take_over_notices, ["mail"], 60_000) == []


def test_what_is_old_is_told_nobody_any_more(run):
    run(put_notices, [notice("msg_1", created_at=NOW - TOO_LATE_MS - 60_000)])
    run(put_notices, [notice("msg_2", scope="s", created_at=NOW - 60_000)])
    (left,) = run(take_over_notices, ["mail"])
    assert left["message_id"] == "msg_2"
    old = run(latest_notices, 2)[1]
    assert (old["next_at"], old["told_at"], old["answer"]) == (None, None, "too late")


def test_what_was_over_long_ago_goes(run):
    old = NOW - (KEPT_DAYS + 1) * 24 * 3_600_000
    for number, over_at in enumerate((old, NOW, 0)):
        run(put_notices, [notice(f"msg_{number}", over_at=over_at)])
    run(end_marks, [])
    left = {row["message_id"] for row in run(latest_notices, 9)}
    assert left == {"msg_1", "msg_2"}
