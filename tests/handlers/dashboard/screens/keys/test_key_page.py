"""One key's page, and its limits raised, added and dropped."""

import pytest

from gateway.admin.reports import audit_rows
from gateway.sign_in.users import Role
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.forms import fill, filled, form_of, send
from tests.serving import V1

pytestmark = pytest.mark.gen_test(timeout=20)

KEY = "/dashboard/keys/laptop"


def limits(serving):
    [key] = serving.gateway.ring
    return list(map(str, key.limits))


async def confirm(browser, path, shown):
    """The answer to the page that shows before and after."""
    assert shown.status == 200, shown.text
    return await send(browser, path, form_of(shown, having="seen"))


async def test_a_key_s_page_says_what_it_may_and_has_used(serving):
    browser = await signed_in(serving, Role.VIEWER)
    token = await serving.add_key(
        "laptop",
        limits=["tokens 1M/7d"],
        models=["gpt-5*"],
        accounts=["two"],
        enforce_effort="low",
        rpm=60,
        tools=["refuse web_search"],
        aliases=["nano=gpt-5.5"],
    )
    await serving.ask(V1, headers={"x-api-key": token})
    page = await browser.get(KEY)
    assert page.status == 200
    for words in (
        *("Tokens per week", "gpt-5*", "two", "low", "refuse web_search"),
        *("nano=gpt-5.5", "Requests a minute", "1 of 60", token[:15], "sk-cgw-..."),
    ):
        assert words in page.text
    assert token not in page.html
    assert f"{serving.base_url}/backend-api/codex" in page.html
    for action in ("change", "rotate", "limits", "remove", "reset"):
        assert f"{KEY}/{action}" not in page.links or action in ("limits", "reset")
        asked = await browser.get(f"{KEY}/{action}")
        assert asked.status == 403, action


async def test_a_limit_is_raised_once_it_was_confirmed(serving):
    browser = await signed_in(serving, Role.OPERATOR, "olga")
    await serving.add_key(
        "laptop", limits=["tokens 2M/7d", "tokens 5M/7d model=gpt-5*"]
    )
    path = f"{KEY}/limits"
    shown = await fill(browser, path, having="amount", amount="1M")
    assert "tokens 2000000/7d" in shown.text
    assert "tokens 3000000/7d" in shown.text
    assert limits(serving)[0] == "tokens 2000000/7d"
    done = await confirm(browser, path, shown)
    assert (done.status, done.headers["location"]) == (303, KEY)
    assert limits(serving) == ["tokens 3000000/7d", "tokens 5000000/7d model=gpt-5*"]
    [row] = await serving.gateway.store.read(audit_rows, {"limit": 1}, 0)
    assert (row["actor"], row["action"]) == ("user:olga", "key.update")
    assert row["detail"]["after"]["limits"] == limits(serving)


async def test_a_limit_is_added_and_dropped(serving):
    browser = await signed_in(serving)
    await serving.add_key("laptop", limits=["tokens 2M/7d"])
    path = f"{KEY}/limits"
    shown = await fill(
        browser,
        path,
        having="limit_amount",
        limit_measure="cost",
        limit_amount="5.50",
        limit_window="30d",
        limit_model="gpt-5*",
    )
    await confirm(browser, path, shown)
    assert limits(serving) == ["tokens 2000000/7d", "cost 5.5/30d model=gpt-5*"]
    page = await browser.get(path)
    drop = [
        form for form in (form_of(page, having="limit", number=n) for n in range(4))
    ]
    [first] = [one for one in drop if ("what", "drop") in one and "tokens" in str(one)]
    await confirm(browser, path, await send(browser, path, first))
    assert limits(serving) == ["cost 5.5/30d model=gpt-5*"]


@pytest.mark.parametrize(
    ("what", "changes", "told"),
    [
        ("amount", {"amount": "lots"}, "write MEASURE +AMOUNT"),
        ("amount", {"amount": "-9M"}, "nothing would be left"),
        ("amount", {"amount": "1", "limit": "tokens 9/7d"}, "not there any more"),
        ("limit_amount", {"limit_amount": "x"}, "write MEASURE AMOUNT"),
        ("limit_amount", {"limit_amount": "1", "limit_window": "7d"}, "already"),
    ],
)
async def test_a_mistake_about_a_limit_is_told(serving, what, changes, told):
    browser = await signed_in(serving)
    await serving.add_key("laptop", limits=["tokens 2M/7d"])
    refused = await fill(browser, f"{KEY}/limits", having=what, **changes)
    assert refused.status == 400
    assert told in refused.text
    assert limits(serving) == ["tokens 2000000/7d"]


async def test_what_changed_meanwhile_is_shown_again(serving):
    browser = await signed_in(serving)
    await serving.add_key("laptop", limits=["tokens 2M/7d"])
    path = f"{KEY}/change"
    shown = await fill(browser, path, rpm="60")
    await serving.change_key("laptop", rpm=7)
    again = await confirm(browser, path, shown)
    assert again.status == 409
    assert "meanwhile" in again.text
    [key] = serving.gateway.ring
    assert key.rpm == 7
    await send(browser, path, form_of(again, having="seen"))
    [key] = serving.gateway.ring
    assert key.rpm == 60


async def test_rules_are_changed_once_before_and_after_were_seen(serving):
    browser = await signed_in(serving, Role.OPERATOR, "olga")
    await serving.add_key("laptop", limits=["tokens 2M/7d"], models=["gpt-5*"])
    path = f"{KEY}/change"
    shown = await fill(
        browser, path, name="desk", models="", accounts=["two"], expires="30 days"
    )
    for words in ("Change laptop", "desk", "gpt-5*", "none", "two", "Expires"):
        assert words in shown.text
    assert [key.name for key in serving.gateway.ring] == ["laptop"]
    done = await confirm(browser, path, shown)
    assert (done.status, done.headers["location"]) == (303, "/dashboard/keys/desk")
    [key] = serving.gateway.ring
    assert (key.name, key.models) == ("desk", ())
    assert key.accounts == {serving.account("two").id}
    [row] = await serving.gateway.store.read(audit_rows, {"limit": 1}, 0)
    assert (row["actor"], row["target"]) == ("user:olga", "laptop")
    assert set(row["detail"]["after"]) == {"name", "models", "accounts", "expires_at"}


async def test_the_way_back_keeps_what_was_typed(serving):
    browser = await signed_in(serving)
    await serving.add_key("laptop", limits=["tokens 2M/7d"])
    path = f"{KEY}/change"
    shown = await fill(browser, path, rpm="60", limit_amount=["3M", "", ""])
    fields = form_of(shown, having="seen")
    back = await send(browser, path, [*fields, ("edit", "yes")])
    assert back.status == 200
    typed = form_of(back, having="rpm")
    assert ("rpm", "60") in typed
    assert ("limit_amount", "3M") in typed
    [key] = serving.gateway.ring
    assert key.rpm is None
    assert not {"seen", "edit"} & set(dict(typed))


async def test_a_change_that_is_none_is_told(serving):
    browser = await signed_in(serving)
    await serving.add_key("laptop", limits=["tokens 2M/7d"], rpm=3)
    told = await fill(browser, f"{KEY}/change")
    assert told.status == 400
    assert "Nothing would change" in told.text
    wrong = await fill(browser, f"{KEY}/change", aliases="a=b=c", rpm="4")
    assert wrong.status == 400
    assert "alias" in wrong.html.partition('class="field-error">')[2]
    assert dict(form_of(wrong, having="rpm"))["rpm"] == "4"
    rows = await serving.gateway.store.read(audit_rows, {"limit": 9}, 0)
    assert [row["action"] for row in rows][:1] == ["key.create"]


async def test_names_that_a_path_cannot_have_are_reached(serving):
    browser = await signed_in(serving)
    for name in ("..", ".", "new", "a/b", "100%?#&", "ключ"):
        await serving.add_key(name)
    page = await browser.get("/dashboard/keys")
    links = [link for link in page.links if link.startswith("/dashboard/keys/")]
    links.remove("/dashboard/keys/new")
    assert len(links) == 6
    names = set()
    for link in links:
        shown = await browser.get(link)
        assert shown.status == 200, link
        names.add(shown.html.partition("<h1>")[2].partition(" <")[0])
    assert names == {"..", ".", "new", "a/b", "100%?#&amp;", "ключ"}


async def test_a_form_may_be_sent_from_the_page_alone(serving):
    browser = await signed_in(serving)
    await serving.add_key("laptop")
    page = await browser.get(KEY)
    fields = filled(form_of(page), switch="disable", xsrf="guessed")
    assert (await send(browser, KEY, fields)).status == 403
    [key] = serving.gateway.ring
    assert not key.disabled
