"""What pages read of 200,000 rows: by which index, and how many; no clock is asked."""

import json
from zoneinfo import ZoneInfo

import pytest

from gateway.store import models
from gateway.store.database import close_all, migrate, open_database
from gateway.store.log.conversations import conversation_page, find_conversation
from gateway.store.log.log_rows import DAY_MS, HOUR_MS
from gateway.store.log.minutes import minutes_since, sum_minutes
from gateway.store.log.queries import LogFilter, log_page
from gateway.store.log.usage_sums import usage_report
from gateway.store.models import now_ms
from tests.dashboard.long_log import empty, fill, filters, kind_of, named_filters, noted

pytestmark = [pytest.mark.dashboard, pytest.mark.timeout(120)]

ROWS = 200_000
# Of an index, to find a page: a page's own, of two filters those that one passes.
FEW, SOME = 600, ROWS // 3
LARGE = ("request_log", "usage_hour")
WHOLE_SCANS = tuple(f"SCAN {name}" for name in LARGE)
# SQLite counts its own steps, so many for a row of an index.
STEPS = 12


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def long_log(request, tmp_path_factory):
    """A way into a database with a long log, which notes what it is asked."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('log')}/gateway.db"
    else:
        url = request.getfixturevalue("server").url
    shared = open_database(url)
    models.database.initialize(shared)
    with shared.connection_context():
        migrate(shared)
        empty(shared)
    shared.connect()
    fill(shared, ROWS)
    opened = noted(shared)
    with models.database.replaced(opened):
        opened.connect()
        yield opened
        opened.close()
    empty(shared)
    shared.close()
    close_all(shared)
    models.database.initialize(None)


def rows_read(opened, function, *args, **more):
    """How many rows a function's statements pass over; each finds them by an index."""
    opened.statements.clear()
    if kind_of(opened) == "sqlite":
        return _sqlite_rows(opened, lambda: function(*args, **more))
    function(*args, **more)
    return sum(_postgresql_rows(opened, *asked) for asked in [*opened.statements])


def _sqlite_rows(opened, function):
    hundreds = [0]

    def count():
        hundreds[0] += 1

    opened.connection().set_progress_handler(count, 100)
    function()
    opened.connection().set_progress_handler(None, 0)
    for sql, values in [*opened.statements]:
        plan = opened.connection().execute(f"EXPLAIN QUERY PLAN {sql}", values)
        scans = [row[3] for row in plan if row[3].startswith(WHOLE_SCANS)]
        assert [one for one in scans if "USING" not in one] == [], sql
    return 100 * hundreds[0] // STEPS


def _postgresql_rows(opened, sql, values):
    told = opened.connection().execute(
        f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF, FORMAT JSON) {sql}",
        values,
    )
    (((whole,),),) = told.fetchall()
    nodes, read = [whole["Plan"]], 0
    # What an index is walked over for nothing is told in blocks alone.
    blocks = sum(whole["Plan"][f"Shared {one} Blocks"] for one in ("Hit", "Read"))
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if "Scan" in node["Node Type"] and "Relation Name" in node:
            is_whole = node["Node Type"] == "Seq Scan"
            assert not (is_whole and node["Relation Name"] in LARGE), sql
            removed = node.get("Rows Removed by Filter", 0)
            read += (node["Actual Rows"] + removed) * node["Actual Loops"]
    return max(read, blocks)


def test_a_page_of_one_filter_reads_its_own_rows(long_log):
    for name, wanted in filters():
        if "," not in name:
            assert rows_read(long_log, log_page, wanted) <= FEW, (name, wanted)


def test_a_page_of_two_filters_reads_no_more_than_the_narrower_passes(long_log):
    for name, wanted in filters():
        assert rows_read(long_log, log_page, wanted) <= SOME, (name, wanted)


def test_ids_and_conversations_are_found_at_once(long_log):
    for name, wanted in named_filters():
        assert rows_read(long_log, log_page, wanted) <= FEW, (name, wanted)


def test_pages_deep_inside_read_no_more_than_the_first(long_log):
    early, late = now_ms() - 29 * DAY_MS, now_ms() - DAY_MS
    times = [{}, {"since": early, "until": late}]
    times += [{name: at} for name in ("since", "until") for at in (early, late)]
    for more in ({}, {"api_key_id": 2}, {"model": "gpt-5.5"}, {"origin": "client"}):
        for span in times:
            wanted = LogFilter(**more, **span)
            for way in ("before", "after"):
                for place in (ROWS // 2, 5, ROWS - 5):
                    read = rows_read(long_log, log_page, wanted, **{way: place})
                    assert read <= FEW, (wanted, way, place)


def test_conversations_and_minutes_are_read_by_their_own_sums(long_log):
    now = now_ms()
    page = conversation_page(limit=50)
    place = page[-1]["last_at"], page[-1]["id"]
    for more in ({}, {"api_key_id": 2}, {"has_moved": True}, {"before": place}):
        assert rows_read(long_log, conversation_page, limit=50, **more) <= FEW, more
    assert rows_read(long_log, find_conversation, page[0]["name"]) <= FEW
    assert rows_read(long_log, minutes_since, now - HOUR_MS, now) <= FEW
    # Of a day, a few rows each minute.
    assert rows_read(long_log, sum_minutes, now - DAY_MS, now) <= 4 * 24 * 60


def test_usage_of_a_week_reads_sums_alone(long_log):
    for by in (("key",), ("model",), ("account",), ("day",), ("hour",), ("day", "key")):
        long_log.statements.clear()
        usage_report(by, since=now_ms() - 7 * DAY_MS)
        asked = json.dumps([sql for sql, _ in long_log.statements])
        assert "usage_day" in asked
        assert "request_log" not in asked


def test_days_of_a_zone_are_made_of_days_and_few_hours(long_log):
    zone = ZoneInfo("Europe/Berlin")
    for by in (("day",), ("week",), ("day", "key")):
        since = now_ms() - 29 * DAY_MS
        assert rows_read(long_log, usage_report, by, since=since, zone=zone) <= ROWS
