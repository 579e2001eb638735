"""The overview: of a gateway with nothing, of one that has answered turns."""

import pytest

from gateway.sign_in.users import Role
from gateway.store.log.minutes import MINUTE_MS
from handlers.dashboard.screens.overview import MINUTES, by_minute, sum_of_hour
from tests.handlers.dashboard.browsing import signed_in
from tests.serving import CODEX, payload

ATTACK = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
SINCE = 1_800_000_000_000 // MINUTE_MS * MINUTE_MS


def row(minute, origin="", requests=1, **sums):
    zero = dict.fromkeys(
        (
            *("switches", "unpriced", "input_tokens", "cached_tokens"),
            *("output_tokens", "cost_microdollars"),
        ),
        0,
    )
    start = SINCE + minute * MINUTE_MS
    return {"start": start, "origin": origin, "requests": requests, **zero, **sums}


def test_an_hour_is_the_sum_of_its_minutes():
    rows = [
        row(0, requests=5, input_tokens=900, cached_tokens=600, output_tokens=30),
        row(0, "upstream", 2),
        row(59, "client", 3),
        row(59, requests=1, switches=1, cost_microdollars=7),
    ]
    hour = sum_of_hour(rows)
    assert (hour["requests"], hour["failed"], hour["switches"]) == (11, 5, 1)
    assert list(hour["by_origin"].items()) == [("client", 3), ("upstream", 2)]
    minutes = by_minute(rows, SINCE)
    assert len(minutes) == MINUTES
    first, *between, last = minutes
    assert first["by_origin"] == {"": 5, "upstream": 2}
    assert (first["read"], first["cached"], first["written"]) == (300, 600, 30)
    assert last["by_origin"] == {"client": 3, "": 1}
    assert all(one["by_origin"] == {} for one in between)
    assert [one["at"] for one in minutes[:2]] == [SINCE // 1000, SINCE // 1000 + 60]


@pytest.mark.gen_test
@pytest.mark.accounts
async def test_a_gateway_with_nothing_says_what_comes_first(serving):
    page = await (await signed_in(serving)).get("/dashboard/")
    assert page.status == 200
    assert "There is no account yet" in page.text
    assert "no account is in service" in page.text
    assert "No key was ever made" in page.text


@pytest.mark.gen_test
async def test_turns_are_seen_with_their_tokens_and_accounts(serving):
    await serving.ask(CODEX, payload("demo:usage(50000; 800; 40000)"))
    await serving.ask(CODEX, payload("demo:failed(server_error)"))
    await serving.rows(2)
    page = await (await signed_in(serving, Role.VIEWER)).get("/dashboard/")
    assert "Turns, last hour 2 50 % without an error" in page.text
    assert "Errors, last hour 1 1 upstream" in page.text
    assert "80 %" in page.text
    assert {"/dashboard/accounts/one", "/dashboard/accounts/two"} <= set(page.links)
    assert page.tags.count("h1") == 1


@pytest.mark.gen_test
@pytest.mark.accounts(ATTACK)
async def test_names_from_outside_are_text(serving):
    serving.account(ATTACK).health.require_login("401: " + ATTACK)
    page = await (await signed_in(serving)).get("/dashboard/")
    assert f"{ATTACK} needs a new login" in page.text
    assert "img" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)


@pytest.mark.gen_test
async def test_it_renews_a_part_of_itself(serving):
    browser = await signed_in(serving)
    page = await browser.get("/dashboard/")
    assert ("hx-get", "/dashboard/") in page.attributes
    part = await browser.get("/dashboard/", hx_request="true")
    assert part.html.startswith('<div class="stack" id="overview"')
    assert "html" not in part.tags
    assert "What is left" in part.text
