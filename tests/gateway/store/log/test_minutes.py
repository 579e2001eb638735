"""Minutes against the same worked out from plain lists."""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store.batches import write_batch
from gateway.store.log.minutes import (
    MINUTE_MS,
    MINUTES_KEPT,
    UsageMinute,
    minutes_since,
    sum_minutes,
)
from gateway.store.log.retention import remove_slice
from gateway.store.write_queue import Batch
from tests.gateway.store.store_rows import NOW, log_row

START = NOW // MINUTE_MS * MINUTE_MS
tokens = st.integers(0, 300_000)
rows = st.lists(
    st.builds(
        log_row,
        created_at=st.integers(START, START + 3 * MINUTE_MS),
        status=st.sampled_from(["success", "error", "interrupted"]),
        error_origin=st.sampled_from([None, "client", "upstream"]),
        has_switched=st.booleans(),
        input_tokens=tokens,
        cached_tokens=tokens,
        output_tokens=tokens,
        cost_microdollars=st.none() | tokens,
    ),
    max_size=20,
)
with_database = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def write(opened, logged):
    with opened.atomic():
        write_batch(opened, Batch(rows=[(0.0, row) for row in logged]))


@with_database
@given(first=rows, second=rows)
def test_minutes_have_what_was_logged_by_origin(database, first, second):
    UsageMinute.delete().execute()
    write(database, first)
    write(database, second)
    expected = Counter()
    for row in first + second:
        origin = row["error_origin"] or "unknown"
        minute = row["created_at"] // MINUTE_MS * MINUTE_MS
        place = minute, origin if row["status"] == "error" else ""
        has_used = row["input_tokens"] + row["output_tokens"] > 0
        for name, value in {
            "requests": 1,
            "switches": row["has_switched"] and row["status"] == "success",
            "unpriced": row["cost_microdollars"] is None and has_used,
            "input_tokens": row["input_tokens"],
            "cached_tokens": row["cached_tokens"],
            "output_tokens": row["output_tokens"],
            "cost_microdollars": row["cost_microdollars"] or 0,
        }.items():
            expected[*place, name] += value
    found = minutes_since(0, 2**53)
    assert [(row["start"], row["origin"]) for row in found] == sorted(
        {place[:2] for place in expected}
    )
    assert all(
        row[name] == expected[row["start"], row["origin"], name]
        for row in found
        for name in {place[2] for place in expected}
    )
    sums = sum_minutes(0, 2**53)
    assert sums["input_tokens"] == sum(row["input_tokens"] for row in first + second)
    assert sums["well"] == sum(row["requests"] for row in found if not row["origin"])
    UsageMinute.delete().execute()


def test_only_the_minutes_in_between_are_told(database):
    write(database, [log_row(created_at=START + n * MINUTE_MS) for n in range(4)])
    found = minutes_since(START + MINUTE_MS, START + 3 * MINUTE_MS)
    assert [row["start"] - START for row in found] == [MINUTE_MS, 2 * MINUTE_MS]
    assert sum_minutes(START + MINUTE_MS, START + 3 * MINUTE_MS)["requests"] == 2
    assert set(sum_minutes(0, 1).values()) == {0}


def test_minutes_are_kept_for_two_days(database):
    ages = (0, MINUTES_KEPT - MINUTE_MS, MINUTES_KEPT + MINUTE_MS)
    write(database, [log_row(created_at=NOW - age) for age in ages])
    while remove_slice(NOW, 30):
        pass
    assert UsageMinute.select().count() == 2
