"""What becomes of each type of tool: as a table, by key, and changed."""

import pytest

from gateway.admin.reports import audit_rows
from gateway.keys.request_rules import NO_RULES, parse_rules
from gateway.repository.options import shown_rules
from gateway.sign_in.users import Role
from handlers.dashboard.screens.rules.tools import tool_table
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.forms import fill, form_of, send
from tests.serving import V1, payload

TOOLS = "/dashboard/tools"


def told(table, name):
    return [(one.action, one.whose) for one in dict(table)[name]]


def test_by_default_the_defaults_hold():
    table = tool_table(NO_RULES, NO_RULES)
    assert told(table, "function") == [("pass", "")] * 4
    assert told(table, "file_search") == [("refuse", "")] * 4
    assert told(table, "image_generation") == [("strip", "")] * 2 + [("refuse", "")] * 2


def test_rules_of_all_and_of_a_key_are_told_apart():
    rules = parse_rules(
        ["pass file_search surface=v1 accounts=api_key", "refuse my_*"], []
    )
    of_key = parse_rules(["refuse file_search", "strip web_search surface=codex"], [])
    table = tool_table(rules, NO_RULES)
    refused = ("refuse", "")
    assert told(table, "file_search") == [refused, refused, refused, ("pass", "all")]
    assert told(table, "my_*") == [("refuse", "all")] * 4
    table = tool_table(rules, of_key)
    assert told(table, "file_search") == [refused, refused, refused, ("refuse", "key")]
    assert told(table, "web_search") == [("strip", "key")] * 2 + [("pass", "")] * 2


@pytest.mark.gen_test(timeout=20)
async def test_the_page_has_the_table_and_how_often_rules_were_met(serving):
    hostile = "<script>alert(1)</script>"
    tools = [{"type": "image_generation"}, {"type": hostile, "name": "x"}]
    await serving.ask(body=payload(tools=tools))
    await serving.ask(V1, payload(tools=[{"type": "code_interpreter"}]))
    await serving.gateway.flush()
    page = await (await signed_in(serving, Role.VIEWER)).get(TOOLS)
    assert page.status == 200
    assert "image_generation tool dropped" in page.text
    assert "code_interpreter is not available here" in page.text
    assert "new shape" in page.text
    assert "<script>alert" not in page.html
    assert "textarea" not in page.tags
    sent = [("xsrf", page.fields["xsrf"]), ("tools", "refuse function")]
    viewer = await signed_in(serving, Role.VIEWER, "vera")
    assert (await send(viewer, TOOLS, sent)).status == 403


@pytest.mark.gen_test(timeout=20)
async def test_a_key_s_own_rules_are_shown_for_it(serving):
    await serving.add_key("laptop", tools=["refuse function"])
    browser = await signed_in(serving)
    page = await browser.get(f"{TOOLS}?key=laptop")
    assert "Tool policy for laptop" in page.text
    assert page.text.count("the key's rule") == 4
    assert (await browser.get(f"{TOOLS}?key=nobody")).status == 404


@pytest.mark.gen_test(timeout=20)
async def test_rules_are_changed_once_they_were_confirmed(serving):
    browser = await signed_in(serving, Role.OPERATOR, "olga")
    wrong = await fill(browser, TOOLS, tools="maybe function")
    assert wrong.status == 400
    assert "tool rule" in wrong.html.partition('class="field-error">')[2]
    seen = await fill(browser, TOOLS, tools="refuse function\nstrip mcp surface=v1")
    assert serving.gateway.rules.tools == ()
    done = await send(browser, TOOLS, form_of(seen, having="seen"))
    assert (done.status, done.headers["location"]) == (303, TOOLS)
    rules = ["refuse function", "strip mcp surface=v1"]
    assert shown_rules(serving.gateway.rules)["tools"] == rules
    [row] = await serving.gateway.store.read(audit_rows, {"limit": 1}, 0)
    assert (row["actor"], row["detail"]["after"]) == ("user:olga", {"tools": rules})
