"""A link's token is sent by a form, looked at, and used up by the password."""

from itertools import product

import pytest

from gateway.sign_in.users import Role
from gateway.store.models import AuditLog
from tests.handlers.dashboard.browsing import Browser
from tests.handlers.dashboard.sign_in.people import add, enter, make_link

LINK = "/dashboard/link"
NEW = "another long password"
FIRST = {"name": "ada", "password": NEW, "again": NEW}


@pytest.mark.gen_test
async def test_the_first_link_makes_an_owner_by_two_forms(serving):
    token, browser = await make_link(serving), Browser(serving)
    empty = await browser.get(LINK)
    assert ("data-fragment", "token") in empty.attributes
    page = await browser.post(LINK, {"token": token})
    assert page.status == 200
    assert page.fields["token"] == token
    assert "Step 1 of 5" in page.text
    done = await browser.post(LINK, {"token": token, **FIRST})
    assert done.headers["location"] == "/dashboard/first-run/authenticator"
    assert serving.gateway.sign_in.user_named("ada").role is Role.OWNER
    assert (await browser.get("/dashboard/users")).status == 200
    again = await Browser(serving).post(LINK, {"token": token})
    assert again.status == 400
    assert "ask for another" in again.text
    rows = await serving.gateway.store.read(lambda: list(AuditLog.select()))
    assert token not in str([row.__data__ for row in rows])


@pytest.mark.gen_test
async def test_the_whole_link_may_be_typed(serving):
    token = await make_link(serving)
    typed = f" {serving.base_url}/dashboard/link#{token} "
    page = await Browser(serving).post(LINK, {"token": typed})
    assert page.fields["token"] == token


SLIPS = [
    ({"password": "short", "again": "short"}, "12 characters"),
    ({"again": "different from it"}, "differ"),
    ({"name": ""}, "printable"),
    ({"name": "a\x07"}, "printable"),
    ({"password": "x" * 300, "again": "x" * 300}, "256 bytes"),
]


@pytest.mark.gen_test
async def test_a_slip_uses_no_link_up(serving):
    token, browser = await make_link(serving), Browser(serving)
    for wrong, told in SLIPS:
        page = await browser.post(LINK, {"token": token, **FIRST, **wrong})
        assert page.status == 400
        assert told in page.text
        assert page.fields["token"] == token
        assert page.fields["password"] == ""
    assert not serving.gateway.sign_in.is_set_up
    assert (await browser.post(LINK, {"token": token, **FIRST})).status == 303


@pytest.mark.gen_test
async def test_a_users_link_says_whose_it_is_and_ends_the_sessions(serving):
    ada = await add(serving)
    before = Browser(serving)
    await enter(before)
    token = await make_link(serving, ada.id)
    browser = Browser(serving)
    page = await browser.post(LINK, {"token": token})
    assert "A new password for ada" in page.text
    await browser.post(LINK, {"token": token, **FIRST, "name": "eve"})
    assert [user.name for user in serving.gateway.sign_in.users] == ["ada"]
    assert (await before.get("/dashboard/sessions")).status == 303
    assert (await enter(Browser(serving), "ada", NEW)).status == 303


@pytest.mark.gen_test
async def test_what_is_no_link_opens_nothing(serving):
    tokens = ("", "#", "guessed", "é" * 40, "x" * 5000)
    for token, more in product(tokens, ({}, FIRST)):
        page = await Browser(serving).post(LINK, {"token": token, **more})
        assert page.status == 400
        assert "ask for another" in page.text
    assert not serving.gateway.sign_in.is_set_up


@pytest.mark.gen_test
async def test_a_link_in_a_chat_leads_to_the_form_at_once(serving):
    page = await Browser(serving).get(
        LINK,
        sec_fetch_site="cross-site",
        sec_fetch_mode="navigate",
        sec_fetch_dest="document",
    )
    assert ("data-fragment", "token") in page.attributes
    assert ("http-equiv", "refresh") not in page.attributes
    assert page.headers["referrer-policy"] == "no-referrer"
    refused = await Browser(serving).get(LINK, sec_fetch_site="cross-site")
    assert refused.status == 403
