"""All accounts, and one: what their pages show, whatever it holds."""

import time

import pytest

from gateway.protocol.facts import Window
from gateway.protocol.limit_windows import SeenWindow
from gateway.sign_in.users import Role
from handlers.dashboard.screens.accounts.views import account_path
from tests.handlers.dashboard.browsing import signed_in

pytestmark = pytest.mark.gen_test(timeout=20)
LIST = "/dashboard/accounts"
SCRIPTS = 2  # of every page
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 1 }}{% x")


async def test_all_accounts_stand_there_with_windows_state_and_who_judged(serving):
    now = time.time()
    serving.account("two").health.require_login("refresh_token_expired", "a judge", now)
    await serving.gateway.usage.poll(serving.account("one"))
    serving.account("one").health.set_limit(now - 60, "primary", now + 7200)
    page = await (await signed_in(serving, Role.VIEWER)).get(LIST)
    assert page.status == 200
    assert f"{LIST}/one" in page.links
    for words in ("limited", "primary limit, says its answer's headers", "5 h", "7 d"):
        assert words in page.text
    assert "reauth required" in page.text
    assert "refresh_token_expired, says a judge" in page.text
    assert "Add an account" not in page.text


async def test_a_window_says_how_long_it_lasts(serving):
    browser = await signed_in(serving)
    account = serving.account("one")
    await serving.gateway.usage.poll(account)  # and not again within a minute
    for used, left, words in (
        (20.0, 9000, "lasts until its reset in 2 h"),
        (80.0, 9000, "runs out in 37 min , resets in 2 h"),
        (1.0, 17_900, "pace not known yet , resets in 4 h"),
        (100.0, 9000, "used up , resets in 2 h"),
        (99.0, 0, "not used since its reset"),
    ):
        account.windows.clear()
        account.named_windows.clear()
        now = time.time()
        end = now + left + (30 if left else 0)
        window = Window("primary", used, 300, end)
        account.windows["primary"] = SeenWindow(window, now, live=True)
        assert words in (await browser.get(LIST)).text
        whole = (await browser.get(f"{LIST}/one")).text
        assert words.partition(" ,")[0].partition(" in ")[0] in whole


async def test_a_part_of_the_list_is_the_list_alone(serving):
    browser = await signed_in(serving)
    page = await browser.get(LIST, hx_request="true")
    assert "one" in page.text
    assert "html" not in page.tags


async def test_names_of_accounts_are_text_and_lead_to_their_page(serving):
    browser = await signed_in(serving)
    account = serving.account("one")
    for name in (*HOSTILE, "a/b c%2Fd?e#f", "..", "naïve ☃"):
        await serving.gateway.store.write(rename, account.name, name)
        await serving.gateway.reload()
        page = await browser.get(LIST)
        one = await browser.get(account_path(account))
        assert account_path(account) in page.links
        for seen in (page, one, await browser.get(f"{account_path(account)}/remove")):
            assert (seen.status, name in seen.text) == (200, True)
            assert "img" not in seen.tags
            assert seen.tags.count("script") == SCRIPTS


async def test_what_upstream_says_of_an_account_is_text(serving):
    browser, account, now = (
        await signed_in(serving),
        serving.account("one"),
        time.time(),
    )
    for words in HOSTILE:
        account.plan = account.email = account.chatgpt_account_id = words
        account.health.note(words, now)
        account.health.require_login(words, words, now)
        window = Window(f"{words} primary", 5.0, None, None, words)
        account.named_windows = {words: SeenWindow(window, now, live=True)}
        for page in (await browser.get(LIST), await browser.get(f"{LIST}/one")):
            assert (page.status, words in page.text) == (200, True)
            assert "img" not in page.tags
            assert page.tags.count("script") == SCRIPTS


def rename(name, new):
    from gateway.admin.accounts import change_account

    return change_account(name, {"name": new}, "test")


async def test_an_account_that_is_not_there_has_no_page(serving):
    browser = await signed_in(serving)
    for path in ("three", "three/remove", "three/pause", "1/nothing", "%00", "on"):
        assert (await browser.get(f"{LIST}/{path}")).status == 404
    page = await browser.post(f"{LIST}/three/pause", on=f"{LIST}/one")
    assert page.status == 404
    for number in ("0", "x", "-1", "1" * 40):
        assert (await browser.get(f"{LIST}?page={number}")).status == 400
