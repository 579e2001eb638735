"""/dashboard/conversations: where each was, what moving cost, and the alarm."""

import re
from urllib.parse import quote

import pytest

from gateway.sign_in.users import Role
from gateway.store.models import now_ms
from gateway.store.pages.page_reads import SHOWN_ROWS
from tests.gateway.store.store_rows import log_row
from tests.handlers.dashboard.browsing import signed_in

LIST = "/dashboard/conversations"
HOSTILE = '1:session:"><img src=x onerror=alert(1)><script>alert(2)</script>'


def turn(age=0, name="1:session:abcdef0123", **more):
    told = {"api_key_id": 1, "account_id": 1, "cost_microdollars": 10_000, **more}
    return log_row(created_at=now_ms() - age, conversation=name, **told)


async def write(serving, *rows):
    for one in rows:
        serving.gateway.store.writer.log(one)
    await serving.gateway.store.flush()


def named(page):
    return [link for link in page.links if link.startswith(f"{LIST}/")]


@pytest.mark.gen_test
async def test_a_conversation_that_moved_shows_what_that_cost(serving):
    await serving.add_key("bob")
    moved = {"has_switched": True, "cached_discount": 1_000_000, "account_id": 2}
    await write(
        serving,
        turn(3, input_tokens=200_000),
        turn(2, input_tokens=210_000, cached_tokens=10_000, **moved),
        turn(1, name="1:session:quiet", input_tokens=10),
    )
    browser = await signed_in(serving, Role.VIEWER)
    page = await browser.get(LIST)
    assert page.status == 200
    assert named(page) == [
        f"{LIST}/1%3Asession%3Aquiet",
        f"{LIST}/1%3Asession%3Aabcdef0123",
    ]
    assert "bob one, two · 1 change 2 410k → 0 2 % $0.0200 190k, $0.1900" in page.text
    only = await browser.get(f"{LIST}?moved=yes&key=bob")
    assert len(named(only)) == 1
    one = await browser.get(named(only)[0])
    assert one.status == 200
    for part in (
        "session abcdef01",
        "one, two",
        "190k tokens read anew after a change",
    ):
        assert part in one.text
    assert ("aria-valuenow", "5") in one.attributes  # of its input, from the cache
    asked = quote("1:session:abcdef0123", safe="")
    assert f"/dashboard/requests?conversation={asked}" in one.links
    assert (
        len([link for link in one.links if re.search("requests/[0-9a-f]{32}", link)])
        == 2
    )


@pytest.mark.gen_test
async def test_pages_lead_through_all_of_them(serving):
    rows = [turn(n, name=f"1:session:{n:08x}") for n in range(2 * SHOWN_ROWS + 5)]
    await write(serving, *rows)
    browser = await signed_in(serving, Role.VIEWER)
    page, seen = await browser.get(LIST), []
    while True:
        seen += named(page)
        onward = re.search(r'rel="next" href="([^"]+)"', page.html)
        if onward is None:
            break
        page = await browser.get(onward[1].replace("&amp;", "&"))
    assert len(seen) == len({*seen}) == 2 * SHOWN_ROWS + 5
    assert LIST in page.links  # the way back to the newest


@pytest.mark.gen_test
async def test_what_means_nothing_is_told(serving):
    browser = await signed_in(serving, Role.VIEWER)
    empty = await browser.get(LIST)
    assert "No conversation yet" in empty.text
    for wrong, status in (
        ("key=nobody", 404),
        ("before=x", 400),
        ("before=9999999999999999-1", 400),
        ("moved=maybe", 400),
    ):
        page = await browser.get(f"{LIST}?{wrong}")
        assert page.status == status
        assert "Conversations" in page.text
    for name in ("none", "%00", "1%3Asession%3A" + "x" * 500):
        assert (await browser.get(f"{LIST}/{name}")).status == 404


@pytest.mark.gen_test
async def test_an_hour_that_reads_little_from_the_cache_is_an_alarm(serving):
    for age, cached in ((5 * 3_600_000, 900), (0, 10)):
        rows = [turn(age, input_tokens=1_000, cached_tokens=cached) for _ in range(25)]
        await write(serving, *rows)
    page = await (await signed_in(serving, Role.VIEWER)).get(LIST)
    assert "Less is read from the cache than usual" in page.text
    assert "In the last hour 1 % of the input, 90 % the day before" in page.text


@pytest.mark.gen_test
async def test_words_of_clients_are_text(serving):
    await serving.add_key(HOSTILE)
    await write(serving, turn(name=HOSTILE[:64], model=HOSTILE))
    browser = await signed_in(serving, Role.OWNER)
    page = await browser.get(LIST)
    for shown in (page, await browser.get(named(page)[0])):
        assert shown.status == 200
        assert "img" not in shown.tags
        assert "onerror" not in dict(shown.attributes)
        assert shown.tags.count("script") == 2  # the page's own
