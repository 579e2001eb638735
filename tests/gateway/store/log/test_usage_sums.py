"""Sums of usage against the same worked out from plain lists, in any time zone."""

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.zones import zone_named
from gateway.store.log import calendar
from gateway.store.log.log_rows import DAY_MS, HOUR_MS, MEASURES, has_known_model
from gateway.store.log.usage_sums import GROUPINGS, UNITS, usage_report
from tests.gateway.store.log.test_queries import (
    START,
    fill,
    rows,
    times,
    with_database,
)
from tests.gateway.store.store_rows import log_row

# A clock that is put back within a day of START's rows, half an hour of one, and
# zones half and three quarters of an hour off.
ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"),
    *("Australia/Lord_Howe", "Pacific/Apia", "-03:30"),
]
PUT_BACK = int(datetime(2023, 10, 29, 1, tzinfo=UTC).timestamp()) * 1000
groupings = st.lists(st.sampled_from(GROUPINGS), min_size=1, max_size=4, unique=True)


def group_of(row, one, zone=UTC):
    """The name of a row's group, by the calendar of the standard library."""
    hour = row["created_at"] // HOUR_MS * HOUR_MS
    local = datetime.fromtimestamp(hour / 1000, zone)
    match one:
        case "hour":
            return local.isoformat(timespec="minutes")
        case "day":
            return local.date().isoformat()
        case "week":
            year, week, _ = local.isocalendar()
            return f"{year}-W{week:02}"
        case "model":
            is_named = has_known_model(row) or not row["model"]
            return (row["model"] or "") if is_named else "other"
    return row["api_key_id" if one == "key" else "account_id"] or 0


def named(row, by, zone=UTC):
    """The names of a report's row, as `group_of` has them."""
    return tuple(
        calendar.group_name(one, zone, row[one]) if one in UNITS else row[one]
        for one in by
    )


@with_database
@given(
    written=rows,
    by=groupings,
    zone=st.sampled_from(ZONES),
    since=times,
    key=st.none() | st.sampled_from([1, 2]),
    moved=st.sampled_from([0, PUT_BACK - START]),
)
def test_a_report_sums_the_rows_since_the_hour(  # noqa: PLR0913
    database, written, by, zone, since, key, moved
):
    zone, since = zone_named(zone), since + moved
    written = [{**row, "created_at": row["created_at"] + moved} for row in written]
    fill(database, written)
    expected = {}
    for row in written:
        if row["created_at"] < since // HOUR_MS * HOUR_MS:
            continue
        if key is not None and row["api_key_id"] != key:
            continue
        group = tuple(group_of(row, one, zone) for one in by)
        cost, told = row["cost_microdollars"], row["input_tokens"]
        has_none = cost is None and told > 0
        expected.setdefault(group, Counter()).update(
            requests=1, input=told, cost=cost or 0, unpriced=has_none
        )
    report = usage_report(by, since=since, api_key_id=key, zone=zone)
    assert len(report) == len(expected)
    for row in report:
        sums = expected[named(row, by, zone)]
        assert row["requests"] == sums["requests"]
        assert row["input_tokens"] == sums["input"]
        assert row["cost_microdollars"] == sums["cost"]
        assert row["unpriced"] == sums["unpriced"]
    first = by[0]
    if first in UNITS:
        starts = [row[first] for row in report]
        assert starts == sorted(starts)
    else:
        costs = Counter()
        for row in report:
            costs[row[first]] += row["cost_microdollars"]
        seen = list(dict.fromkeys(row[first] for row in report))
        assert [costs[one] for one in seen] == sorted(costs.values(), reverse=True)


def test_groups_of_groups_stay_together_the_largest_first(database):
    fill(
        database,
        [
            log_row(api_key_id=key, created_at=START + day * DAY_MS, input_tokens=size)
            for key, day, size in ((1, 0, 5), (2, 0, 1), (1, 1, 1), (2, 1, 90))
        ],
    )
    rows = usage_report(("key", "day"), since=START)
    assert [(row["key"], (row["day"] - START) // DAY_MS) for row in rows] == [
        *((2, 0), (2, 1)),
        *((1, 0), (1, 1)),
    ]
    assert set(rows[0]) == {"key", "day", *MEASURES}


def test_whole_days_of_utc_are_read_from_their_own_sums(database):
    """Thirty days of hours are 24 times as many rows."""
    fill(database, [log_row(created_at=START)])
    database.execute_sql("UPDATE usage_hour SET requests = 7")

    def requests(by, zone):
        (row,) = usage_report((by,), since=START, zone=ZoneInfo(zone))
        return row["requests"]

    assert [requests(by, "UTC") for by in ("key", "day", "week")] == [1, 1, 1]
    assert requests("key", "Asia/Tokyo") == 1
    assert requests("hour", "UTC") == 7
    # Of other zones' days they are all but the hours at their ends.
    assert requests("day", "Asia/Tokyo") == requests("week", "America/New_York") == 1


@pytest.mark.parametrize(
    "name", ["", "Nowhere/At_All", "../etc/passwd", "Europe", "+1:00", "utc/\0", "CET "]
)
def test_what_is_no_zone_is_refused(name):
    with pytest.raises(ValueError, match="no time zone"):
        zone_named(name)
