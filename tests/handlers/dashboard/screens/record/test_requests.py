"""/dashboard/requests: filters, and pages of which rows that arrive move nothing."""

import asyncio
import itertools
import threading
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.store.models import now_ms
from gateway.store.pages.page_reads import LONGEST_LINE, PAGE_THREADS, SHOWN_ROWS
from tests.gateway.store.store_rows import log_row
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.record.records import link_to, shown, write

HOUR = 3_600_000


# --- filters

FILTERS = {
    "key": "mine",
    "account": "one",
    "model": "gpt-x",
    "status": "error",
    "origin": "account",
    "since": "2h",
    "until": "30m",
    "conversation": "0:cache:abc",
    "id": "abcdef",
}


def matches(row, name):
    """Whether a row passes one of these filters."""
    now = now_ms()
    return {
        "key": row["api_key_id"] == 1,
        "account": row["account_id"] == 1,
        "model": row["model"] == "gpt-x",
        "status": row["status"] == "error",
        "origin": row.get("error_origin") == "account",
        "since": row["created_at"] >= now - 2 * HOUR,
        "until": row["created_at"] < now - HOUR // 2,
        "conversation": row["conversation"] == "0:cache:abc",
        "id": row["request_id"].startswith("abcdef"),
    }[name]


def but_not(number, name):
    """A row that passes all filters but one."""
    start = "123456" if name == "id" else "abcdef"
    age = {"since": 3 * HOUR, "until": 0}.get(name, HOUR)
    return log_row(
        request_id=f"{start}{number:026x}",
        api_key_id=9 if name == "key" else 1,
        account_id=2 if name == "account" else 1,
        model="gpt-y" if name == "model" else "gpt-x",
        status="interrupted" if name == "status" else "error",
        error_origin="client" if name == "origin" else "account",
        error_code="x",
        conversation=None if name == "conversation" else "0:cache:abc",
        created_at=now_ms() - age,
    )


@pytest.mark.gen_test
async def test_every_filter_and_every_two_of_them_choose_the_rows_that_are_so(serving):
    await serving.add_key("mine")
    # One row is all that is asked for, each other one is so but in one respect.
    rows = [but_not(number, name) for number, name in enumerate(["", *FILTERS])]
    await write(serving, *rows)
    browser = await signed_in(serving)
    chosen = [(), *itertools.combinations(FILTERS, 1), tuple(FILTERS)]
    chosen += itertools.combinations(FILTERS, 2)
    for names in chosen:
        query = "&".join(f"{name}={FILTERS[name]}" for name in names)
        page = await browser.get(f"/dashboard/requests?{query}")
        assert page.status == 200, query
        expected = {
            row["request_id"]
            for row in rows
            if all(matches(row, name) for name in names)
        }
        assert set(shown(page)) == expected, query
        assert all(f'value="{FILTERS[n]}"' in page.html for n in names), query


@pytest.mark.gen_test
async def test_a_response_is_found_by_its_whole_id_only(serving):
    mine = log_row(response_id="resp_0123456789")
    await write(serving, mine, log_row(response_id="resp_0123456780"), log_row())
    browser = await signed_in(serving)
    page = await browser.get("/dashboard/requests?id=resp_0123456789")
    assert shown(page) == [mine["request_id"]]
    assert shown(await browser.get("/dashboard/requests?id=resp_012345678")) == []


@pytest.mark.gen_test
async def test_a_filter_that_means_nothing_is_told_beside_the_form(serving):
    await write(serving, log_row())
    browser = await signed_in(serving)
    for query, status, told in (
        ("key=nobody", 404, "There is no API key 'nobody'"),
        ("account=nobody", 404, "There is no account 'nobody'"),
        ("since=soon", 400, "since"),
        ("until=soon", 400, "until"),
        ("status=fine", 400, "status"),
        ("origin=nobody", 400, "origin"),
        ("id=abc", 400, "at least 4 characters"),
        ("before=x", 400, "before"),
        ("after=-1", 400, "after"),
        ("after=99999999999999999999", 400, "after"),
        ("model=" + "m" * 129, 400, "model"),
    ):
        page = await browser.get(f"/dashboard/requests?{query}")
        assert page.status == status, query
        assert told in page.text, query
        assert shown(page) == [], query
        assert {"id", "key", "model", "since"} <= page.fields.keys(), query


@pytest.mark.gen_test
async def test_fields_that_were_left_empty_and_unknown_ones_ask_for_nothing(serving):
    await write(serving, log_row())
    browser = await signed_in(serving)
    page = await browser.get("/dashboard/requests?key=&status=&since=+&utm_source=chat")
    assert (page.status, len(shown(page))) == (200, 1)


@pytest.mark.settings(time_zone="Asia/Kathmandu")
@pytest.mark.gen_test
async def test_dates_and_times_are_those_of_the_dashboards_zone(serving):
    midnight = datetime(2026, 3, 5, tzinfo=ZoneInfo("Asia/Kathmandu"))
    at = int(midnight.timestamp() * 1000)
    day = [log_row(created_at=at), log_row(created_at=at + 24 * HOUR - 1)]
    rest = [log_row(created_at=at - 1), log_row(created_at=at + 24 * HOUR)]
    await write(serving, *day, *rest)
    browser = await signed_in(serving)
    page = await browser.get("/dashboard/requests?since=2026-03-05&until=2026-03-06")
    assert set(shown(page)) == {row["request_id"] for row in day}
    assert "2026-03-05 00:00:00" in page.text
    assert "2026-03-05 23:59:59" in page.text


# --- pages


@pytest.mark.gen_test
async def test_rows_that_arrive_meanwhile_move_no_page(serving):
    rows = [log_row() for _ in range(2 * SHOWN_ROWS + 7)]
    await write(serving, *rows)
    ids = [row["request_id"] for row in rows][::-1]
    browser = await signed_in(serving)
    page = await browser.get("/dashboard/requests?model=gpt-5.4")
    pages = [shown(page)]
    assert link_to(page, "← Newer") is None
    later = [log_row() for _ in range(3)]
    for row in [*later, None]:
        if row is not None:
            await write(serving, row)
        if onward := link_to(page, "Older →"):
            page = await browser.get(onward)
            pages.append(shown(page))
    assert [len(one) for one in pages] == [SHOWN_ROWS, SHOWN_ROWS, 7]
    assert list(itertools.chain(*pages)) == ids
    back = []
    while onward := link_to(page, "← Newer"):
        page = await browser.get(onward)
        back.append(shown(page))
    # The last page back begins with the newest row there is now.
    assert back[0] == ids[SHOWN_ROWS : 2 * SHOWN_ROWS]
    assert back[-1][0] == later[-1]["request_id"]
    assert set(ids) | {row["request_id"] for row in later} == set(
        itertools.chain(pages[-1], *back)
    )


@pytest.mark.gen_test
async def test_a_page_that_is_just_full_is_the_last(serving):
    await write(serving, *(log_row() for _ in range(SHOWN_ROWS)))
    page = await (await signed_in(serving)).get("/dashboard/requests")
    assert len(shown(page)) == SHOWN_ROWS
    assert link_to(page, "Older →") is None


@pytest.mark.gen_test
async def test_a_page_whose_rows_are_gone_leads_to_the_newest(serving):
    await write(serving, log_row())
    page = await (await signed_in(serving)).get("/dashboard/requests?before=1")
    assert shown(page) == []
    assert "/dashboard/requests" in page.links
    page = await (await signed_in(serving, name="bob")).get(
        "/dashboard/requests?after=77"
    )
    assert len(shown(page)) == 1


@pytest.mark.gen_test
async def test_when_too_many_pages_are_made_this_one_says_so(serving):
    browser, is_over = await signed_in(serving), threading.Event()
    waiting = [
        serving.gateway.store.page(is_over.wait)
        for _ in range(PAGE_THREADS + LONGEST_LINE)
    ]
    tasks = [asyncio.ensure_future(one) for one in waiting]
    await asyncio.sleep(0)
    page = await browser.get("/dashboard/requests")
    is_over.set()
    await asyncio.gather(*tasks)
    assert page.status == 503
    assert "Too many pages" in page.text


@pytest.mark.dashboard
@pytest.mark.gen_test(timeout=20)
async def test_a_page_that_is_not_done_in_time_says_so_and_what_helps(serving):
    """Two pages that never end have both threads: this one waits in line."""
    browser, is_over = await signed_in(serving), threading.Event()
    page_of = serving.gateway.store.page
    endless = [
        asyncio.ensure_future(page_of(is_over.wait)) for _ in range(PAGE_THREADS)
    ]
    await asyncio.sleep(0)
    page = await browser.get("/dashboard/requests?model=x&since=7d")
    is_over.set()
    await asyncio.gather(*endless, return_exceptions=True)
    assert page.status == 503
    assert "This page took too long" in page.text
    assert "ask for a shorter time, or for less" in page.text
    assert (await browser.get("/dashboard/requests")).status == 200
