"""A key rotated, reset and removed: what needs a fresh sign-in, and what is asked."""

import time

import pytest

from gateway.admin.reports import audit_rows
from gateway.sign_in.users import Role
from gateway.store.users.tables import SessionRow
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.forms import fill, filled, form_of, send
from tests.handlers.dashboard.screens.keys.test_new_key import token_in
from tests.serving import V1

pytestmark = pytest.mark.gen_test(timeout=20)

KEYS = "/dashboard/keys"
KEY = f"{KEYS}/laptop"


async def status_of(serving, token):
    return (await serving.ask(V1, headers={"x-api-key": token})).status


async def grow_old(serving):
    """Have all sessions be of an hour ago."""
    past = int(time.time() - 3600) * 1000
    change = SessionRow.update(signed_in_at=past)
    await serving.gateway.store.write(change.execute)
    await serving.gateway.reload()


async def test_a_rotated_key_is_shown_once_and_the_old_one_ends(serving):
    browser = await signed_in(serving, Role.OPERATOR, "olga")
    old = await serving.add_key("laptop", rpm=60)
    made = await fill(browser, f"{KEY}/rotate")
    new = token_in(made)
    assert made.status == 200
    assert (await status_of(serving, old), await status_of(serving, new)) == (401, 200)
    assert new not in (await browser.get(KEY)).html
    [row] = await serving.gateway.store.read(audit_rows, {"limit": 1}, 0)
    assert (row["actor"], row["action"]) == ("user:olga", "key.rotate")
    assert new not in str(row)


async def test_both_are_good_for_the_overlap(serving):
    browser = await signed_in(serving)
    old = await serving.add_key("laptop")
    made = await fill(browser, f"{KEY}/rotate", overlap="24h")
    assert "is good until" in made.text
    new = token_in(made)
    assert (await status_of(serving, old), await status_of(serving, new)) == (200, 200)
    page = await browser.get(KEY)
    assert old[:15] in page.text
    assert "Its old token" in page.text
    wrong = await fill(browser, f"{KEY}/rotate", other="yesterday")
    assert wrong.status == 400
    assert "overlap" in wrong.html.partition('class="field-error">')[2]
    assert await status_of(serving, new) == 200


async def test_the_way_on_leads_to_a_key_that_has_a_page_s_name(serving):
    browser = await signed_in(serving)
    await serving.add_key("new")
    [url] = [one for one in (await browser.get(KEYS)).links if "sk-cgw" in one]
    made = await fill(browser, f"{url}/rotate")
    [onward] = [one for one in made.links if "sk-cgw" in one]
    assert (await browser.get(onward)).status == 200


async def test_a_page_loaded_again_rotates_no_second_time(serving):
    browser = await signed_in(serving)
    await serving.add_key("laptop")
    fields = form_of(await browser.get(f"{KEY}/rotate"), having="once")
    new = token_in(await send(browser, f"{KEY}/rotate", fields))
    again = await send(browser, f"{KEY}/rotate", fields)
    assert again.status == 409
    assert token_in(again) == ""
    assert await status_of(serving, new) == 200


@pytest.mark.parametrize("action", ["rotate", "remove"])
async def test_it_needs_a_fresh_sign_in(serving, action):
    browser = await signed_in(serving)
    token = await serving.add_key("laptop")
    path = f"{KEY}/{action}"
    fields = filled(form_of(await browser.get(path)), typed="laptop")
    await grow_old(serving)
    for answer in (await browser.get(path), await send(browser, path, fields)):
        assert answer.status == 303
        assert answer.headers["location"].startswith("/dashboard/confirm?next=")
    assert await status_of(serving, token) == 200


async def test_a_key_is_removed_once_its_name_was_typed(serving):
    browser = await signed_in(serving, Role.OPERATOR, "olga")
    token = await serving.add_key("laptop")
    wrong = await fill(browser, f"{KEY}/remove", typed="lap")
    assert wrong.status == 400
    assert "not the key" in wrong.html.partition('class="field-error">')[2]
    assert await status_of(serving, token) == 200
    gone = await fill(browser, f"{KEY}/remove", typed=" laptop ")
    assert (gone.status, gone.headers["location"]) == (303, "/dashboard/keys")
    assert await status_of(serving, token) == 401
    assert (await browser.get(KEY)).status == 404
    [row] = await serving.gateway.store.read(audit_rows, {"limit": 1}, 0)
    assert (row["actor"], row["action"]) == ("user:olga", "key.remove")


async def test_limits_begin_anew(serving):
    browser = await signed_in(serving, Role.OPERATOR, "olga")
    token = await serving.add_key("laptop", limits=["requests 1/7d"])
    assert await status_of(serving, token) == 200
    assert await status_of(serving, token) == 429
    page = await browser.get(f"{KEY}/reset")
    assert "1 of 1" in page.text
    done = await fill(browser, f"{KEY}/reset")
    assert (done.status, done.headers["location"]) == (303, KEY)
    assert await status_of(serving, token) == 200
    [row] = await serving.gateway.store.read(audit_rows, {"limit": 1}, 0)
    assert (row["actor"], row["action"]) == ("user:olga", "key.reset_usage")
    assert row["detail"]["before"] == {"requests 1/7d": 1}
