"""All keys on one page: limits, last use, a filter, and stopping one."""

import pytest

from gateway.admin.keys import create_key
from gateway.admin.reports import audit_rows
from gateway.sign_in.users import Role
from handlers.dashboard.screens.keys.key_list import KEYS_A_PAGE
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.forms import fill, form_of, send
from tests.serving import V1

pytestmark = pytest.mark.gen_test(timeout=20)

KEYS = "/dashboard/keys"


async def test_keys_are_listed_with_limits_use_and_state(serving):
    browser = await signed_in(serving, Role.VIEWER)
    empty = await browser.get(KEYS)
    assert "There is no key yet" in empty.text
    token = await serving.add_key("laptop", limits=["tokens 1M/7d", "cost 5/30d"])
    await serving.add_key("old", disabled=True)
    await serving.ask(V1, headers={"x-api-key": token})
    await serving.gateway.flush()
    page = await browser.get(KEYS)
    for words in ("laptop", "active", "Tokens per week", "Cost per 30 days", "old"):
        assert words in page.text
    assert "disabled" in page.text
    assert page.html.count('role="meter"') == 2
    assert "not in the log" in page.text  # the other one's last use
    assert token[:15] in page.text
    assert token not in page.html
    assert f"{KEYS}/laptop" in page.links


async def test_an_operator_stops_a_key_at_once_and_lets_it_go_on(serving):
    browser = await signed_in(serving, Role.OPERATOR, "olga")
    token = await serving.add_key("laptop")
    headers = {"x-api-key": token}
    page = await browser.get(KEYS)
    form = [*form_of(page, having="key"), ("switch", "disable")]
    answer = await send(browser, KEYS, form)
    assert (answer.status, answer.headers["location"]) == (303, KEYS)
    assert (await serving.ask(V1, headers=headers)).status == 401
    again = await browser.get(KEYS)
    await send(browser, KEYS, [*form_of(again, having="key"), ("switch", "enable")])
    assert (await serving.ask(V1, headers=headers)).status == 200
    rows = await serving.gateway.store.read(audit_rows, {"limit": 2}, 0)
    assert [row["actor"] for row in rows] == ["user:olga"] * 2
    assert [row["detail"]["after"] for row in rows] == [
        {"state": "active"},
        {"state": "disabled"},
    ]


async def test_a_row_s_form_says_which_way(serving):
    browser = await signed_in(serving)
    await serving.add_key("laptop")
    page = await browser.get(KEYS)
    wrong = await send(browser, KEYS, form_of(page, having="key"))
    assert wrong.status == 400
    [key] = serving.gateway.ring
    assert not key.disabled


async def test_a_viewer_stops_no_key(serving):
    browser = await signed_in(serving, Role.VIEWER)
    await serving.add_key("laptop")
    page = await browser.get(KEYS)
    assert "Disable" not in page.text
    sent = [("xsrf", page.fields["xsrf"]), ("key", "laptop"), ("switch", "disable")]
    for path in (KEYS, f"{KEYS}/laptop"):
        assert (await send(browser, path, sent)).status == 403
    [key] = serving.gateway.ring
    assert not key.disabled


async def test_many_keys_come_page_by_page_and_are_found(serving):
    browser = await signed_in(serving)

    def make():
        for number in range(KEYS_A_PAGE + 1):
            create_key(f"key {number:03}", {}, "test")

    await serving.gateway.store.write(make)
    await serving.gateway.reload()
    first = await browser.get(KEYS)
    assert f"{KEYS_A_PAGE + 1} keys" in first.text
    assert "key 049" in first.text
    assert "key 050" not in first.text
    [onward] = [link for link in first.links if "after=50" in link]
    second = await browser.get(onward)
    assert "key 050" in second.text
    assert "key 049" not in second.text
    found = await browser.get(f"{KEYS}?q=EY+017")
    assert "1 key of 51" in found.text
    assert "key 017" in found.text
    for query in ("?q=nothing+like+it", "?state=disabled", "?state=x&after=-1"):
        assert (await browser.get(KEYS + query)).status == 200


async def test_what_is_not_there_is_told(serving):
    browser = await signed_in(serving)
    assert (await browser.get(f"{KEYS}/nobody")).status == 404
    refused = await fill(browser, f"{KEYS}/new", name="a")
    assert refused.status == 200
    page = await browser.get(KEYS)
    form = [("xsrf", page.fields["xsrf"]), ("key", "gone"), ("switch", "disable")]
    told = await send(browser, KEYS, form)
    assert told.status == 404
    assert "no API key" in told.text
