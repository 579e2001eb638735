"""Prices: what counts, the owner's own file, what has none, and counting again."""

import json

import pytest

from gateway.admin.reports import audit_rows
from gateway.demo.events import ScriptedTurn, usage
from gateway.sign_in.users import Role
from handlers.dashboard.screens.rules.prices import Recosting
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.forms import fill, form_of, send
from tests.serving import payload

pytestmark = pytest.mark.gen_test(timeout=20)

PRICES = "/dashboard/prices"
RECOST = f"{PRICES}/recost"


def write(file, model, price, **more):
    rate = {"input": price, "output": price, **more}
    file.write_text(json.dumps({"models": [{"match": [model], "rates": [rate]}]}))


@pytest.fixture
def own(serving, io_loop):
    """A gateway with an owner's list."""
    file = serving.settings.data_dir / "prices.json"
    write(file, "house-*", 1)
    io_loop.run_sync(lambda: serving.restart(prices=file))
    return file


async def test_the_list_in_use_is_shown(serving):
    browser = await signed_in(serving, Role.VIEWER)
    page = await browser.get(PRICES)
    assert page.status == 200
    assert "There is none: the list of the release counts" in page.text
    assert "gpt-5" in page.text
    found = await browser.get(f"{PRICES}?model=gpt-5.5")
    assert "gpt-5.5" in found.text
    assert "gpt-4.1" not in found.text
    none = await browser.get(f"{PRICES}?model=%3Cscript%3E")
    assert "No price for it" in none.text
    assert "<script>" not in none.html.replace("<script src", "")
    assert (await browser.get(f"{PRICES}?page=2")).status == 200
    assert (await browser.get(f"{PRICES}?page=x&check=1y")).status == 200


async def test_an_owner_s_list_is_read_again_and_a_mistake_told(serving, own):
    browser = await signed_in(serving, Role.OPERATOR, "olga")
    assert "house-*" in (await browser.get(PRICES)).text
    write(own, "<b>other-*", 2)
    done = await fill(browser, PRICES)
    assert (done.status, done.headers["location"]) == (303, PRICES)
    assert "<b>other-*" in (await browser.get(PRICES)).text
    own.write_text('{"models": [{"match": ["a"], "<script>": 1}]}')
    wrong = await fill(browser, PRICES)
    assert wrong.status == 400
    assert "'<script>' is no field" in wrong.text
    assert "<script>'" not in wrong.html
    page = await browser.get(PRICES)
    assert "the list before it still counts" in page.text
    assert "<b>other-*" in page.text
    assert "b" not in page.tags


async def use(serving, model):
    """Have a model of that name serve a request, and use tokens."""
    answer = ScriptedTurn(model).text("hi").completed(usage(1000, 0, 0)).answer()
    serving.upstream.answer(answer)
    await serving.ask(body=payload())
    await serving.rows()


async def test_what_was_used_without_a_price_is_told(serving):
    browser = await signed_in(serving, Role.VIEWER)
    await use(serving, "gpt-99")
    page = await browser.get(f"{PRICES}?check=1d")
    assert "Used without a price" in page.text
    assert "gpt-5.5 1 1 1.00k" in page.text  # by what was asked for, in the sums
    assert "gpt-99 no price" in page.text
    assert "1 unpriced: no price" in page.text


async def test_costs_are_counted_again_after_a_dry_run(serving, own):
    browser = await signed_in(serving)
    await use(serving, "house-1")

    async def costs():
        return [row["cost_microdollars"] for row in await serving.rows()]

    assert await costs() == [1_000]
    write(own, "house-*", 2)
    await fill(browser, PRICES)
    dry = await fill(browser, RECOST, having="since", since="1d")
    assert "What would be different" in dry.text
    assert "all 1 1 $0.001000 $0.002000" in dry.text
    assert await costs() == [1_000]
    done = await send(browser, RECOST, form_of(dry, having="change"))
    assert "What was changed" in done.text
    assert await costs() == [2_000]
    [row] = await serving.gateway.store.read(audit_rows, {"limit": 1}, 0)
    assert (row["actor"], row["action"]) == ("user:ada", "prices.recost")
    again = await send(browser, RECOST, form_of(dry, having="change"))
    assert again.status == 200
    assert await costs() == [2_000]


def test_parts_of_a_recount_add_up():
    row = {"requests": 2, "changed": 1, "unpriced_before": 1, "unpriced_after": 0}
    costs = {"cost_before": 10, "cost_after": 30}
    result = Recosting()
    result.add({"models": [{"model": "a", **row, **costs}], "next": 7})
    assert (result.after, result.is_done) == (7, False)
    page = [{"model": one, **row, **costs} for one in ("a", "b")]
    result.add({"models": page, "next": None})
    assert result.is_done
    assert result.models["a"]["requests"] == 4
    assert result.whole == {name: 3 * value for name, value in {**row, **costs}.items()}


async def test_only_an_owner_counts_again_and_only_operators_reload(serving):
    operator = await signed_in(serving, Role.OPERATOR, "olga")
    viewer = await signed_in(serving, Role.VIEWER, "vera")
    page = await operator.get(PRICES)
    assert RECOST not in page.links
    for browser, path in ((operator, RECOST), (viewer, RECOST), (viewer, PRICES)):
        token = (await browser.get(PRICES)).fields["xsrf"]
        sent = [("xsrf", token), ("since", "1d"), ("change", "yes")]
        assert (await send(browser, path, sent)).status == 403
    assert (await operator.get(RECOST)).status == 403
    owner = await signed_in(serving)
    wrong = await fill(owner, RECOST, having="since", since="someday")
    assert wrong.status == 400
    wrong = await fill(owner, RECOST, having="since", since_ms="1e3")
    assert wrong.status == 400
