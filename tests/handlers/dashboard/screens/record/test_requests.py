"""/dashboard/requests: filters, pages, roles, and texts that others chose."""

import asyncio
import itertools
import re
import threading

import pytest

from gateway.sign_in.users import Role
from gateway.store.models import now_ms
from gateway.store.pages.page_reads import LONGEST_LINE, PAGE_THREADS, SHOWN_ROWS
from tests.gateway.store.store_rows import log_row
from tests.handlers.dashboard.browsing import signed_in

HOUR = 3_600_000
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


async def write(serving, *rows):
    for row in rows:
        serving.gateway.store.writer.log(row)
    await serving.gateway.store.flush()


def shown(page):
    """The ids of a page's rows, by the links to them."""
    found = [re.fullmatch("/dashboard/requests/([0-9a-f]{32})", x) for x in page.links]
    return [match[1] for match in found if match]


def link_to(page, label):
    """Where a pager's link leads."""
    found = re.search(rf'<a class="button"[^>]*href="([^"]+)">{label}', page.html)
    return found and found[1].replace("&amp;", "&")


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


def matches(row, key, name):
    """Whether a row passes one of these filters."""
    now = now_ms()
    return {
        "key": row["api_key_id"] == key,
        "account": row["account_id"] == 1,
        "model": row["model"] == "gpt-x",
        "status": row["status"] == "error",
        "origin": row.get("error_origin") == "account",
        "since": row["created_at"] >= now - 2 * HOUR,
        "until": row["created_at"] < now - HOUR // 2,
        "conversation": row["conversation"] == "0:cache:abc",
        "id": row["request_id"].startswith("abcdef"),
    }[name]


@pytest.mark.gen_test
async def test_every_filter_and_every_two_of_them_choose_the_rows_that_are_so(serving):
    await serving.add_key("mine")
    key, rows = 1, []
    # Each row lacks one or two of what is asked for, or nothing.
    for number, lacking in enumerate(
        [(), *itertools.combinations(FILTERS, 1), *itertools.combinations(FILTERS, 2)]
    ):
        start = "abcdef" if "id" not in lacking else "123456"
        has_failed = not {"status", "origin"} & {*lacking}
        rows.append(
            log_row(
                request_id=f"{start}{number:026x}",
                api_key_id=9 if "key" in lacking else key,
                account_id=2 if "account" in lacking else 1,
                model="gpt-y" if "model" in lacking else "gpt-x",
                status="error" if "status" not in lacking else "interrupted",
                error_origin="account" if has_failed else "client",
                error_code="x",
                conversation=None if "conversation" in lacking else "0:cache:abc",
                created_at=now_ms()
                - (
                    3 * HOUR
                    if "since" in lacking
                    else 0
                    if "until" in lacking
                    else HOUR
                ),
            )
        )
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
            if all(matches(row, key, name) for name in names)
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


# --- what others chose


@pytest.mark.gen_test
async def test_texts_of_others_stay_texts(serving):
    await serving.add_key(HOSTILE[:100])
    row = log_row(
        api_key_id=1,
        status="error",
        http_status=400,
        error_code=HOSTILE,
        error_message=HOSTILE,
        error_origin="client",
        model=HOSTILE,
        requested_model=HOSTILE,
        user_agent=HOSTILE,
        client_request_id=HOSTILE,
        response_id=HOSTILE,
        conversation=HOSTILE[:60],
        changes=[HOSTILE],
        receipt={
            "reason": HOSTILE,
            "passed_over": [[HOSTILE, HOSTILE]],
            "switched_from": HOSTILE,
            "switch_cause": HOSTILE,
            "served": HOSTILE,
            "error": {"type": HOSTILE, "param": HOSTILE},
            "attempts": [
                {"account": HOSTILE, "then": HOSTILE, "code": HOSTILE, "ms": 1}
            ],
        },
    )
    await write(serving, row)
    serving.gateway.store.refusals.note(
        {
            "request_id": "f" * 32,
            "created_at": now_ms(),
            "api_key_id": 1,
            "client_address": HOSTILE,
            "network": HOSTILE,
            "surface": "v1",
            "door": HOSTILE,
            "http_status": 404,
            "error_code": HOSTILE,
            "reason": HOSTILE,
        }
    )
    await serving.gateway.flush()
    browser = await signed_in(serving)
    for path in (
        "/dashboard/requests",
        f"/dashboard/requests?model={HOSTILE}&since={HOSTILE}",
        f"/dashboard/requests?id={HOSTILE}",
        f"/dashboard/requests/{row['request_id']}",
        "/dashboard/requests/refused",
        f"/dashboard/requests/refused?since={HOSTILE}",
        f"/dashboard/requests/{'f' * 32}",
    ):
        page = await browser.get(path)
        assert "img" not in page.tags, path
        assert page.tags.count("script") == 4, path
        assert not {name for name, _ in page.attributes if name.startswith("on")}, path
        assert "onerror=alert(1)" in page.text or "since=" in path, path


# --- refusals, and roles


@pytest.mark.gen_test
async def test_what_was_refused_at_the_door_stands_beside_the_log(serving):
    await serving.add_key("mine")
    for token in ("sk-wrong", "sk-wrong"):
        await serving.ask(headers={"authorization": f"Bearer {token}"})
    (one, _) = await serving.refused(2)
    browser = await signed_in(serving)
    page = await browser.get("/dashboard/requests")
    assert "/dashboard/requests/refused" in page.links
    page = await browser.get("/dashboard/requests/refused")
    assert len(shown(page)) == 2
    assert "401 invalid_api_key" in page.text
    found = await browser.get(f"/dashboard/requests?id={one['request_id'][:9]}")
    assert shown(found) == [one["request_id"]]
    assert shown(await browser.get("/dashboard/requests/refused?key=mine")) == []


@pytest.mark.gen_test
async def test_only_who_may_change_something_sees_addresses_and_files(serving):
    row = log_row(client_address="192.0.2.77")
    await write(serving, row)
    for role, may in ((Role.VIEWER, False), (Role.OPERATOR, True), (Role.OWNER, True)):
        browser = await signed_in(serving, role, name=role)
        page = await browser.get("/dashboard/requests")
        assert ("Export as CSV" in page.text) is may
        receipt = await browser.get(f"/dashboard/requests/{row['request_id']}")
        assert ("192.0.2.77" in receipt.text) is may
