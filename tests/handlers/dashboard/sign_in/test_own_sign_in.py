"""A user's own password, authenticator and recovery codes."""

import pytest

from tests.handlers.dashboard.browsing import Browser
from tests.handlers.dashboard.sign_in.people import (
    PASSWORD,
    authenticator_code,
    enter,
    entered,
    forget_guesses,
    grow_old,
)

SECURITY = "/dashboard/security"
AUTHENTICATOR = "/dashboard/security/authenticator"
NEW = "another long password"


async def set_up(browser):
    page = await browser.get(AUTHENTICATOR)
    secret = page.fields["secret"]
    sent = {"secret": secret, "code": authenticator_code(secret)}
    return secret, await browser.post(AUTHENTICATOR, sent)


@pytest.mark.gen_test
async def test_an_authenticator_is_set_up_by_a_picture_and_a_code(serving):
    browser = await entered(serving)
    page = await browser.get(AUTHENTICATOR)
    assert "svg" in page.tags
    assert page.fields["secret"] in page.text  # for who cannot scan
    assert not [name for name, _ in page.attributes if name == "style"]
    wrong = await browser.post(AUTHENTICATOR, {**page.fields, "code": "000000"})
    assert wrong.status == 400
    assert wrong.fields["secret"] == page.fields["secret"]  # the same picture
    secret, done = await set_up(browser)
    codes = done.html.partition("<code>")[2].partition("</code>")[0].split("\n")
    assert len(codes) == 10
    assert secret not in done.html
    shown = await browser.get(SECURITY)
    assert "10 recovery codes left" in shown.text
    assert codes[0] not in shown.html

    forget_guesses(serving)
    other = Browser(serving)
    assert (await enter(other)).status == 403
    forget_guesses(serving)
    code = authenticator_code(secret, 1)
    assert (await enter(other, code=code)).status == 303
    assert (await enter(Browser(serving), code=code)).status == 403  # once
    forget_guesses(serving)
    assert (await enter(Browser(serving), code=codes[0].upper())).status == 303
    assert (await enter(Browser(serving), code=codes[0])).status == 403
    assert "9 recovery codes left" in (await browser.get(SECURITY)).text


@pytest.mark.gen_test
async def test_codes_that_were_shown_hold_when_their_page_is_loaded_again(serving):
    browser = await entered(serving)
    secret, done = await set_up(browser)
    codes = done.html.partition("<code>")[2].partition("</code>")[0].split("\n")
    sent = {"secret": secret, "code": authenticator_code(secret)}
    again = await browser.post(AUTHENTICATOR, sent)
    assert (again.status, "svg" in again.tags) == (400, True)
    assert "on already" in again.text
    assert again.fields["secret"] != secret  # so that there is a way to new ones
    forget_guesses(serving)
    assert (await enter(Browser(serving), code=codes[0])).status == 303


@pytest.mark.gen_test
async def test_a_new_password_ends_the_other_sessions(serving):
    browser, other = await entered(serving), Browser(serving)
    await enter(other)
    sent = {"password": NEW, "again": NEW}
    for slip in ({"again": "different from it"}, {"password": "x", "again": "x"}):
        page = await browser.post(SECURITY, sent | slip)
        assert page.status == 400
    assert (await other.get("/dashboard/sessions")).status == 200
    assert (await browser.post(SECURITY, sent)).status == 303
    assert (await browser.get(SECURITY)).status == 200
    assert (await other.get("/dashboard/sessions")).status == 303
    assert (await enter(Browser(serving), "ada", PASSWORD)).status == 403
    forget_guesses(serving)
    assert (await enter(Browser(serving), "ada", NEW)).status == 303


@pytest.mark.gen_test
async def test_codes_are_asked_for_no_more_once_the_authenticator_is_gone(serving):
    browser = await entered(serving)
    await set_up(browser)
    await browser.post(SECURITY, {"action": "drop-authenticator"})
    assert not serving.gateway.sign_in.user_named("ada").has_totp
    assert (await enter(Browser(serving))).status == 303


@pytest.mark.gen_test
async def test_with_an_old_sign_in_none_of_it_is_changed(serving):
    browser = await entered(serving)
    page = await browser.get(AUTHENTICATOR)
    await grow_old(serving)
    secret = page.fields["secret"]
    for path, fields in (
        (AUTHENTICATOR, {"secret": secret, "code": authenticator_code(secret)}),
        (SECURITY, {"password": NEW, "again": NEW}),
        (SECURITY, {"action": "drop-authenticator"}),
    ):
        assert (await browser.get(path)).status == 303
        sent = {"xsrf": page.fields["xsrf"], **fields}
        done = await browser._send("POST", path, sent, {})
        assert done.headers["location"].startswith("/dashboard/confirm")
    user = serving.gateway.sign_in.user_named("ada")
    assert not user.has_totp
