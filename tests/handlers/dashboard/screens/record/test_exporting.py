"""/dashboard/requests/export: the filtered rows as a file, for who may have them."""

import asyncio
import csv
import io
import json

import pytest
from aiohttp import ClientPayloadError

from gateway.admin.reports import log_filter
from gateway.sign_in.sessions import end_sessions
from gateway.sign_in.users import Role
from gateway.store.models import database
from gateway.store.users.tables import SessionRow
from handlers.dashboard.screens.record.exporting import read_piece
from tests.gateway.store.store_rows import log_row
from tests.handlers.dashboard.browsing import SlowReader, signed_in
from tests.handlers.dashboard.screens.record.records import write

pytestmark = pytest.mark.gen_test

EXPORT = "/dashboard/requests/export"


async def test_the_filtered_rows_come_as_they_are_shown(serving):
    rows = [log_row(model="mine", user_agent="=cmd()") for _ in range(1103)]
    await write(serving, *rows, log_row())
    browser = await signed_in(serving)
    page = await browser.get(f"{EXPORT}?model=mine&format=csv")
    assert page.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in page.headers["content-disposition"]
    found = list(csv.DictReader(io.StringIO(page.html)))
    ids = [row["request_id"] for row in rows][::-1]
    assert [row["request_id"] for row in found] == ids
    assert {row["user_agent"] for row in found} == {"'=cmd()"}
    lines = (await browser.get(f"{EXPORT}?model=mine&format=jsonl")).html.splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == ids


async def test_nothing_that_matches_is_a_file_without_rows(serving):
    page = await (await signed_in(serving)).get(f"{EXPORT}?model=none")
    assert (page.status, page.html.count("\n")) == (200, 1)


async def test_an_operator_gets_no_addresses_and_a_viewer_nothing(serving):
    await write(serving, log_row(client_address="192.0.2.77"))
    for role, status, has_address in (
        (Role.OWNER, 200, True),
        (Role.OPERATOR, 200, False),
        (Role.VIEWER, 403, False),
    ):
        browser = await signed_in(serving, role, name=role)
        for kind in ("csv", "jsonl"):
            page = await browser.get(f"{EXPORT}?format={kind}")
            assert page.status == status
            assert ("192.0.2.77" in page.html) is has_address
            assert ("client_address" in page.html) is has_address


async def test_the_audit_says_who_took_which_rows_along(serving):
    browser = await signed_in(serving, Role.OPERATOR, name="bob")
    await browser.get(f"{EXPORT}?model=mine&since=7d&format=jsonl")
    page = await browser.get("/dashboard/audit")
    assert "user:bob log.export jsonl model mine since 7d" in page.text


async def test_an_old_session_signs_in_again_first(serving):
    browser = await signed_in(serving)
    old = SessionRow.update(signed_in_at=SessionRow.signed_in_at - 3_600_000)
    await serving.gateway.store.write(old.execute)
    await serving.gateway.sign_in.load()
    page = await browser.get(f"{EXPORT}?format=csv&model=x")
    assert page.status == 303
    there = "%2Fdashboard%2Frequests%2Fexport%3Fformat%3Dcsv%26model%3Dx"
    assert page.headers["location"] == f"/dashboard/confirm?next={there}"


async def test_a_filter_that_means_nothing_is_a_page_and_no_file(serving):
    browser = await signed_in(serving)
    for query in ("format=xml", "since=soon", "key=nobody"):
        page = await browser.get(f"{EXPORT}?{query}")
        assert page.status in (400, 404)
        assert "content-disposition" not in page.headers


async def test_a_piece_says_where_the_next_begins(serving):
    await write(serving, *(log_row() for _ in range(5)))
    read = serving.gateway.store.read
    first = await read(read_piece, log_filter({}, 0), "jsonl", (), None, 3)
    assert (first.rows, first.before) == (3, 3)
    rest = await read(read_piece, log_filter({}, 0), "csv", (), first.before, 3)
    assert (rest.rows, rest.before) == (2, None)
    assert b"request_id" not in rest.lines


async def test_a_file_that_cannot_be_finished_is_broken_off(serving):
    await write(serving, *(log_row() for _ in range(251)))
    damaged = "UPDATE request_log SET user_agent = CAST(x'ff' AS TEXT) WHERE id = 1"
    await serving.gateway.store.write(lambda: database.execute_sql(damaged))
    browser = await signed_in(serving)
    with pytest.raises(ClientPayloadError):
        await browser.get(f"{EXPORT}?format=csv")


async def test_a_file_ends_with_its_session(serving):
    """However slowly it is read."""
    await write(serving, *(log_row(user_agent="x" * 20_000) for _ in range(751)))
    browser = await signed_in(serving)
    async with SlowReader(serving, browser.head(f"{EXPORT}?format=csv")) as reader:
        read = await reader.read()
        assert read.startswith(b"HTTP/1.1 200")
        await serving.gateway.store.write(end_sessions, 1)
        await serving.gateway.sign_in.load()
        size = len(read)
        while read := await reader.read():
            size += len(read)
    assert size < 751 * 20_000


async def test_a_user_s_files_are_made_one_after_the_other(serving):
    """Whoever asks for many would leave no page to others."""
    await write(serving, *(log_row() for _ in range(251)))
    browser, other = await signed_in(serving), await signed_in(serving, name="bob")
    asked = [browser.get(f"{EXPORT}?format=csv") for _ in range(3)]
    told = await asyncio.gather(*asked, other.get(f"{EXPORT}?format=csv"))
    assert sorted(page.status for page in told) == [200, 200, 409, 409]
    assert told[-1].status == 200
    assert (await browser.get(f"{EXPORT}?format=csv")).status == 200
