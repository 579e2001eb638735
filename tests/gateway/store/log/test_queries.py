"""Log pages and reports against the same worked out from plain lists."""

import asyncio
import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store import models
from gateway.store.batches import write_batch
from gateway.store.log.log_rows import COLUMNS, DAY_MS, HOUR_MS
from gateway.store.log.queries import (
    LogFilter,
    find_log,
    log_page,
    newest_rows,
)
from gateway.store.write_queue import Batch
from tests.gateway.store.store_rows import log_row, make_store

START = 1_700_000_000_000 // DAY_MS * DAY_MS
# Few of them, so that rows share a time; hours and days begin with some.
times = st.sampled_from([START + n * HOUR_MS // 2 for n in range(-1, 99, 7)] + [START])
keys = st.sampled_from([None, 1, 2])
accounts = st.sampled_from([None, 1, 2])
model_names = st.sampled_from([None, "a", "b"])
statuses = st.sampled_from(["success", "error", "interrupted"])
origins = st.sampled_from([None, "client", "upstream"])
conversations = st.sampled_from([None, "1:session:a", "1:session:b"])
responses = st.sampled_from([None, "resp_a", "resp_b"])


def judged(**row):
    """Whose fault it was is told of failures alone."""
    has_failed = row["status"] != "success"
    return log_row(
        **row | {"error_origin": row["error_origin"] if has_failed else None}
    )


rows = st.lists(
    st.builds(
        judged,
        created_at=times,
        api_key_id=keys,
        account_id=accounts,
        model=model_names,
        status=statuses,
        error_origin=origins,
        conversation=conversations,
        response_id=responses,
        input_tokens=st.integers(0, 1000),
        cost_microdollars=st.none() | st.integers(0, 1000),
    ),
    max_size=30,
)
filters = st.just(LogFilter()) | st.builds(
    LogFilter,
    keys,
    accounts,
    model_names,
    st.none() | statuses,
    st.none() | times,
    st.none() | times,
    origins,
    conversations,
    st.sampled_from([None, "0000", "ffff"]),
    responses,
)
# The column of each filter, and a value of it.
COLUMN_OF = {"origin": "error_origin"}
FILTERS = {
    **{"api_key_id": 1, "account_id": 1, "model": "a", "status": "error"},
    **{"origin": "client", "conversation": "1:session:a"},
    **{"request_id": "0000", "response_id": "resp_a"},
}
COMBINATIONS = [
    names for count in range(6) for names in itertools.combinations(FILTERS, count)
]
with_database = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def fill(database, written):
    for table in (models.RequestLog, models.UsageHour, models.UsageDay):
        table.delete().execute()
    add(database, written)


def add(database, written):
    with database.atomic():
        write_batch(database, Batch(rows=[(0.0, row) for row in written]))


def passes(row, wanted):
    for name in FILTERS.keys() - {"request_id"}:
        value = getattr(wanted, name)
        if value is not None and row.get(COLUMN_OF.get(name, name)) != value:
            return False
    is_named = row["request_id"].startswith(wanted.request_id or "")
    is_late = wanted.since is None or row["created_at"] >= wanted.since
    is_early = wanted.until is None or row["created_at"] < wanted.until
    return is_named and is_late and is_early


@with_database
@given(written=rows, wanted=filters, limit=st.integers(1, 7))
def test_pages_hold_each_wanted_row_once_newest_first(database, written, wanted, limit):
    fill(database, written)
    found, before = [], None
    while page := log_page(wanted, before=before, limit=limit):
        assert len(page) <= limit
        found += page
        before = page[-1]["id"]
    places = [(row["created_at"], row["id"]) for row in found]
    assert places == sorted(places, reverse=True)
    back, after = [], found[-1]["id"] if found else None
    while page := log_page(wanted, after=after, limit=limit) if found else []:
        back = page + back
        after = page[0]["id"]
    assert back == found[:-1]
    expected = {row["request_id"] for row in written if passes(row, wanted)}
    assert [row["request_id"] for row in found] == list(
        dict.fromkeys(row["request_id"] for row in found)
    )
    assert {row["request_id"] for row in found} == expected


def test_rows_of_one_moment_are_told_apart_by_pages(database):
    fill(database, [log_row(created_at=START) for _ in range(5)])
    first = log_page(LogFilter(), limit=2)
    second = log_page(LogFilter(), limit=2, before=first[-1]["id"])
    third = log_page(LogFilter(), limit=2, before=second[-1]["id"])
    assert [row["id"] for row in first + second + third] == [5, 4, 3, 2, 1]


@with_database
@given(
    written=rows,
    wanted=filters,
    limit=st.integers(1, 40),
    page=st.integers(1, 7),
    late=st.integers(0, 3),
)
def test_the_newest_rows_come_oldest_first_in_pages(
    database, written, wanted, limit, page, late
):
    fill(database, written)
    upto = max(0, len(written) - late)
    newest = [row for row in log_page(wanted, limit=40) if row["id"] <= upto][:limit]
    found = list(newest_rows(wanted, limit, upto=upto, page=page))
    assert found == newest[::-1]


def test_a_row_has_all_columns_and_its_id(database):
    fill(database, [log_row(changes='["store"]')])
    [row] = log_page(LogFilter())
    assert set(row) == {"id", *COLUMNS}
    assert row["changes"] == '["store"]'


def test_a_page_behind_a_row_that_is_gone_is_empty(database):
    fill(database, [log_row(), log_row()])
    gone = 3
    assert log_page(LogFilter(), before=gone) == []
    # The way back leads to what is left.
    assert len(log_page(LogFilter(), after=gone)) == 2


def test_a_row_is_found_by_its_id_its_beginning_and_its_response(database):
    twins = ("ab" + "0" * 30, "ab" + "1" * 30)
    fill(
        database,
        [log_row(request_id=name, response_id=f"resp_{name[:3]}") for name in twins],
    )

    def found(name):
        return [row["request_id"] for row in find_log(name)]

    assert found(twins[0]) == [twins[0]]
    assert found("AB00") == [twins[0]]
    assert found("resp_ab1") == [twins[1]]
    assert found("ab") == []  # too short to mean anything
    assert found("ffff") == found("") == found("a\0bcd") == found("%%%%") == []


def test_several_rows_of_one_beginning_are_all_told(database):
    fill(database, [log_row(request_id=f"abcd{n:028x}") for n in range(12)])
    assert len(find_log("abcd")) == 10


def plan_of(database, wanted, **place):
    """How SQLite finds a page's rows."""
    executed = []
    database.connection().set_trace_callback(executed.append)
    log_page(wanted, **place)
    database.connection().set_trace_callback(None)
    [query] = [one for one in executed if one.startswith("SELECT id FROM request_log")]
    return [row[3] for row in database.execute_sql("EXPLAIN QUERY PLAN " + query)]


def test_every_filter_is_answered_from_an_index(database):
    fill(database, [log_row(api_key_id=1)])
    for names in COMBINATIONS:
        for span in ({}, {"since": START}, {"since": START, "until": START + DAY_MS}):
            wanted = LogFilter(**{name: FILTERS[name] for name in names}, **span)
            for place in ({}, {"before": 1}, {"after": 1}):
                plan = plan_of(database, wanted, **place)
                if {"request_id", "response_id"} & {*names}:  # which few rows have
                    assert "SEARCH request_log USING INDEX request_log_re" in plan[0]
                    continue
                assert len(plan) == 1, plan  # no sorting
                assert " INDEX request_log_by_" in plan[0], (names, plan)
                if "conversation" not in names:  # which has few turns
                    assert " USING COVERING" in plan[0], (names, plan)


def test_log_pages_come_through_the_store(tmp_path):
    async def scenario():
        store = make_store(tmp_path)
        await store.start()
        store.writer.log(log_row())
        await store.flush()
        page = await store.read(log_page, LogFilter(status="success"))
        await store.stop()
        return page

    assert len(asyncio.run(scenario())) == 1
