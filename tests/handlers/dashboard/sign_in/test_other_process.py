"""A session that was begun at another process of the same database opens pages here."""

import time

import pytest

from gateway.sign_in.account_rows import add_user
from gateway.sign_in.sessions import begin_session, new_token
from gateway.sign_in.users import Role
from tests.handlers.dashboard.browsing import HERE, Browser


@pytest.mark.gen_test
async def test_whoever_signed_in_elsewhere_is_known_here_by_the_first_request(serving):
    store, token = serving.gateway.store, new_token()

    def sign_in_elsewhere():
        user = add_user("ada", Role.OWNER, "a hash")
        begin_session(user, token, HERE, time.time())

    await store.write(sign_in_elsewhere)
    browser = Browser(serving)
    browser.cookies[f"codexgate-{serving.server.port}"] = token
    assert (await browser.get("/dashboard/")).status == 200
    browser.cookies[f"codexgate-{serving.server.port}"] = new_token()
    assert (await browser.get("/dashboard/")).status == 303
    browser.cookies.clear()
    assert (await browser.get("/dashboard/")).status == 303
