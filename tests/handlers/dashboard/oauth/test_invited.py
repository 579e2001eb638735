"""An invited person: the first password, the own page, and what a holder never sees."""

import html
import time
import tomllib

import pytest

from gateway.admin.users.changes import link_for
from gateway.admin.users.people import invite
from gateway.oauth.devices import EndReason, end_devices
from gateway.store.models import AuditLog
from gateway.store.users.oauth_tables import DeviceRow
from gateway.store.users.tables import LinkRow
from tests.devices import add_device, add_person
from tests.handlers.dashboard.browsing import Browser, enter, signed_in

pytestmark = pytest.mark.gen_test(timeout=20)
LINK, MY = "/dashboard/link", "/dashboard/my"
PASSWORD = {"password": "a very long password", "again": "a very long password"}
HIDDEN = ("keys", "usage", "requests", "users", "sessions", "accounts", "live")


async def invited(serving):
    made = await serving.gateway.store.write(invite, "ada", {}, "cli")
    await serving.gateway.reload()
    return made.token.reveal()


async def test_an_invitation_sets_the_first_password_and_signs_nobody_in(serving):
    await signed_in(serving, name="grace")
    token, browser = await invited(serving), Browser(serving)
    kept = await serving.gateway.store.read(LinkRow.get)
    audited = await serving.gateway.store.read(lambda: list(AuditLog.select()))
    assert token not in str([kept.__data__, *(row.__data__ for row in audited)])
    page = await browser.post(LINK, {"token": token})
    assert "You are invited to use Codex" in page.text
    assert "sign in here as ada" in page.text
    done = await browser.post(LINK, {"token": token, **PASSWORD})
    assert done.headers["location"].startswith("/dashboard/sign-in?name=ada&next=")
    entry = await browser.follow(done)
    assert (entry.fields["name"], entry.fields["next"]) == ("ada", MY)
    assert "Your password is set" in entry.text
    assert f"codexgate-{serving.server.port}" not in browser.cookies
    assert (await browser.get(MY)).status == 303
    again = await Browser(serving).post(LINK, {"token": token, **PASSWORD})
    assert again.status == 400
    entered = await browser.post(
        "/dashboard/sign-in",
        {"name": "ada", "password": PASSWORD["password"], "next": MY},
    )
    assert entered.headers["location"] == MY
    page = await browser.get(MY)
    assert "Set up Codex" in page.text
    told = html.unescape(page.html.partition("<code>model_provider")[2])
    lines = tomllib.loads("model_provider" + told.partition("</code>")[0])
    provider = lines["model_providers"][lines["model_provider"]]
    assert provider["base_url"] == f"{serving.base_url}/backend-api/codex"
    assert provider["gateway_oauth"]["client_id"] == "codex"
    assert "sk-cgw" not in page.html


async def test_who_gets_a_new_password_is_not_told_of_an_invitation(serving):
    await signed_in(serving, name="grace")
    made = await serving.gateway.store.write(link_for, "grace", "cli")
    page = await Browser(serving).post(LINK, {"token": made.token.reveal()})
    assert "A new password for grace" in page.text
    assert "invited" not in page.text


async def test_a_holder_sees_the_own_page_alone(serving):
    await add_person(serving, "ada")
    browser = await as_person(serving, "ada")
    home = await browser.get("/dashboard/")
    assert home.headers["location"] == MY
    for path in HIDDEN:
        assert (await browser.get(f"/dashboard/{path}")).status == 403
    assert "More" not in (await browser.get(MY)).text  # a menu of nothing
    nobody = await signed_in(serving, name="grace")
    assert (await nobody.get(MY)).status == 403


async def test_a_person_ends_own_devices_and_no_others(serving):
    await add_person(serving, "ada", limits=["requests 2/7d"])
    await add_person(serving, "eve")
    mine = await add_device(serving, "ada", "laptop")
    other = await add_device(serving, "eve", "tower")
    browser = await as_person(serving, "ada")
    page = await browser.get(MY)
    assert "laptop new 192.0.2.7" in page.text
    assert "Requests per week" in page.text
    assert "tower" not in page.text
    refused = await browser.post(MY, {"device": str(other.device_id)})
    assert refused.status == 404
    done = await browser.post(MY, {"device": str(mine.device_id)})
    assert done.headers["location"] == MY
    oauth = serving.gateway.oauth
    assert oauth.device(mine.device_id).end_reason == "ended"
    assert oauth.device(other.device_id).end_reason is None
    assert "laptop" not in (await browser.get(MY)).text


@pytest.mark.parametrize(
    ("models", "line"),
    [
        ([], ""),
        (["gpt-5*"], 'model = "gpt-5.5"\n'),
        (["gpt-4*", "gpt-5.4-mini"], 'model = "gpt-5.4-mini"\n'),
        (["other-*"], ""),
    ],
)
async def test_lines_name_a_model_where_a_seat_has_not_all(serving, models, line):
    await add_person(serving, "ada", models=models)
    page = await (await as_person(serving, "ada")).get(MY)
    assert f"<code>{line}model_provider = " in html.unescape(page.html)


@pytest.mark.parametrize(("reason", "is_told"), [("REUSE", True), ("ENDED", False)])
async def test_a_person_is_told_that_a_device_was_copied(serving, reason, is_told):
    await add_person(serving, "ada")
    device = await add_device(serving, "ada", "laptop")
    gateway, browser = serving.gateway, await as_person(serving, "ada")
    which, why = DeviceRow.id == device.device_id, EndReason[reason]
    await gateway.store.write(end_devices, which, why, "device", time.time())
    await gateway.reload()
    page = await browser.get(MY)
    assert ("used by two" in page.text) is is_told
    assert "Set up Codex" in page.text


async def as_person(serving, name):
    user = serving.gateway.sign_in.user_named(name)
    browser = Browser(serving)
    await enter(browser, user.id)
    return browser
