"""A key made on a page: all its rules, mistakes at their field, shown once."""

import pytest

from gateway.admin.keys import change_key
from gateway.admin.reports import audit_rows
from gateway.sign_in.users import Role
from handlers.dashboard.forms import own_page
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.forms import fill, filled, form_of, send
from tests.serving import V1

pytestmark = pytest.mark.gen_test(timeout=20)

NEW = "/dashboard/keys/new"


def token_in(page):
    """The whole key, wherever the page has it; "" for none."""
    start = page.html.find("<code>sk-cgw-")
    end = page.html.find("</code>", start)
    return page.html[start + len("<code>") : end] if start >= 0 else ""


async def audit(serving, action):
    rows = await serving.gateway.store.read(audit_rows, {"limit": 50}, 0)
    return [row for row in rows if row["action"] == action]


async def test_a_key_is_made_with_all_its_rules_and_works_at_once(serving):
    browser = await signed_in(serving, Role.OPERATOR, "olga")
    made = await fill(
        browser,
        NEW,
        name="laptop",
        limit_measure=["tokens", "cost"],
        limit_amount=["2M", "5.50"],
        limit_window=["7d", "30d"],
        limit_model=["", "gpt-5*"],
        rpm="60",
        concurrency="4",
        models="gpt-5*, o9\nGPT-6",
        accounts=["two"],
        enforce_model="gpt-5.5",
        enforce_effort="low",
        enforce_tier="flex",
        unpriced="refuse",
        expires="90 days",
        tools="refuse web_search\npass file_search surface=v1",
        aliases="nano=gpt-5.5",
    )
    assert made.status == 200
    token = token_in(made)
    [key] = serving.gateway.ring
    assert [str(one) for one in key.limits] == [
        "tokens 2000000/7d",
        "cost 5.5/30d model=gpt-5*",
    ]
    assert (key.rpm, key.concurrency, key.unpriced) == (60, 4, "refuse")
    assert key.models == ("gpt-5*", "o9", "GPT-6")
    assert key.accounts == {serving.account("two").id}
    assert (key.enforced_model, key.enforced_effort) == ("gpt-5.5", "low")
    assert key.enforced_tier == "flex"
    assert key.expires_at - key.created_at == pytest.approx(90 * 86400, abs=5)
    assert [str(rule) for rule in key.rules.tools] == [
        "refuse web_search",
        "pass file_search surface=v1",
    ]
    assert key.rules.models == {"nano": "gpt-5.5"}
    served = await serving.ask(V1, headers={"x-api-key": token})
    assert served.status == 200
    [row] = await audit(serving, "key.create")
    assert (row["actor"], row["target"]) == ("user:olga", "laptop")


async def test_a_new_key_is_shown_on_the_answer_and_nowhere_else(serving):
    browser = await signed_in(serving)
    made = await fill(browser, NEW, name="a")
    token = token_in(made)
    assert token.startswith("sk-cgw-")
    assert len(token) > 40
    assert f"api_key=&quot;{token}&quot;" in made.html  # in the lines for clients
    assert f"&quot;x-api-key&quot; = &quot;{token}&quot;" in made.html
    assert made.headers["cache-control"] == "no-store"
    assert "location" not in made.headers
    assert "set-cookie" not in made.headers
    for path in ("/dashboard/keys", "/dashboard/keys/a", "/dashboard/keys/a/change"):
        page = await browser.get(path)
        assert page.status == 200
        assert token not in page.html
        assert token[:15] in page.html or path.endswith("change")


async def test_the_lines_name_a_model_that_the_key_may_use(serving):
    browser = await signed_in(serving)
    for models, named in (("", "gpt-5.5"), ("o9, gpt-4", "o9"), ("gpt-5*", "gpt-5.5")):
        made = await fill(browser, NEW, name=f"of {models}", models=models)
        assert f"model=&quot;{named}&quot;" in made.html


async def test_a_page_loaded_again_makes_no_second_key(serving):
    browser = await signed_in(serving)
    fields = filled(form_of(await browser.get(NEW), having="once"), name="a")
    token = token_in(await send(browser, NEW, fields))
    # So that the name is free.
    await serving.gateway.store.write(change_key, "a", {"name": "b"}, "test")
    await serving.gateway.reload()
    again = await send(browser, NEW, fields)
    assert again.status == 409
    assert "sent already" in again.text
    assert token not in again.html
    assert [key.name for key in serving.gateway.ring] == ["b"]
    # What was typed is there still, with a form that counts.
    assert dict(form_of(again, having="once"))["name"] == "a"
    assert (await send(browser, NEW, form_of(again, having="once"))).status == 200


async def test_a_form_of_another_session_makes_no_key(serving):
    ada, eve = await signed_in(serving), await signed_in(serving, name="eve")
    once = dict(form_of(await ada.get(NEW), having="once"))["once"]
    refused = await fill(eve, NEW, name="a", once=once)
    assert refused.status == 409
    assert len(serving.gateway.ring) == 0


MISTAKES = (
    ({"name": " "}, "a name has 1 to 128"),
    ({"name": "taken"}, "already"),
    ({"limit_amount": ["2 millions", ""]}, "limit"),
    ({"limit_window": ["x", ""], "limit_amount": ["1", ""]}, "limit"),
    ({"limit_amount": ["-1", ""]}, "limit"),
    ({"rpm": "many"}, "no whole number"),
    ({"rpm": "0"}, "out of range"),
    ({"concurrency": "99999999"}, "out of range"),
    ({"expires": "yesterday"}, "expiry"),
    ({"enforce_effort": "Very High"}, "effort is a word"),
    ({"enforce_tier": "1"}, "tier is a word"),
    ({"models": "gpt-5*", "enforce_model": "o9"}, "not among"),
    ({"models": "x" * 200}, "models"),
    ({"tools": "drop it"}, "tool rule"),
    ({"aliases": "a=b\na=c"}, "given twice"),
    ({"unpriced": "free"}, "unpriced"),
)


async def test_a_mistake_is_told_at_its_field_and_what_was_typed_stays(serving):
    browser = await signed_in(serving)
    await serving.add_key("taken")
    for changes, told in MISTAKES:
        wanted = {"name": "new one", "expires": "3 days", **changes}
        refused = await fill(browser, NEW, **wanted)
        assert refused.status in (400, 409), told
        error = refused.html.partition('class="field-error">')[2].partition("</p>")[0]
        assert told in error
        for value in wanted.values():
            for one in value if isinstance(value, list) else value.splitlines():
                assert one.strip() in refused.html or one == "free"
    assert len(serving.gateway.ring) == 1


async def test_names_are_text(serving):
    browser = await signed_in(serving)
    name = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
    account = '"><img src=y onerror=alert(3)>'
    await serving.add_api_key_account(account)
    made = await fill(browser, NEW, name=name, models="<b>*", accounts=account)
    assert made.status == 200
    [key] = serving.gateway.ring
    assert key.name == name
    assert key.accounts == {serving.account(account).id}
    url = next(
        link
        for link in (await browser.get("/dashboard/keys")).links
        if "script" in link
    )
    pages = [
        url + action for action in ("", "/change", "/limits", "/rotate", "/remove")
    ]
    for path in ("/dashboard/keys", "/dashboard/tools?key=" + url[16:], *pages):
        page = await browser.get(path)
        assert page.status == 200, path
        assert name in page.text or path.endswith("/change")
        assert "<script>alert" not in page.html
        assert "<img" not in page.html


async def test_a_viewer_makes_no_key(serving):
    owner, viewer = await signed_in(serving), await signed_in(serving, Role.VIEWER, "v")
    assert (await viewer.get(NEW)).status == 403
    shown = await viewer.get("/dashboard/keys")
    assert shown.status == 200
    assert NEW not in shown.links
    fields = filled(form_of(await owner.get(NEW)), name="a", xsrf=shown.fields["xsrf"])
    assert (await send(viewer, NEW, fields)).status == 403
    assert len(serving.gateway.ring) == 0


async def test_the_way_on_is_a_page_of_the_dashboard(serving):
    browser = await signed_in(serving)
    made = await fill(browser, f"{NEW}?next=/dashboard/doctor", name="a")
    assert "/dashboard/doctor" in made.links
    made = await fill(browser, f"{NEW}?next=https://evil.example/", name="b")
    assert not [link for link in made.links if "evil" in link]
    made = await fill(browser, NEW, name="c", next="//evil.example/dashboard/")
    assert not [link for link in made.links if "evil" in link]


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/v1/models", "//evil.example", "https://evil.example"),
        *(
            "javascript:alert(1)",
            "/dashboard",
            "/dashboardx/",
            "/dashboard/../v1",
            "/dashboard/.%2E/v1",
        ),
        *(
            "/dashboard/\\evil",
            "/dashboard/a b",
            "/dashboard/\n",
            "/dashboard/" + "a" * 999,
        ),
    ],
)
def test_what_is_no_page_of_ours_is_no_way_on(path):
    assert own_page(path) == ""


def test_pages_of_ours_are_a_way_on():
    for path in (
        "/dashboard/",
        "/dashboard/first-run?step=doctor",
        "/dashboard/keys/a%2Fb",
    ):
        assert own_page(path) == path
