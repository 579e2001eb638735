"""A key holder's own page: the key's budget, and nothing of accounts or of others."""

import pytest

from gateway.sign_in.sessions import BrowserFacts
from tests.handlers.dashboard.browsing import Browser, signed_in
from tests.serving import V1, payload

pytestmark = pytest.mark.gen_test(timeout=20)

MY = "/dashboard/my"
HERE = BrowserFacts("127.0.0.1", "127.0.0.1", "test", False)


async def holder(serving, token):
    """A browser in which the holder of a key has signed in."""
    if not serving.gateway.sign_in.is_set_up:
        await signed_in(serving)
    browser = Browser(serving)
    session = await serving.gateway.sign_in.sign_in_with_key(token, HERE)
    browser.cookies[f"codexgate-{serving.server.port}"] = session
    return browser


async def ask(serving, token, conversation="one"):
    headers = {"x-api-key": token, "session-id": f"conversation-{conversation}"}
    return await serving.ask(V1, payload(), headers=headers)


async def test_a_holder_sees_budget_conversations_and_what_comes(serving):
    token = await serving.add_key("laptop", limits=["requests 2/7d"], rpm=60)
    await ask(serving, token)
    await serving.gateway.flush()
    browser = await holder(serving, token)
    page = await browser.get(MY)
    assert page.status == 200
    for words in ("laptop", "Requests per week", "1 of 2", "1 left", "1 of 60"):
        assert words in page.text
    assert "The last conversations" in page.text
    assert "gpt-5.5" in page.text
    assert "sk-cgw-..." in page.text
    assert token not in page.html
    await ask(serving, token)
    used_up = await browser.get(MY)
    assert "is used up: requests are answered 429 until" in used_up.text


async def test_nothing_of_accounts_or_of_others_is_there(serving):
    token = await serving.add_key("laptop", accounts=["one", "two"])
    other = await serving.add_key("somebody else")
    await ask(serving, token, "mine")
    await ask(serving, other, "theirs")
    await serving.gateway.flush()
    browser = await holder(serving, token)
    page = await browser.get(MY)
    assert page.html.count('<th scope="row">') == 1
    assert "somebody else" not in page.html
    assert other[:15] not in page.html
    for account in serving.gateway.pool.accounts.values():
        for told in (account.name, account.email, account.chatgpt_account_id):
            assert not told or f">{told}<" not in page.html
    for path in (
        *("/dashboard/keys", "/dashboard/keys/laptop", "/dashboard/keys/laptop/rotate"),
        *("/dashboard/settings", "/dashboard/tools", "/dashboard/prices"),
    ):
        refused = await browser.get(path)
        assert refused.status == 403, path
        assert "somebody else" not in refused.html


async def test_it_ends_with_the_key(serving):
    token = await serving.add_key("laptop")
    browser = await holder(serving, token)
    assert (await browser.get(MY)).status == 200
    await serving.change_key("laptop", disabled=True)
    gone = await browser.get(MY)
    assert gone.status == 303
    assert gone.headers["location"].startswith("/dashboard/sign-in")


async def test_a_user_has_no_such_page(serving):
    browser = await signed_in(serving)
    assert (await browser.get(MY)).status == 403


@pytest.mark.accounts
async def test_a_hostile_name_is_text(serving):
    name = '<script>alert(1)</script>"><img onerror=x>'
    token = await serving.add_key(name)
    page = await (await holder(serving, token)).get(MY)
    assert name in page.text
    assert "<script>alert" not in page.html
    assert "<img" not in page.html
