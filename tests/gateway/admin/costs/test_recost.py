"""Costs counted again: rows and sums change together, exactly."""

import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.admin.costs.recost import PAGE_ROWS, recost_page
from gateway.pricing.price_list import PriceList, read_price_list
from gateway.pricing.pricing import PriceTable
from gateway.protocol.facts import Usage
from gateway.store import models
from gateway.store.batches import write_batch
from gateway.store.database import migrate, open_database
from gateway.store.log.conversations import ConversationRow
from gateway.store.log.costs import USAGE_COLUMNS, models_seen
from gateway.store.log.minutes import UsageMinute
from gateway.store.models import AccountRow, AuditLog, RequestLog, UsageDay, UsageHour
from gateway.store.write_queue import Batch
from tests.gateway.store.store_rows import NOW, log_row

HOUR = 3_600_000
ROLLUPS = (UsageHour, UsageDay, UsageMinute)
SHIPPED = PriceTable(PriceList((), {}))
tokens = st.integers(0, 300_000)
rows = st.lists(
    st.builds(
        lambda is_known_model, **row: log_row(
            is_known_model=is_known_model,
            receipt=json.dumps({"known_model": is_known_model}),
            **row,
        ),
        created_at=st.sampled_from([NOW, NOW - HOUR, NOW - 30 * HOUR]),
        api_key_id=st.sampled_from([None, 1, 2]),
        model=st.sampled_from(["gpt-5.4", "gpt-6-luna", "unknown", None]),
        status=st.sampled_from(["success", "error", "interrupted"]),
        is_known_model=st.booleans(),
        requested_tier=st.sampled_from([None, "flex", "scale"]),
        service_tier=st.sampled_from([None, "priority"]),
        error_origin=st.sampled_from([None, "client"]),
        conversation=st.sampled_from([None, "1:session:a", "1:session:b"]),
        input_tokens=tokens,
        cached_tokens=tokens,
        output_tokens=tokens,
        cost_microdollars=st.none() | st.integers(0, 10**6),
    ),
    max_size=12,
)


@pytest.fixture
def database(tmp_path):
    opened = open_database(f"sqlite:///{tmp_path}/gateway.db")
    models.database.initialize(opened)
    with opened.connection_context():
        migrate(opened)
        yield opened
    models.database.initialize(None)


def fill(database, written):
    for table in (RequestLog, *ROLLUPS, ConversationRow, AuditLog):
        table.delete().execute()
    with database.atomic():
        write_batch(database, Batch(rows=[(0.0, row) for row in written]))


def recost(database, *, table=SHIPPED, since=0, dry=False):
    """The pages' sums, added up by model."""
    sums, after = {}, None
    while True:
        with database.atomic():
            page = recost_page(table, since, after, "test", dry)
        for row in page["models"]:
            sums.setdefault(row.pop("model"), Counter()).update(row)
        after = page["next"]
        if after is None:
            return sums


def stored():
    return list(RequestLog.select().order_by(RequestLog.id).dicts())


def summed(table):
    """Money and unpriced requests of a table of sums, by hour and key."""
    found = Counter()
    for row in table.select().dicts():
        for name in ("cost_microdollars", "unpriced"):
            found[row["start"] // 10**9, row["api_key_id"], name] += row[name]
    return +found


def worked_out(*, in_conversation=False):
    rows = [row for row in stored() if row["conversation"] or not in_conversation]
    cost = sum(row["cost_microdollars"] or 0 for row in rows)
    unpriced = sum(
        row["cost_microdollars"] is None
        and row["input_tokens"] + row["output_tokens"] > 0
        for row in rows
    )
    return cost, unpriced


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(written=rows)
def test_rows_and_sums_are_as_if_counted_now(database, written):
    fill(database, written)
    before = stored()
    told = recost(database)
    for row, old in zip(stored(), before, strict=True):
        usage = Usage(*(row[name] for name in USAGE_COLUMNS))
        tier = row["service_tier"] or row["requested_tier"]
        expected = SHIPPED.quote(row["model"], tier).cost(usage)
        if not usage.input_tokens + usage.output_tokens:
            expected = old["cost_microdollars"]  # nothing to count
        assert row["cost_microdollars"] == expected
    for table in (*ROLLUPS, ConversationRow):
        sums = list(table.select().dicts())
        cost, unpriced = worked_out(in_conversation=table is ConversationRow)
        assert sum(one["cost_microdollars"] for one in sums) == cost
        assert sum(one["unpriced"] for one in sums) == unpriced
        assert all(one["unpriced"] >= 0 for one in sums)
    assert sum(one["unpriced_after"] for one in told.values()) == worked_out()[1]
    assert recost(database).keys() == told.keys()
    assert not any(one["changed"] for one in recost(database).values())


def used(**more):
    return log_row(input_tokens=1000, **more)


def test_what_it_was_and_is(database):
    fill(database, [used(), used(cost_microdollars=7), used(model="unknown")])
    assert recost(database) == {
        "gpt-5.4": {
            "requests": 2,
            "changed": 2,
            "unpriced_before": 1,
            "unpriced_after": 0,
            "cost_before": 7,
            "cost_after": 5_000,
        },
        "unknown": Counter(
            requests=1,
            changed=0,
            unpriced_before=1,
            unpriced_after=1,
            cost_before=0,
            cost_after=0,
        ),
    }
    [note] = AuditLog.select()
    assert (note.actor, note.action) == ("test", "prices.recost")


def test_a_dry_run_changes_nothing(database):
    fill(database, [used(cost_microdollars=7)])
    assert recost(database, dry=True)["gpt-5.4"]["cost_after"] == 2_500
    assert [row["cost_microdollars"] for row in stored()] == [7]
    assert not AuditLog.select().count()


def test_what_was_served_is_priced_by_the_account_that_did(database):
    AccountRow.create(id=1, name="azure", kind="api_key", credentials="")
    rates = [{"input": 3, "output": 0}]
    document = {"accounts": {"azure": [{"match": ["dear"], "rates": rates}]}}
    table = PriceTable(read_price_list(json.dumps(document).encode(), "own"))
    served = json.dumps({"served": "dear"})
    fill(database, [used(receipt=served), used(receipt=served, account_id=2)])
    recost(database, table=table)
    assert [row["cost_microdollars"] for row in stored()] == [3_000, None]


def test_only_what_is_young_enough_is_counted_again(database):
    fill(database, [used(created_at=NOW - HOUR), used()])
    assert recost(database, since=NOW)["gpt-5.4"]["requests"] == 1
    assert [row["cost_microdollars"] for row in stored()] == [None, 2_500]


def test_a_long_log_is_counted_in_pages(database):
    fill(database, [used() for _ in range(PAGE_ROWS + 3)])
    assert recost(database)["gpt-5.4"]["changed"] == PAGE_ROWS + 3
    [day] = UsageDay.select()
    assert (day.cost_microdollars, day.unpriced) == (2_500 * (PAGE_ROWS + 3), 0)


@pytest.mark.operator
def test_postgresql_counts_the_same(server):
    opened = open_database(server.url)
    models.database.initialize(opened)
    try:
        with opened.connection_context():
            migrate(opened)
            served = json.dumps({"served": "gpt-6-luna"})
            fill(opened, [used(), used(receipt=served), used(model="unknown")])
            told = recost(opened)
            assert told["gpt-5.4"]["cost_after"] == 2_500 + 100
            assert told["unknown"]["unpriced_after"] == 1
            assert [row["cost_microdollars"] for row in stored()] == [2_500, 100, None]
            seen = [(one["model"], one["unpriced"]) for one in models_seen(0)]
            assert sorted(seen) == [("gpt-5.4", 0), ("gpt-6-luna", 0), ("unknown", 1)]
            days = list(UsageDay.select().dicts())
            assert sum(one["cost_microdollars"] for one in days) == 2_600
            assert sum(one["unpriced"] for one in days) == 1
    finally:
        models.database.initialize(None)
        opened.close_all()
