from gateway.store.log import retention
from gateway.store.log.log_rows import DAY_MS
from gateway.store.log.retention import COUNTERS_KEPT, SLICE_ROWS, remove_slice
from gateway.store.models import (
    AuditLog,
    BindingRow,
    LimitCounterRow,
)
from tests.gateway.store.store_rows import NOW


def bind(ages):
    BindingRow.insert_many(
        [(f"key-{n}", 1, NOW - int(age)) for n, age in enumerate(ages)],
        fields=[BindingRow.key, BindingRow.account_id, BindingRow.used_at],
    ).execute()


def test_old_bindings_and_counters_go(database):
    bind([6 * DAY_MS, 8 * DAY_MS])
    ages = [30, 32, *range(40, 40 + COUNTERS_KEPT)]
    for limit, its_ages in ((1, ages), (2, [400])):
        for age in its_ages:
            LimitCounterRow.insert(
                limit_id=limit, window_start=NOW - age * DAY_MS, used=age
            ).execute()
    while remove_slice(NOW, 30):
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
    while remove_slice(NOW, 1):
        pass
    assert [row.target for row in AuditLog.select()] == ["recent"]


def test_beyond_a_keys_number_its_longest_unused_bindings_go(database):
    BindingRow.create(key="2:session:a", account_id=1, used_at=NOW - 2 * DAY_MS)
    surplus = SLICE_ROWS + 3
    with database.atomic():
        for start in range(0, retention.MAX_BINDINGS + surplus, 10_000):
            count = min(10_000, retention.MAX_BINDINGS + surplus - start)
            BindingRow.insert_many(
                [(f"1:{start + n}", 1, NOW - DAY_MS + start + n) for n in range(count)],
                fields=[BindingRow.key, BindingRow.account_id, BindingRow.used_at],
            ).execute()
    assert remove_slice(NOW, 30) == SLICE_ROWS
    assert remove_slice(NOW, 30) == 3
    assert remove_slice(NOW, 30) == 0
    assert BindingRow.select().count() == retention.MAX_BINDINGS + 1
    [other, oldest] = BindingRow.select().order_by(BindingRow.used_at).limit(2)
    assert other.key == "2:session:a"
    assert oldest.key == f"1:{surplus}"
