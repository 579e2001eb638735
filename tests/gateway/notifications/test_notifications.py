"""A whole gateway tells a real receiver: each event once, over restarts, and again."""

import asyncio
import sqlite3
import time
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.notifications import alerts
from gateway.protocol.facts import Failure, Window
from gateway.protocol.local_failures import token_refresh_failed
from gateway.secret import Secret
from gateway.store.notices import NoticeRow, latest_notices, put_notices
from tests.gateway.notifications.receivers import SECRET
from tests.serving import CODEX, V1, payload, until

pytestmark = [pytest.mark.operator, pytest.mark.gen_test(timeout=40)]


@pytest.fixture
def told(io_loop, serving, receiver):
    """The gateway again, with the receiver as its webhook."""

    async def start():
        url = Secret(receiver.url)
        await serving.restart(
            notify_webhook_url=url, notify_webhook_secret=Secret(SECRET)
        )

    io_loop.run_sync(start)
    return receiver


def end_login(serving, name="one", message="ended"):
    ended = token_refresh_failed(message, "refresh_token_reused", status=401)
    observer = serving.gateway.pool.observer
    observer.rule(serving.account(name), ended, "the token endpoint")


def look(serving):
    """Have the gateway look at once, and not in two seconds."""
    serving.gateway.pool.observer.account_changed.publish(serving.account("one"))


def use_up(serving, *names):
    full = Window("primary", 100.0, 300, time.time() + 3600)
    for name in names:
        serving.gateway.pool.observer.windows(serving.account(name), [full])


async def stored(serving, state=lambda row: True):
    """The rows, oldest first, once all of them are as asked for."""
    async with asyncio.timeout(20):
        while True:
            rows = await serving.gateway.store.read(latest_notices, 100)
            if rows and all(map(state, rows)):
                return rows[::-1]
            await asyncio.sleep(0.01)


def is_told(row):
    return row["told_at"] is not None


async def spend(serving, key, times):
    for _ in range(times):
        answered = await serving.ask(headers={"x-api-key": key})
    return answered.status


async def test_a_key_is_told_of_at_80_90_and_100_percent_once_a_window(serving, told):
    key = await serving.add_key("Zoë", limits=["requests 10/7d", "requests 9/1m"])
    assert await spend(serving, key, 9) == 200
    event, data = await told.event()
    assert event == "key.limit"
    assert data["title"] == "Key Zoë: 80 % used"
    assert data["limit"] == "requests 10/7d"
    assert (data["percent"], data["key"]) == (80, "Zoë")
    assert (await told.event())[1]["percent"] == 90
    # Another maximum: what was told is of the past.
    await serving.change_key("Zoë", limits=["requests 11/7d"])
    assert (await told.event())[1]["percent"] == 81
    assert await spend(serving, key, 2) == 200
    percents = [(await told.event())[1]["percent"] for _ in range(2)]
    assert percents == [90, 100]
    await stored(serving, is_told)
    end_login(serving)  # a later event: nothing else came before it
    assert (await told.event())[0] == "account.login_ended"


async def test_what_was_told_is_not_told_again_after_a_restart(serving, told):
    key = await serving.add_key("alice", limits=["requests 10/7d"])
    await spend(serving, key, 8)
    end_login(serving)
    seen = {(await told.event())[0], (await told.event())[0]}
    assert seen == {"key.limit", "account.login_ended"}
    await stored(serving, is_told)
    await serving.gateway.flush()
    await serving.restart()
    assert serving.account("one").health.login_reason
    await spend(serving, key, 1)
    event, data = await told.event()
    assert (event, data["percent"]) == ("key.limit", 90)
    assert told.received.empty()


async def test_a_login_that_ends_anew_is_told_anew(serving, upstream, told):
    end_login(serving)
    event, data = await told.event()
    assert event == "account.login_ended"
    assert data["account"] == serving.account("one").name
    await until(lambda: not serving.account("one").health.is_in_service)
    upstream.accounts["one"].issue()
    await serving.add_account("one")
    look(serving)
    await stored(serving, lambda row: row["over_at"] > 0)
    end_login(serving)
    assert (await told.event())[0] == "account.login_ended"
    assert await serving.gateway.store.read(NoticeRow.select().count) == 2


async def test_all_accounts_limited_is_told_and_one_of_two_is_not(serving, told):
    use_up(serving, "one")
    end_login(serving, "two")
    events = [await told.event(), await told.event()]
    assert [event for event, _ in events] == ["account.login_ended", "accounts.limited"]
    data = events[1][1]
    assert data["accounts"] == 1
    assert data["until"] in data["text"]


async def test_a_model_without_a_price_is_told_once(serving, upstream, told):
    upstream.models.append({**upstream.models[1], "slug": "of-tomorrow"})
    for name in ("one", "two"):
        await serving.gateway.catalogues.refresh(serving.account(name))
    for _ in range(2):
        answered = await serving.ask(CODEX, payload(model="of-tomorrow"))
        assert answered.status == 200
    event, data = await told.event()
    assert (event, data["model"]) == ("price.missing", "of-tomorrow")
    end_login(serving)
    assert (await told.event())[0] == "account.login_ended"


async def test_names_that_clients_make_up_are_told_as_one(serving, told):
    await serving.add_api_key_account()
    key = await serving.add_key(models=["ruled", "made-up-*"])
    for model in ("made-up-1", "made-up-2", "ruled"):
        asked = payload(model=model)
        answered = await serving.ask(V1, asked, headers={"x-api-key": key})
        assert answered.status == 200
    models = {(await told.event())[1]["model"] for _ in range(2)}
    assert models == {"a model that no catalogue lists", "ruled"}
    end_login(serving)
    assert (await told.event())[0] == "account.login_ended"


async def test_a_blocked_way_is_told_when_it_lasts(serving, told, monkeypatch):
    blocked = next(one for one in alerts.ALERTS if one.event == "upstream.blocked")
    assert blocked.holds_for > 0
    quick = [replace(one, holds_for=0.0) for one in alerts.OF_ACCOUNTS]
    monkeypatch.setattr("gateway.notifications.notifications.OF_ACCOUNTS", quick)
    observer = serving.gateway.pool.observer
    page = Failure(phase="headers", origin="upstream", message="", status=403)
    observer.rule(serving.account("one"), page, "its usage")
    event, data = await told.event()
    assert event == "upstream.blocked"
    assert data["accounts"] == "one, two"


async def test_a_database_that_takes_nothing_is_told_and_then_has_what_was_told(
    serving, told, monkeypatch
):
    quick = [replace(one, holds_for=0.0) for one in alerts.OF_ACCOUNTS]
    monkeypatch.setattr("gateway.notifications.notifications.OF_ACCOUNTS", quick)
    with sqlite3.connect(serving.settings.data_dir / "gateway.db") as other:
        other.execute("BEGIN IMMEDIATE")
        assert (await serving.ask()).status == 200
        event, data = await told.event()
        assert event == "database.failing"
        assert data["waiting"] >= 1
        other.execute("ROLLBACK")
    other.close()
    (row,) = await stored(serving, is_told)
    assert row["event"] == "database.failing"


async def test_another_process_was_first(serving, told):
    """A predecessor tells what both of them see."""
    mark = {"event": "accounts.limited", "scope": "", "level": 1, "channel": "webhook"}
    row = {"message_id": "msg_other", "title": "", "text": "", "created_at": 1, **mark}
    await serving.gateway.store.write(put_notices, [row])
    use_up(serving, "one", "two")
    for name in ("one", "two"):
        end_login(serving, name)
        assert (await told.event())[0] == "account.login_ended"


async def test_what_could_not_be_told_is_told_after_a_restart(serving, told):
    told.answers = [500]
    end_login(serving)
    first, _ = await told.next()
    (row,) = await stored(serving, lambda row: row["attempts"] == 1)
    assert row["next_at"] > row["created_at"]
    answered = await serving.get("/health/ready")
    assert answered.status == 200
    warning = answered.json["warnings"]["notifications"]
    assert warning == "webhook: status 500 (1 wait)"
    soon = NoticeRow.update(next_at=1)
    await serving.gateway.store.write(soon.execute)
    await serving.restart()
    serving.gateway.notifications._adopt_at = 0.0
    look(serving)
    again, _ = await told.next()
    assert again.headers["webhook-id"] == first.headers["webhook-id"]
    (row,) = await stored(serving, is_told)
    assert row["attempts"] == 2


async def test_who_drains_tells_nothing_more(serving, told):
    serving.gateway.is_draining = True
    end_login(serving)
    await serving.gateway.store.flush()
    await until(lambda: serving.gateway.notifications._queues[0]._is_held)
    await serving.restart()
    assert (await told.event())[0] == "account.login_ended"
    assert told.received.empty()


async def test_nothing_told_has_a_secret_or_a_clients_words(serving, upstream, told):
    key = await serving.add_key("alice", limits=["requests 1/7d"])
    secrets = [account.access_token for account in upstream.accounts.values()]
    body = payload("my own words")
    answered = await serving.ask(CODEX, body, headers={"x-api-key": key})
    end_login(serving, message="my own words")
    requests = [await told.next(), await told.next()]
    heads = [dict(request.headers) for request, _ in requests]
    raw = str(requests) + str(heads) + str(await stored(serving, is_told))
    assert "alice" in raw
    for secret in (*secrets, key, SECRET, "my own words", answered.text):
        assert secret not in raw


async def test_a_channel_that_hangs_keeps_no_turn_waiting(serving, told):
    told.silence.clear()
    end_login(serving, "two")
    queue = serving.gateway.notifications._queues[0]
    await until(lambda: queue.waiting == 0 and serving.gateway.notifications._ours)
    for _ in range(20):
        assert (await serving.ask()).status == 200
    assert told.received.empty()
    told.silence.set()
    assert (await told.event())[0] == "account.login_ended"


async def test_outcomes_are_counted(serving, told):
    end_login(serving)
    await told.event()
    await stored(serving, is_told)
    text = (await serving.get("/metrics")).body.decode()
    found = {
        (sample.labels["channel"], sample.labels["outcome"]): sample.value
        for family in text_string_to_metric_families(text)
        if family.name == "codex_gateway_notifications"
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert found.pop(("webhook", "told")) == 1
    assert set(found.values()) == {0}


async def test_off_there_is_no_task_and_nothing_listens(serving):
    names = serving.gateway.supervisor.failures
    assert not [name for name in names if name.startswith("notif")]
    end_login(serving)
    assert await serving.gateway.store.read(latest_notices, 1) == []
