"""What all pages have in common: doors, sessions, roles, forms, headers."""

import pytest

from gateway.sign_in.users import Role
from tests.handlers.dashboard.browsing import Browser, signed_in

LINK = {
    "sec_fetch_site": "cross-site",
    "sec_fetch_mode": "navigate",
    "sec_fetch_dest": "document",
}


@pytest.mark.gen_test
async def test_who_has_not_signed_in_is_sent_there_and_back(serving):
    page = await Browser(serving).get("/dashboard/keys?sort=name")
    assert page.status == 303
    back = "%2Fdashboard%2Fkeys%3Fsort%3Dname"
    assert page.headers["location"] == f"/dashboard/sign-in?next={back}"


@pytest.mark.gen_test
async def test_who_sent_a_form_too_late_is_told_that_nothing_was_done(serving):
    browser = await signed_in(serving)
    browser.cookies.clear()  # as after a night
    late = await browser.post("/dashboard/keys/new", {"name": "x"})
    back = "/dashboard/sign-in?next=%2Fdashboard%2Fkeys%2Fnew"
    assert late.headers["location"] == f"{back}&unsent=1"
    assert "was not done" in (await browser.follow(late)).text
    assert "was not done" not in (await browser.get(back)).text


@pytest.mark.gen_test
async def test_a_part_of_a_page_sends_the_whole_page_to_the_sign_in(serving):
    page = await Browser(serving).get("/dashboard/", hx_request="true")
    assert (page.status, page.html) == (200, "")
    assert page.headers["hx-redirect"].startswith("/dashboard/sign-in")


@pytest.mark.gen_test
async def test_a_page_is_kept_nowhere_and_runs_nothing_of_others(serving):
    browser = await signed_in(serving)
    for page in (
        await browser.get("/dashboard/nowhere"),
        await browser.get("/dashboard/"),
    ):
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.gen_test
async def test_a_page_that_is_not_there_says_so(serving):
    browser = await signed_in(serving)
    page = await browser.get("/dashboard/<script>")
    assert page.status == 404
    assert "There is no such page" in page.text
    assert "<script>" not in page.html.replace("<script src=", "")
    assert (await browser.get("/dashboard")).headers["location"] == "/dashboard/"


@pytest.mark.gen_test
async def test_a_link_of_another_site_is_answered_by_a_page_that_loads_itself(serving):
    browser = await signed_in(serving)
    page = await browser.get("/dashboard/nowhere?a=1&b=%22%3E", **LINK)
    assert page.status == 200
    assert ("http-equiv", "refresh") in page.attributes
    assert page.links == ["/dashboard/nowhere?a=1&b=%22%3E"]
    assert "script" not in page.tags
    assert (await browser.get("/dashboard/nowhere")).status == 404


@pytest.mark.gen_test
async def test_neither_a_key_nor_the_admin_token_opens_a_page(
    serving,
):
    key = await serving.add_key()
    for token in (key,):
        page = await Browser(serving).get(
            "/dashboard/", authorization=f"Bearer {token}"
        )
        assert page.status == 303


@pytest.mark.gen_test
async def test_a_session_opens_no_api(serving):
    browser = await signed_in(serving)
    for path in ("/api/keys", "/api/status"):
        assert (await browser.get(path)).status == 401


@pytest.mark.gen_test
async def test_files_of_pages_are_kept_for_good_under_their_content_s_url(serving):
    browser = Browser(serving)
    page = await (await signed_in(serving)).get("/dashboard/nowhere")
    files = [value for name, value in page.attributes if name in ("src", "href")]
    files = [one for one in files if one.startswith("/dashboard/static/")]
    assert len(files) > 3
    for one in files:
        answered = await browser.get(one)
        assert answered.status == 200
        assert "immutable" in answered.headers["cache-control"]
        again = await browser.get(one, if_none_match=answered.headers["etag"])
        assert (again.status, again.html) == (304, "")
    digest = files[0].split("/")[3]
    wrong = files[0].replace(digest, "0" * len(digest))
    assert (await browser.get(wrong)).status == 404


@pytest.mark.settings(dashboard="off")
@pytest.mark.gen_test
async def test_a_dashboard_that_is_off_is_not_there(serving):
    for path in ("/dashboard/", "/dashboard", "/dashboard/sign-in"):
        answered = await Browser(serving).get(path)
        assert answered.status == 404
        assert "dashboard" not in answered.text.lower().replace("/dashboard", "")


@pytest.mark.gen_test
async def test_over_plain_http_a_session_needs_a_browser_that_tells_where_from(serving):
    browser = await signed_in(serving)
    assert (await browser.get("/dashboard/nowhere")).status == 404
    untold = await browser.get("/dashboard/keys", sec_fetch_site="")
    assert untold.status == 303


def test_roles_are_ranks():
    able = [role for role in Role if role.includes(Role.OPERATOR)]
    assert able == [Role.OPERATOR, Role.OWNER]
