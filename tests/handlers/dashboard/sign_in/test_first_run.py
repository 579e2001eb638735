"""What the first owner is led through."""

import html
import json
import re
import tomllib

import pytest

from gateway.sign_in.users import Role
from tests.handlers.dashboard.browsing import Browser, signed_in
from tests.handlers.dashboard.sign_in.people import make_link
from tests.serving import payload

FIRST_RUN = "/dashboard/first-run"
NEW = "another long password"


@pytest.mark.accounts
@pytest.mark.gen_test
async def test_the_first_link_leads_from_step_to_step(serving):
    browser, token = Browser(serving), await make_link(serving)
    sent = {"token": token, "name": "ada", "password": NEW, "again": NEW}
    done = await browser.post("/dashboard/link", sent)
    page = await browser.follow(done)
    assert "Step 2 of 5" in page.text
    assert FIRST_RUN in page.links  # it may be skipped
    page = await browser.get(FIRST_RUN)
    for url in (
        f"{FIRST_RUN}/authenticator",
        f"/dashboard/add-account?next={FIRST_RUN}",
        f"/dashboard/keys/new?next={FIRST_RUN}",
        f"/dashboard/doctor?next={FIRST_RUN}",
    ):
        assert url in page.links
    assert page.text.count("to do") == 4
    await serving.add_account("one")
    await serving.add_key("laptop")
    page = await browser.get(FIRST_RUN)
    assert page.text.count("to do") == 2
    assert "1 there" in page.text
    assert "1 made" in page.text


@pytest.mark.accounts
@pytest.mark.gen_test
async def test_who_has_but_the_link_gets_to_a_turn(serving, upstream):
    """By the forms alone, as somebody without scripts fills them in."""
    browser, token = Browser(serving), await make_link(serving)
    sent = {"token": token, "name": "ada", "password": NEW, "again": NEW}
    await browser.post("/dashboard/link", sent)
    step = await browser.get(f"/dashboard/add-account?next={FIRST_RUN}")
    login = json.dumps(upstream.add_account("one").auth_document())
    account = {"way": "file", "auth": login, "next": step.fields["next"]}
    added = await browser.post("/dashboard/add-account", account)
    assert added.headers["location"] == FIRST_RUN
    page = await browser.get(f"/dashboard/keys/new?next={FIRST_RUN}")
    fields = {name: page.fields[name] for name in ("xsrf", "once", "next")}
    key = {**fields, "name": "laptop"}
    made = await browser._send("POST", "/dashboard/keys/new", key, {})
    assert FIRST_RUN in made.links
    lines = html.unescape(made.html)
    config = re.search(r"<code>(model_provider = .*?)</code>", lines, re.DOTALL)[1]
    provider = tomllib.loads(config)["model_providers"]["gateway"]
    assert provider["base_url"].startswith(serving.base_url)
    headers = provider["http_headers"]
    path = provider["base_url"].removeprefix(serving.base_url) + "/responses"
    assert (await serving.ask(path, payload(), headers=headers)).status == 200
    assert "is the first key" in made.text


@pytest.mark.gen_test
async def test_others_have_no_first_run(serving):
    owner = await signed_in(serving)
    assert (await owner.get(FIRST_RUN)).status == 200
    viewer = await signed_in(serving, Role.VIEWER, "eve")
    assert (await viewer.get(FIRST_RUN)).headers["location"] == "/dashboard/"
    stranger = await Browser(serving).get(FIRST_RUN)
    assert stranger.headers["location"].startswith("/dashboard/sign-in")
