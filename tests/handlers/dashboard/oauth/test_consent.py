"""A person lets Codex in on the dashboard: by its link, or by the code it shows."""

from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from gateway.admin.keys import set_disabled
from gateway.store.users.oauth_tables import SignInRequestRow
from tests.devices import LAPTOP, add_person
from tests.gateway.oauth.conftest import CALLBACK, VERIFIER, link, told
from tests.handlers.dashboard.browsing import Browser, enter, signed_in

DEVICE = "/device"


def url(**other):
    return f"/oauth/authorize?{urlencode(link(**other))}"


def sent_url():
    """As the client of these tests sends it."""
    return url().replace("%3A", ":").replace("%2F", "/")


async def person(serving, name="ada", ago=0.0, **rules):
    """A person with a seat, in a browser signed in so many seconds ago."""
    user_id, key_id = await add_person(serving, name, **rules)
    browser = Browser(serving)
    await enter(browser, user_id, ago)
    return SimpleNamespace(browser=browser, user_id=user_id, key_id=key_id)


async def decide(browser, page, action, path=None, **fields):
    """Press a button of a consent page."""
    sent = {**page.fields, "action": action, **fields}
    return await browser._send("POST", path or url(), sent, {})


async def begin(serving):
    gateway = serving.gateway
    form = {"client_id": "codex"}
    return await gateway.oauth_endpoints.begin_device(form, LAPTOP)


@pytest.mark.gen_test
async def test_a_person_lets_codex_in_by_its_link(serving):
    ada = await person(serving, limits=["tokens 2M/7d"])
    page = await ada.browser.get(url())
    assert page.status == 200
    assert "Let Codex sign in as ada?" in page.text
    assert "only if you started this yourself, just now" in page.text
    assert "not verified" in page.text
    assert "127.0.0.1" in page.text
    assert "another address" not in page.text
    assert "Tokens per" in page.text
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' http://127.0.0.1:1499;" in policy
    done = await decide(ada.browser, page, "approve", name="laptop")
    assert done.status == 303
    back = done.headers["location"]
    assert back.startswith(f"{CALLBACK}?")
    assert told(back)["state"] == "xyz"
    exchange = serving.gateway.oauth.exchange_code
    issued = await exchange(told(back)["code"], "codex", CALLBACK, VERIFIER)
    assert serving.gateway.oauth.device(issued.device_id).name == "laptop"
    again = await decide(ada.browser, page, "approve")
    assert again.status == 400
    assert "begin again in Codex" in again.text


@pytest.mark.gen_test
async def test_who_refuses_is_told_to_the_client(serving):
    ada = await person(serving)
    done = await decide(ada.browser, await ada.browser.get(url()), "deny")
    told_to = told(done.headers["location"])
    assert told_to == {"error": "access_denied", "state": "xyz"}


@pytest.mark.gen_test
async def test_consent_is_of_the_session_that_was_asked(serving):
    ada, eve = await person(serving), await person(serving, "eve")
    page, hers = await eve.browser.get(url()), await ada.browser.get(url())
    mixed = {**page.fields, "xsrf": hers.fields["xsrf"], "action": "approve"}
    refused = await ada.browser._send("POST", url(), mixed, {})
    assert refused.status == 400
    forged = await ada.browser._send("POST", url(), {**mixed, "xsrf": "x"}, {})
    assert forged.status == 403
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    sent = {**hers.fields, "action": "approve"}
    assert (await ada.browser._send("POST", url(), sent, foreign)).status == 403
    assert (await decide(ada.browser, hers, "approve")).status == 303


BAD_LINKS = [
    {"client_id": "other"},
    {"redirect_uri": "http://localhost:1499/callback"},
    {"redirect_uri": "https://evil.example/callback"},
    {"redirect_uri": "http://127.0.0.1:1499/callback?x=1"},
    {"redirect_uri": "http://127.0.0.1:1499/callback/.."},
    {"redirect_uri": "http://127.0.0.1:1499@evil.example/callback"},
]


@pytest.mark.gen_test
async def test_a_link_that_is_not_codexs_leads_nowhere(serving):
    ada = await person(serving)
    for browser in (ada.browser, Browser(serving)):
        for wrong in BAD_LINKS:
            page = await browser.get(url(**wrong))
            assert page.status == 400
            assert "no sign-in of Codex" in page.text
            assert "location" not in page.headers
        twice = await browser.get(f"{url()}&client_id=codex")
        assert twice.status == 400
    assert await serving.gateway.store.read(SignInRequestRow.select().count) == 0


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "all"}, "invalid_scope"),
    ],
)
async def test_what_else_is_wrong_is_told_to_the_client(serving, wrong, code):
    ada = await person(serving)
    page = await ada.browser.get(url(**wrong))
    assert page.headers["location"].startswith(f"{CALLBACK}?")
    assert told(page.headers["location"])["error"] == code


@pytest.mark.gen_test
async def test_a_link_goes_on_after_the_sign_in(serving):
    ada = await person(serving, ago=700)
    asked = await ada.browser.get(url())
    confirm = await ada.browser.follow(asked)
    assert "/dashboard/confirm" in asked.headers["location"]
    assert confirm.fields["next"] == sent_url()
    await signed_in(serving, name="grace")  # so that it is set up
    stranger = Browser(serving)
    for asked, next_page in ((url(), sent_url()), (DEVICE, DEVICE)):
        page = await stranger.follow(await stranger.get(asked))
        assert page.fields["next"] == next_page
        # Whoever comes from Codex has a name, and no shell at the gateway.
        assert page.text.count("Codex waits for you") == 1
        assert "Ask an owner" in page.text
        assert "API key" not in page.text
        entered = {"name": "ada", "password": "wrong", "next": next_page}
        refused = await stranger.post("/dashboard/sign-in", entered)
        assert "Codex waits for you" in refused.text
    page = await stranger.get("/dashboard/sign-in")
    assert "Codex waits" not in page.text
    assert "API key" in page.text


@pytest.mark.gen_test
async def test_who_has_no_seat_is_told_who_gives_one(serving):
    grace = await signed_in(serving, name="grace")
    page = await grace.get(DEVICE)
    assert page.status == 403
    assert "an owner gives you one at People" in page.text


@pytest.mark.gen_test
async def test_who_cannot_work_is_told_why_before_a_code_is_given(serving):
    ada, gateway = await person(serving), serving.gateway
    page = await ada.browser.get(url())
    await gateway.store.write(lambda: set_disabled("ada", "cli", disabled=True))
    await gateway.reload()
    for answer in (
        await ada.browser.get(url()),
        await decide(ada.browser, page, "approve"),
        await ada.browser.get(DEVICE),
    ):
        assert answer.status == 403
        assert "Your seat is disabled" in answer.text
    again = await ada.browser.get(url())
    assert sent_url() in again.links
    await gateway.store.write(lambda: set_disabled("ada", "cli", disabled=False))
    await gateway.reload()
    assert (await ada.browser.get(sent_url())).status == 200


@pytest.mark.gen_test
async def test_a_person_types_the_code_that_codex_shows(serving):
    ada = await person(serving)
    _, user_code = await begin(serving)
    empty = await ada.browser.get(f"{DEVICE}?user_code={user_code}&code={user_code}")
    assert empty.fields["code"] == ""
    typed = {"code": user_code.lower().replace("-", " ")}
    page = await ada.browser.post(DEVICE, typed)
    assert page.status == 200
    assert LAPTOP.address in page.text
    assert LAPTOP.user_agent in page.text
    assert "another address than yours" in page.text
    done = await decide(ada.browser, page, "approve", DEVICE, name="build server")
    # A reload of what it leads to decides nothing again.
    assert done.status == 303
    for _ in range(2):
        assert "Go back to Codex" in (await ada.browser.follow(done)).text
    row = await serving.gateway.store.read(SignInRequestRow.get)
    assert (row.verdict, row.device_name) == ("approved", "build server")
    again = await decide(ada.browser, page, "approve", DEVICE)
    assert again.status == 400
    _, other = await begin(serving)
    page = await ada.browser.post(DEVICE, {"code": other})
    done = await decide(ada.browser, page, "deny", DEVICE)
    assert "Refused" in (await ada.browser.follow(done)).text
    for _ in range(9):
        wrong = await ada.browser.post(DEVICE, {"code": "BBBB-BBBB"})
        assert wrong.status == 400
    assert "read it again" in wrong.text
    assert (await ada.browser.post(DEVICE, {"code": "BBBB-BBBB"})).status == 429
