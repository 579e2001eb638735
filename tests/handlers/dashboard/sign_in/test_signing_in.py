"""By name, password and code, or by an API key; and what gets nobody in."""

import pytest

from gateway.sign_in.users import Role
from gateway.store.log.refusals import RefusedRequest
from tests.handlers.dashboard.browsing import Browser, signed_in
from tests.handlers.dashboard.sign_in.people import (
    PASSWORD,
    SIGN_IN,
    add,
    enter,
    entered,
    forget_guesses,
    grow_old,
    guess_often,
)

WRONG = "not the password"


def cookie_of(page, serving):
    return page.headers["set-cookie"], f"codexgate-{serving.server.port}="


@pytest.mark.gen_test
async def test_a_user_signs_in_is_sent_on_and_out_again(serving):
    await add(serving)
    browser = Browser(serving)
    page = await browser.post(
        f"{SIGN_IN}?next=%2Fdashboard%2Fusers",
        {"name": "ada", "password": PASSWORD, "next": "/dashboard/users"},
    )
    assert (page.status, page.headers["location"]) == (303, "/dashboard/users")
    cookie, name = cookie_of(page, serving)
    assert cookie.startswith(name)
    for flag in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"):
        assert flag in cookie
    assert "Domain" not in cookie
    assert (await browser.get("/dashboard/users")).status == 200
    kept = dict(browser.cookies)
    out = await browser.post("/dashboard/sign-out", on="/dashboard/users")
    assert out.headers["location"] == SIGN_IN
    assert (await browser.get("/dashboard/users")).status == 303
    browser.cookies = kept  # a copy of the cookie opens nothing any more
    assert (await browser.get("/dashboard/users")).status == 303


ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "/dashboard//evil.example",
    "/dashboard/\\evil",
    "/dashboard/../../x y",
    "javascript:alert(1)",
    "/dashboard/a\r\nset-cookie: x=1",
    "/v1/models",
]


@pytest.mark.gen_test
async def test_nobody_is_sent_elsewhere(serving):
    await add(serving)
    for elsewhere in ELSEWHERE:
        page = await enter(Browser(serving), next=elsewhere)
        assert page.headers["location"] == "/dashboard/"
        assert "x=1" not in page.headers["set-cookie"]


@pytest.mark.gen_test
async def test_what_is_wrong_is_told_alike_and_then_waits(serving):
    await add(serving)
    browser, told = Browser(serving), []
    for name, password, code in [
        ("ada", WRONG, ""),
        ("nobody", PASSWORD, ""),
        ("<script>", WRONG, "123456"),
        ("", "", ""),
    ]:
        forget_guesses(serving)
        page = await enter(browser, name, password, code=code)
        told.append((page.status, page.text.replace("<script>", "")))
        assert page.fields["password"] == ""
        assert "<script>" not in page.html.replace("<script src=", "")
    assert len(set(told)) == 1
    assert told[0][0] == 403
    assert "Name, password or code is wrong" in told[0][1]
    guess_often(serving, "ada")
    late = await enter(browser, "ada", PASSWORD)
    assert (late.status, int(late.headers["retry-after"]) > 20) == (429, True)
    assert f"Try again in {late.headers['retry-after']} s" in late.text
    assert f"codexgate-{serving.server.port}" not in browser.cookies
    forget_guesses(serving)
    assert (await enter(browser)).status == 303


@pytest.mark.gen_test
async def test_an_owner_is_told_of_who_was_refused(serving):
    await add(serving)
    await enter(Browser(serving), "ada", WRONG)
    await serving.gateway.flush()
    row = await serving.gateway.store.read(RefusedRequest.get)
    assert (row.error_code, row.client_address) == ("sign_in_refused", "127.0.0.1")
    assert WRONG not in str(row.__data__)


@pytest.mark.gen_test
async def test_a_form_without_the_pages_token_signs_nobody_in(serving):
    await add(serving)
    for token in ("", "guessed"):
        browser = Browser(serving)
        page = await browser.post(
            SIGN_IN, {"name": "ada", "password": PASSWORD, "xsrf": token}
        )
        assert page.status == 403
        assert f"codexgate-{serving.server.port}" not in browser.cookies


@pytest.mark.gen_test
async def test_over_plain_http_a_browser_says_where_it_comes_from_or_signs_in_nobody(
    serving,
):
    await add(serving)
    browser = Browser(serving)
    page = await browser.get(SIGN_IN, sec_fetch_site="")
    assert "Sec-Fetch-Site" in page.text
    assert "password" not in page.fields
    origin = serving.base_url
    refused = await browser.post(
        SIGN_IN,
        {"name": "ada", "password": PASSWORD},
        sec_fetch_site="",
        origin=origin,
    )
    assert refused.status == 403
    assert f"codexgate-{serving.server.port}" not in browser.cookies


@pytest.mark.settings(
    dashboard="on",
    public_url="https://gw.example",
    trusted_proxies=(__import__("ipaddress").ip_network("127.0.0.1"),),
)
@pytest.mark.gen_test
async def test_behind_tls_the_cookie_is_the_hosts_and_lasts_a_month(serving):
    await add(serving)
    browser = Browser(serving)
    proxied = {
        "host": "gw.example",
        "x_forwarded_proto": "https",
        "x_forwarded_for": "192.0.2.7",
    }
    page = await browser.get(SIGN_IN, **proxied)
    sent = {"xsrf": page.fields["xsrf"], "name": "ada", "password": PASSWORD}
    done = await browser._send(
        "POST", SIGN_IN, sent, proxied | {"origin": "https://gw.example"}
    )
    assert done.status == 303
    cookie = done.headers["set-cookie"]
    for part in ("__Host-codexgate=", "Secure", "Max-Age=2592000", "SameSite=Strict"):
        assert part in cookie
    assert (await browser.get("/dashboard/users", **proxied)).status == 200
    # The same without TLS, and by a proxy's claim that nobody trusts.
    plain = await browser.get(SIGN_IN, host="gw.example")
    assert "needs https" in plain.text
    assert "password" not in plain.fields


@pytest.mark.gen_test
async def test_a_keys_holder_signs_in_with_the_key_and_sees_no_users_page(serving):
    await add(serving)
    key = await serving.add_key("laptop")
    browser = Browser(serving)
    page = await browser.post(SIGN_IN, {"key": f" {key} "})
    assert (page.status, page.headers["location"]) == (303, "/dashboard/my")
    for path in ("users", "security", "sessions", "confirm", "users/1", "accounts"):
        assert (await browser.get(f"/dashboard/{path}")).status in (403, 404), path
    refused = await Browser(serving).post(SIGN_IN, {"key": "sk-cgw-guessed"})
    assert refused.status == 403
    assert "The API key is wrong" in refused.text
    assert "sk-cgw-guessed" not in refused.html


@pytest.mark.gen_test
async def test_until_somebody_has_a_password_only_the_first_run_answers(serving):
    key = await serving.add_key("laptop")
    browser = Browser(serving)
    for path in ("", "users", "keys", "security"):
        page = await browser.get(f"/dashboard/{path}")
        assert page.headers["location"].startswith(SIGN_IN)
    assert (await browser.get(SIGN_IN)).headers["location"] == "/dashboard/first-run"
    page = await browser.get("/dashboard/first-run")
    assert "run.py dashboard link" in page.text
    page = await browser.post(SIGN_IN, {"key": key}, on="/dashboard/link")
    assert page.headers["location"] == "/dashboard/first-run"
    assert f"codexgate-{serving.server.port}" not in browser.cookies


@pytest.mark.gen_test
async def test_an_old_sign_in_is_confirmed_before_users_are_shown(serving):
    browser = await entered(serving)
    await grow_old(serving)
    page = await browser.get("/dashboard/users")
    back = "/dashboard/confirm?next=%2Fdashboard%2Fusers"
    assert (page.status, page.headers["location"]) == (303, back)
    form = await browser.follow(page)
    assert form.fields["next"] == "/dashboard/users"
    wrong = await browser.post("/dashboard/confirm", {"password": WRONG, "next": ""})
    assert wrong.status == 403
    assert (await browser.get("/dashboard/users")).status == 303
    forget_guesses(serving)
    right = await browser.post(
        "/dashboard/confirm", {"password": PASSWORD, "next": "/dashboard/users"}
    )
    assert right.headers["location"] == "/dashboard/users"
    assert (await browser.get("/dashboard/users")).status == 200


@pytest.mark.gen_test
async def test_an_old_sign_in_changes_no_user(serving):
    browser = await signed_in(serving)
    page = await browser.get("/dashboard/users")
    await grow_old(serving)
    sent = {"xsrf": page.fields["xsrf"], "name": "eve", "role": "owner"}
    done = await browser._send("POST", "/dashboard/users", sent, {})
    assert done.headers["location"].startswith("/dashboard/confirm")
    assert serving.gateway.sign_in.user_named("eve") is None


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@pytest.mark.gen_test
async def test_users_are_for_owners(serving, role):
    browser = await signed_in(serving, role)
    for path in ("/dashboard/users", "/dashboard/users/1"):
        assert (await browser.get(path)).status == 403
    sent = {"name": "eve", "role": "owner"}
    page = await browser.post("/dashboard/users", sent, on="/dashboard/sessions")
    assert page.status == 403
    assert serving.gateway.sign_in.user_named("eve") is None
