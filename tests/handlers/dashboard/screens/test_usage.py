"""/dashboard/usage: sums by time and by whom, what has no price, and the file."""

import csv
import io
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sign_in.users import Role
from gateway.store.models import now_ms
from gateway.store.pages.page_reads import SHOWN_ROWS
from handlers.dashboard.screens.usage import PERIODS, _since, _timed
from tests.gateway.store.store_rows import log_row
from tests.handlers.admin.operators import audit
from tests.handlers.dashboard.browsing import signed_in

HOUR = 3_600_000
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
USAGE = "/dashboard/usage"


def row(age=0, **more):
    told = {"input_tokens": 1_000, "cached_tokens": 600, "output_tokens": 10}
    costs = {"cost_microdollars": 2_500_000, "is_known_model": True}
    return log_row(**{"created_at": now_ms() - age, **told, **costs, **more})


async def write(serving, *rows):
    for one in rows:
        serving.gateway.store.writer.log(one)
    await serving.gateway.store.flush()


@pytest.mark.gen_test
async def test_sums_stand_by_time_and_by_group(serving):
    await serving.add_key("bob")
    await write(
        serving,
        row(api_key_id=1),
        row(api_key_id=1, cost_microdollars=None, model="gpt-new"),
        row(api_key_id=None, status="error", cost_microdollars=500_000),
    )
    browser = await signed_in(serving, Role.VIEWER)
    page = await browser.get(USAGE)
    assert page.status == 200
    assert "$3.00 without 1 request that has no price" in page.text
    assert "1 failed" in page.text
    assert "3.00k 60 % from the cache" in page.text
    assert ("data-chart", "stacked") in page.attributes
    assert ("data-unit", "money") in page.attributes
    assert "bob 2 0 2.00k 60 % 20 $2.50 + 1 unpriced 83 %" in page.text
    assert "none 1 1" in page.text
    # Who only looks gets no file.
    assert not any("export" in link for link in page.links)
    by_model = await browser.get(f"{USAGE}?by=model&period=hours")
    assert "gpt-new 1" in by_model.text
    assert "Tokens by hour" in by_model.text
    by_account = await browser.get(f"{USAGE}?by=account&period=weeks&key=bob")
    assert "one 2 0" in by_account.text
    assert "Tokens by week" in by_account.text


@pytest.mark.gen_test
async def test_filters_that_mean_nothing_are_told_on_the_page(serving):
    browser = await signed_in(serving, Role.VIEWER)
    for wrong, status in (
        ("key=nobody", 404),
        ("by=moon", 400),
        ("period=era", 400),
    ):
        page = await browser.get(f"{USAGE}?{wrong}")
        assert page.status == status
        assert "Usage" in page.text


@pytest.mark.gen_test
async def test_words_of_others_are_text(serving):
    token = await serving.add_key(HOSTILE)
    assert token
    serving.account("one").name = HOSTILE
    await write(serving, row(api_key_id=1, model=HOSTILE))
    browser = await signed_in(serving, Role.OWNER)
    for by in ("key", "model", "account"):
        page = await browser.get(f"{USAGE}?by={by}")
        assert "img" not in page.tags
        assert "onerror" not in dict(page.attributes)
        assert page.tags.count("script") == 3  # the page's own
    assert HOSTILE in (await browser.get(f"{USAGE}?by=model")).text


@pytest.mark.gen_test
async def test_more_groups_than_a_page_shows_are_counted(serving):
    rows = [row(model=f"gpt-{number}") for number in range(SHOWN_ROWS + 3)]
    await write(serving, *rows)
    browser = await signed_in(serving, Role.OPERATOR)
    page = await browser.get(f"{USAGE}?by=model")
    assert "3 more that cost less; the file has all" in page.text


@pytest.mark.gen_test
async def test_the_file_needs_a_fresh_sign_in_and_has_all(serving):
    await serving.add_key("=1+1")
    rows = [row(api_key_id=1, model=f"gpt-{number}") for number in range(60)]
    await write(serving, *rows)
    stale = await signed_in(serving, Role.OPERATOR, "eve", ago=3_600)
    answer = await stale.get(f"{USAGE}/export")
    assert answer.status == 303
    assert answer.headers["location"].startswith("/dashboard/confirm")
    viewer = await signed_in(serving, Role.VIEWER, "vic")
    assert (await viewer.get(f"{USAGE}/export")).status == 403
    browser = await signed_in(serving, Role.OPERATOR, "olga")
    answer = await browser.get(f"{USAGE}/export?by=model&period=month")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.html)))
    assert len(lines) == 60
    assert {line["cost_microdollars"] for line in lines} == {"2500000"}
    assert ("user:olga", "usage.export", "csv") in await audit(serving)
    by_key = await browser.get(f"{USAGE}/export")
    [line] = csv.DictReader(io.StringIO(by_key.html))
    assert line["key"] == "'=1+1"  # no spreadsheet's formula


moments = st.integers(1_600_000_000, 1_900_000_000)
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]).map(ZoneInfo)


@given(now=moments, zone=zones, name=st.sampled_from(sorted(PERIODS)))
def test_a_period_has_at_most_fifty_of_its_units(now, zone, name):
    period, today = PERIODS[name], datetime.fromtimestamp(now, zone).date()
    since = _since(period, zone, now)
    if period.unit == "hour":
        assert int(since.removesuffix("h")) < SHOWN_ROWS
        return
    days = (today - datetime.fromisoformat(since).date()).days
    assert 0 <= days // (7 if period.unit == "week" else 1) < SHOWN_ROWS
    if name != "month":
        assert datetime.fromisoformat(since).weekday() == 0


@given(now=moments, zone=zones)
def test_a_label_begins_where_its_unit_does(now, zone):
    then = datetime.fromtimestamp(now, zone)
    day = _timed({"day": then.strftime("%Y-%m-%d")}, "day", zone)
    assert day["at"] <= now < day["at"] + 25 * 3_600
    week = _timed({"week": then.strftime("%G-W%V")}, "week", zone)
    assert week["at"] <= now < week["at"] + 7 * 25 * 3_600
