"""What the first owner is led through."""

import pytest

from gateway.sign_in.users import Role
from tests.handlers.dashboard.browsing import Browser, signed_in
from tests.handlers.dashboard.sign_in.people import make_link

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
        "/dashboard/doctor",
    ):
        assert url in page.links
    assert page.text.count("to do") == 4
    await serving.add_account("one")
    await serving.add_key("laptop")
    page = await browser.get(FIRST_RUN)
    assert page.text.count("to do") == 2
    assert "1 there" in page.text
    assert "1 made" in page.text


@pytest.mark.gen_test
async def test_others_have_no_first_run(serving):
    owner = await signed_in(serving)
    assert (await owner.get(FIRST_RUN)).status == 200
    viewer = await signed_in(serving, Role.VIEWER, "eve")
    assert (await viewer.get(FIRST_RUN)).headers["location"] == "/dashboard/"
    stranger = await Browser(serving).get(FIRST_RUN)
    assert stranger.headers["location"].startswith("/dashboard/sign-in")
