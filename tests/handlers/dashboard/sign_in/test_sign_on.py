"""Users who signed in at a proxy: by its word, its address and its secret alone."""

from dataclasses import replace
from ipaddress import ip_network
from urllib.parse import urlencode

import aiohttp
import pytest

from gateway.doctor.client import Visit
from gateway.doctor.sign_on_check import sign_on
from gateway.secret import Secret
from gateway.sign_in.users import Role
from gateway.store.models import AuditLog
from tests.devices import add_person
from tests.gateway.oauth.conftest import link, told
from tests.handlers.dashboard.browsing import Browser
from tests.handlers.dashboard.sign_in.people import add, enter

SECRET = "0123456789abcdef0123456789abcdef"
SSO = {
    "sso_user_header": "x-sso-user",
    "sso_peers": (ip_network("127.0.0.1"),),
    "sso_secret": Secret(SECRET),
}
pytestmark = [pytest.mark.gen_test, pytest.mark.settings(**SSO)]


def named(name, secret=SECRET):
    return {"x_sso_user": name, "x_gateway_sso_secret": secret}


async def test_a_user_comes_in_by_the_proxys_word_and_no_owner_by_it(serving):
    await add(serving)
    await add(serving, "eve", Role.VIEWER)
    browser = Browser(serving)
    for name, role in (("ada", "operator"), ("eve", "viewer")):
        page = await browser.get("/dashboard/", **named(name))
        assert page.status == 200
        assert f"Signed in as {name}, {role}" in page.text
    assert not [name for name in browser.cookies if "form" not in name]
    refused = await browser.get("/dashboard/users", **named("ada"))
    assert refused.status == 403
    assert (await browser.get("/dashboard/")).status == 303  # without the header


NOT_THE_PROXYS = [
    {"x_sso_user": "ada"},
    named("ada", "guessed"),
    named("ada", ""),
    named(""),
    {"x_gateway_sso_secret": SECRET},
    {"remote_user": "ada", "x_gateway_sso_secret": SECRET},
]


async def test_a_header_alone_lets_nobody_in(serving):
    await add(serving)
    for headers in NOT_THE_PROXYS:
        page = await Browser(serving).get("/dashboard/", **headers)
        assert page.status == 303
        assert page.headers["location"].startswith("/dashboard/sign-in")


async def test_who_is_no_user_is_told_so(serving):
    ada = await add(serving)
    await add(serving, "eve")
    await serving.gateway.store.write(_disable, ada.id)
    await serving.gateway.sign_in.load()
    for name in ("ada", "nobody", "<script>alert(1)</script>"):
        page = await Browser(serving).get("/dashboard/", **named(name))
        assert page.status == 403
        assert f"you are '{name}'" in page.text
        assert "<script>" not in page.html.replace("<script src=", "")


def _disable(number):
    from gateway.store.users.tables import UserRow

    UserRow.update(is_disabled=True).where(UserRow.id == number).execute()


async def test_a_change_is_audited_with_who_and_needs_the_pages_token(serving):
    await add(serving)
    await serving.add_key("laptop")
    browser, path = Browser(serving), "/dashboard/keys/laptop"
    page = await browser.get(path, **named("ada"))
    assert page.status == 200
    url = f"{path}/reset"
    form = await browser.get(url, **named("ada"))
    forged = await browser._send("POST", url, {"xsrf": "guessed"}, named("ada"))
    assert forged.status == 403
    sent = {"xsrf": form.fields["xsrf"]}
    assert (await browser._send("POST", url, sent, named("ada"))).status == 303
    rows = await serving.gateway.store.read(lambda: list(AuditLog.select()))
    (row,) = [row for row in rows if row.action == "key.reset_usage"]
    assert row.actor == "user:ada"


async def test_what_needs_a_fresh_sign_in_needs_one_here(serving):
    await add(serving)
    await serving.add_key("laptop")
    browser, path = Browser(serving), "/dashboard/keys/laptop/rotate"
    page = await browser.get(path, **named("ada"))
    assert page.headers["location"].startswith("/dashboard/sign-in?next=")
    await enter(browser)
    assert (await browser.get(path, **named("eve"))).status == 200  # the cookie's user


async def test_an_api_takes_no_word_for_anybody(serving):
    await add(serving)
    for path in ("/api/keys", "/v1/models"):
        headers = {"x-sso-user": "ada", "x-gateway-sso-secret": SECRET}
        await serving.add_key(f"of {path.strip('/').replace('/', ' ')}")
        async with serving.session.get(path, headers=headers) as answer:
            assert answer.status == 401


async def test_the_doctor_sees_a_proxy_that_passes_a_strangers_name_on(serving):
    await add(serving)
    async with aiohttp.ClientSession() as session:
        visit = Visit(session, serving.base_url, None, "x-sso-user")
        (found,) = await sign_on(visit)
        assert (found.level, found.check) == ("ok", "sign-on")
    # A proxy that adds its secret to whatever a client names.
    careless = {"x-gateway-sso-secret": SECRET}
    async with aiohttp.ClientSession(headers=careless) as session:
        (found,) = await sign_on(replace(visit, session=session))
        assert found.level == "fail"
        assert "x-sso-user" in found.message
        (found,) = await sign_on(replace(visit, session=session, user_header=""))
        assert found.level == "fail"


@pytest.mark.settings(sso_user_header="", sso_peers=(), sso_secret=None)
async def test_nobody_is_believed_where_no_proxy_is_trusted(serving):
    await add(serving)
    page = await Browser(serving).get("/dashboard/", **named("ada"))
    assert page.status == 303
    async with aiohttp.ClientSession() as session:
        assert await sign_on(Visit(session, serving.base_url, None)) == []


async def test_who_signed_in_at_the_proxy_lets_codex_in(serving):
    await add(serving)
    await add_person(serving, "eve")
    browser, url = Browser(serving), f"/oauth/authorize?{urlencode(link())}"
    page = await browser.get(url, **named("eve"))
    assert "Let Codex sign in as eve?" in page.text
    sent = {**page.fields, "action": "approve"}
    forged = {**sent, "xsrf": "x"}
    by_proxy = {"x-sso-user": "eve", "x-gateway-sso-secret": SECRET}
    assert (await browser._send("POST", url, forged, by_proxy)).status == 403
    assert (await browser._send("POST", url, sent, {})).status == 303  # to the sign-in
    done = await browser._send("POST", url, sent, by_proxy)
    assert "code" in told(done.headers["location"])
    assert (await browser.get("/dashboard/my", **named("eve"))).status == 200
