import asyncio

from gateway.store.log import retention
from gateway.store.log.log_rows import DAY_MS
from gateway.store.log.retention import COUNTERS_KEPT, SLICE_ROWS, Retention
from gateway.store.models import (
    AuditLog,
    BindingRow,
    LimitCounterRow,
    RequestLog,
    UsageHour,
)
from tests.gateway.store.store_rows import NOW, log_row, make_store


def bind(ages):
    BindingRow.insert_many(
        [(f"key-{n}", 1, NOW - int(age)) for n, age in enumerate(ages)],
        fields=[BindingRow.key, BindingRow.account_id, BindingRow.used_at],
    ).execute()


def test_old_rows_go_in_small_slices_and_their_sums_stay(tmp_path):
    async def scenario():
        store = make_store(tmp_path, log_retention_days=30)
        await store.start()
        for number in range(2 * SLICE_ROWS + 10):
            age = 31 * DAY_MS if number >= 10 else 29 * DAY_MS
            store.writer.log(log_row(created_at=NOW - age))
        await store.stop()
        # A start looks for old rows at once.
        store = make_store(tmp_path, log_retention_days=30)
        await store.start()
        seen = set()
        async with asyncio.timeout(10):
            while 10 not in seen:
                seen.add(await store.write(lambda: RequestLog.select().count()))
        requests = await store.read(
            lambda: sum(row.requests for row in UsageHour.select())
        )
        await store.stop()
        return seen, requests

    seen, requests = asyncio.run(scenario())
    # Others had their turn between two slices.
    assert SLICE_ROWS + 10 in seen
    assert requests == 2 * SLICE_ROWS + 10


def test_old_bindings_and_counters_go(database):
    bind([6 * DAY_MS, 8 * DAY_MS])
    ages = [30, 32, *range(40, 40 + COUNTERS_KEPT)]
    for limit, its_ages in ((1, ages), (2, [400])):
        for age in its_ages:
            LimitCounterRow.insert(
                limit_id=limit, window_start=NOW - age * DAY_MS, used=age
            ).execute()
    slices = Retention(30)
    while slices.remove_slice(NOW):
        pass
    assert [row.key for row in BindingRow.select()] == ["key-0"]
    kept = LimitCounterRow.select().order_by(LimitCounterRow.window_start.desc())
    assert [row.used for row in kept if row.limit_id == 1] == ages[:COUNTERS_KEPT]
    # A clock that is a year ahead must not give back what was used.
    assert [row.used for row in kept if row.limit_id == 2] == [400]


def test_who_changed_what_is_kept_for_a_year(database):
    for name, days in (("recent", 364), ("old", 366)):
        AuditLog.create(
            at=NOW - days * DAY_MS, actor="cli", action="key.create", target=name
        )
    slices = Retention(1)
    while slices.remove_slice(NOW):
        pass
    assert [row.target for row in AuditLog.select()] == ["recent"]


def test_beyond_their_number_the_longest_unused_bindings_go(database):
    surplus = SLICE_ROWS + 3
    with database.atomic():
        for start in range(0, retention.MAX_BINDINGS + surplus, 10_000):
            count = min(10_000, retention.MAX_BINDINGS + surplus - start)
            BindingRow.insert_many(
                [(f"{start + n}", 1, NOW - DAY_MS + start + n) for n in range(count)],
                fields=[BindingRow.key, BindingRow.account_id, BindingRow.used_at],
            ).execute()
    slices = Retention(30)
    assert slices.remove_slice(NOW) == SLICE_ROWS
    assert slices.remove_slice(NOW) == 3
    assert slices.remove_slice(NOW) == 0
    assert BindingRow.select().count() == retention.MAX_BINDINGS
    oldest = BindingRow.select().order_by(BindingRow.used_at).first()
    assert oldest.key == str(surplus)


def test_the_next_slice_comes_soon_and_an_idle_look_late(database):
    bind([8 * DAY_MS])
    slices = Retention(30)
    assert slices.pause == 0
    slices.remove_slice(NOW)
    assert 0 < slices.pause <= retention.SLICE_PAUSE
    slices.remove_slice(NOW)
    assert slices.pause > retention.SLICE_PAUSE
