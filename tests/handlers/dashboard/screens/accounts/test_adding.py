"""Adding an account from a page: by a code, a file, a token, or an API key."""

import asyncio
import io
import json

import pytest

from gateway.admin.logins.online import OnlineLogin
from gateway.sign_in.users import Role
from tests.handlers.admin.operators import audit
from tests.handlers.dashboard.browsing import signed_in

pytestmark = pytest.mark.gen_test(timeout=20)
ADD = "/dashboard/add-account"
ENDPOINT = {
    "way": "api_key",
    "name": "paid",
    "base_url": "https://api.example/v1/",
    "api_key": "sk-fake",
    "priority": "100",
}


@pytest.fixture
def auth(upstream):
    upstream.auth.interval = 0.01
    upstream.auth.polls_before_approval = None
    upstream.add_account("third")
    return upstream.auth


def logins(serving):
    return serving.gateway.background.of(OnlineLogin)


async def test_a_code_is_shown_until_it_was_confirmed(serving, auth):
    browser = await signed_in(serving)
    begun = await browser.post(ADD, {"way": "code", "name": "mine"})
    (login,) = logins(serving)
    assert begun.headers["location"] == f"{ADD}/{login.id}"
    page = await browser.follow(begun)
    assert login.code.user_code in page.text
    assert login.code.verification_url in page.links
    assert ("http-equiv", "refresh") in page.attributes
    assert ("hx-trigger", "every 2s, seen") in page.attributes
    assert login.code.user_code in (await browser.get(ADD)).text
    auth.approve(login.code.user_code, "third")
    await asyncio.wait({login._task})
    page = await browser.get(f"{ADD}/{login.id}", hx_request="true")
    assert "mine was added" in page.text
    assert page.links == ["/dashboard/accounts/mine"]
    names = {name for name, _ in page.attributes}
    assert not {"http-equiv", "hx-trigger"} & names  # it is over
    assert ("user:ada", "account.add", "mine") in await audit(serving)


async def test_a_login_of_an_account_again_is_of_that_one(serving, auth):
    browser = await signed_in(serving)
    path = "/dashboard/accounts/one"
    begun = await browser.post(f"{path}/login", on=path)
    again = await browser.post(f"{path}/login", on=path)
    assert again.headers["location"] == begun.headers["location"]
    (login,) = logins(serving)
    assert "Log in to one again" in (await browser.follow(begun)).text
    auth.approve(login.code.user_code, "third")
    await asyncio.wait({login._task})
    page = await browser.follow(begun)
    assert "which is not 'one': nothing was changed" in page.text


async def test_a_login_can_be_cancelled(serving, auth):
    browser = await signed_in(serving)
    begun = await browser.post(ADD, {"way": "code", "next": "/dashboard/first-run"})
    (login,) = logins(serving)
    page = await browser.get(begun.headers["location"])
    assert page.fields["next"] == "/dashboard/first-run"
    ended = await browser.post(
        f"{ADD}/{login.id}", {"next": page.fields["next"]}, on=f"{ADD}/{login.id}"
    )
    assert "It was cancelled" in (await browser.follow(ended)).text
    assert not login.is_running


async def test_a_login_that_nobody_knows_is_not_there(serving):
    browser = await signed_in(serving)
    page = await browser.get(f"{ADD}/nobodys")
    assert (page.status, "begin another" in page.text) == (404, True)
    page = await browser.get(f"{ADD}/nobodys", hx_request="true")
    assert page.headers["hx-redirect"] == f"{ADD}/nobodys"


async def test_as_many_logins_as_may_be_are_said(serving, auth):
    browser = await signed_in(serving)
    for _ in range(OnlineLogin.most):
        assert (await browser.post(ADD, {"way": "code"})).status == 303
    page = await browser.post(ADD, {"way": "code"})
    assert (page.status, "under way already" in page.text) == (409, True)


async def test_an_auth_json_is_pasted_or_sent_as_a_file(serving, upstream):
    browser = await signed_in(serving)
    text = json.dumps(upstream.add_account("third").auth_document())
    answered = await browser.post(ADD, {"way": "file", "name": "mine", "auth": text})
    assert answered.headers["location"] == "/dashboard/accounts/mine?told=added"
    assert "The account was added" in (await browser.follow(answered)).text
    answered = await browser.post(
        ADD, {"way": "file", "file": io.BytesIO(text.encode())}
    )
    assert answered.headers["location"] == "/dashboard/accounts/mine?told=renewed"
    assert len(serving.gateway.pool.accounts) == 3


async def test_an_access_token_is_whose_upstream_says(serving, upstream):
    browser = await signed_in(serving)
    token = f" {upstream.add_account('third').personal_access_token} "
    sent = {"way": "token", "token": token, "next": "/dashboard/first-run?a=1"}
    answered = await browser.post(ADD, sent)
    assert answered.headers["location"] == "/dashboard/first-run?a=1"
    assert serving.account("third@demo.example").credentials.is_access_token


async def test_an_endpoint_is_added(serving):
    browser = await signed_in(serving)
    answered = await browser.post(ADD, {**ENDPOINT, "chat_parameters": "on"})
    assert answered.headers["location"] == "/dashboard/accounts/paid?told=added"
    page = await browser.follow(answered)
    assert "https://api.example/v1" in page.text
    assert "sk-fake" not in page.html
    account = serving.account("paid")
    assert (account.priority, account.takes_chat_parameters) == (100, True)
    assert not account.websockets


MISTAKES = (
    ({"way": "code", "name": "one"}, "There is an account 'one' already"),
    ({"way": "code", "name": "x" * 81}, "a name has 1 to 80"),
    ({"way": "file"}, "Paste the text, or choose the file"),
    ({"way": "file", "auth": "{"}, "The login is not JSON"),
    ({"way": "file", "auth": "{}"}, "has no tokens"),
    ({"way": "token"}, "Paste the token"),
    ({"way": "token", "token": "hunter2"}, "The login is not JSON"),
    ({"way": "token", "token": "at-nobodys"}, "Upstream does not take it"),
    ({**ENDPOINT, "name": "one"}, "There is an account 'one' already"),
    ({**ENDPOINT, "base_url": "ftp://x"}, "give http(s)://host"),
    ({**ENDPOINT, "api_key": " "}, "The API key is empty"),
    ({**ENDPOINT, "priority": "soon"}, "give a whole number"),
    ({**ENDPOINT, "residency": "<b>"}, "give a region"),
)


async def test_a_mistake_stands_at_its_field_and_no_secret_with_it(serving):
    browser = await signed_in(serving)
    for sent, words in MISTAKES:
        page = await browser.post(ADD, sent)
        assert page.status == (409 if "already" in words else 400)
        assert words in page.text
        assert ("class", "field-error") in page.attributes
        assert ("autofocus", None) in page.attributes  # it may be far below
        assert ("class", "notice notice-bad") not in page.attributes
        for secret in ("hunter2", "at-nobodys", "sk-fake"):
            assert secret not in page.html
    assert len(serving.gateway.pool.accounts) == 2
    assert logins(serving) == []


async def test_a_way_that_is_none_is_said(serving):
    page = await (await signed_in(serving)).post(ADD, {"way": "<script>"})
    assert (page.status, "Choose how" in page.text) == (400, True)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
async def test_only_an_owner_adds_accounts(serving, role):
    browser = await signed_in(serving, role)
    assert (await browser.get(ADD)).status == 403
    assert (await browser.get(f"{ADD}/x")).status == 403
    for sent in ({"way": "code"}, ENDPOINT):
        page = await browser.post(ADD, sent, on="/dashboard/accounts/one")
        assert page.status == 403
    assert logins(serving) == []
