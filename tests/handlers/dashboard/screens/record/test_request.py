"""/dashboard/requests/ID: who does not know the gateway reads why a request failed."""

import asyncio
import json
import re

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.demo.faults import error_response
from gateway.sign_in.users import Role
from handlers.dashboard.screens.record.request import reason_words
from tests.gateway.store.store_rows import log_row
from tests.handlers.dashboard.browsing import signed_in
from tests.handlers.dashboard.screens.record.records import write
from tests.serving import CODEX, V1, next_event, payload

pytestmark = pytest.mark.gen_test

LOG = "/dashboard/requests"


async def receipt_of(serving, answered, *, part=32):
    """The page of a request that was just answered."""
    await serving.gateway.turns.wait_until_idle()
    await serving.gateway.flush()
    browser = await signed_in(serving)
    return await browser.get(f"{LOG}/{answered.headers['x-request-id'][:part]}")


async def test_all_accounts_used_up_says_so_and_what_helps(serving):
    for name in ("one", "two"):
        serving.limit(name, 3600)
    page = await receipt_of(serving, await serving.ask())
    assert page.status == 200
    for told in (
        "Why it failed",
        "The usage limits of all accounts are used up",
        "the account's login, plan or limits",
        "Wait until then, or add an account.",
        "429 usage_limit_reached",
        "Passed over one",
        "none: it reached no account",
    ):
        assert told in page.text, told
    assert "/dashboard/accounts" in page.links


async def test_a_code_that_is_not_kept_is_told_by_whose_fault_it_was(serving):
    answered = await serving.ask(V1, payload("demo:failed(a_code_of_nobody)"))
    page = await receipt_of(serving, answered)
    assert re.search(r"\b(client|account|upstream) error\b", page.text)


async def test_who_knows_nothing_of_the_gateway_reads_why_and_what_to_do(
    serving, upstream
):
    """One real failure after the other, and a person's two questions about each."""
    too_long = error_response(400, "context_length_exceeded", "Too long.")
    broken = error_response(500, "server_error", "It failed.")
    token = await serving.add_key("mine", models=["gpt-5.5"])
    headers, browser = {"x-api-key": token}, await signed_in(serving)

    async def look(status, *told, path=CODEX, **more):
        answered = await serving.ask(path, **{"headers": headers, **more})
        assert answered.status == status
        await serving.gateway.turns.wait_until_idle()
        await serving.gateway.flush()
        page = await browser.get(f"{LOG}/{answered.headers['x-request-id']}")
        for words in told:
            assert words in page.text, words
        # Where to act stands beside what to do.
        return re.findall(r'button-small" href="([^"]+)"', page.html)

    full = await serving.add_key("full", limits=["requests 1/30d"])
    await serving.ask(headers={"x-api-key": full})
    told = (429, "requests 30d limit exceeded", "or raise it: run.py keys update")
    assert "/dashboard/keys/full" in await look(*told, headers={"x-api-key": full})
    upstream.answer(too_long)
    await look(400, "longer than the model's context", "Compact it ( /compact in Codex")
    upstream.answer(broken, times=None)
    await look(500, "Upstream failed", "Send it again.", "speaks against the base URL")
    other = payload(model="gpt-5.5-mini")
    links = await look(
        403, "may use other models only", "keys update NAME --models", body=other
    )
    assert "/dashboard/keys/mine" in links
    await serving.pause("one", "two")
    links = await look(400, "All accounts are paused", "Resume one:")
    assert "/dashboard/accounts" in links
    links = await look(
        401, "The key is unknown.", "What to do", headers={"x-api-key": "sk-cgw-no"}
    )
    assert "/dashboard/keys" in links
    await look(
        404, "Not Found.", "it ends in /backend-api/codex for Codex", path="/v1/nowhere"
    )


async def test_a_failed_attempt_is_judged_and_the_account_linked(serving, upstream):
    upstream.answer(error_response(402, "insufficient_quota", "Quota."), times=None)
    page = await receipt_of(serving, await serving.ask())
    assert "quota: speaks against the account's plan or balance" in page.text
    assert "elsewhere" in page.text
    assert "tried at one" in page.text
    assert "tried at two" in page.text
    assert "insufficient_quota" in page.text
    assert "/dashboard/accounts/one" in page.links
    assert "/dashboard/accounts/two" in page.links
    assert "Whose fault" not in page.text


async def test_a_request_that_went_well_says_what_it_took_and_cost(serving):
    await serving.add_account("third")
    token = await serving.add_key("laptop")
    headers = {"x-api-key": token}
    before = await serving.ask(V1, headers=headers)
    page = await receipt_of(serving, await serving.ask(V1, headers=headers), part=8)
    assert page.status == 200
    assert "Why it failed" not in page.text
    for told in (
        "What happened",
        "first output",
        "the strategy fill_first",
        "answered",
    ):
        assert told in page.text or told == "the strategy fill_first", told
    assert "At the prices that count now" in page.text
    assert "/dashboard/keys/laptop" in page.links
    assert f"{LOG}?key=laptop" in page.links
    assert f"{LOG}/{before.headers['x-request-id']}" in page.links
    (conversation,) = {x for x in page.links if x.startswith("/dashboard/conv")} - {
        "/dashboard/conversations"
    }
    assert "%3A" in conversation


async def test_what_a_client_did_wrong_is_told_with_its_field_and_rule(serving):
    page = await receipt_of(serving, await serving.ask(V1, {"model": "gpt-5.5"}))
    assert "the request or its key" in page.text
    assert "invalid_request_error" in page.text
    assert "input" in page.text


async def test_who_hung_up_is_told_as_such(serving):
    await write(serving, row := log_row(status="interrupted", http_status=200))
    page = await (await signed_in(serving)).get(f"{LOG}/{row['request_id']}")
    assert "It was broken off" in page.text
    assert "The client hung up before the answer's end" in page.text


async def test_a_refusal_at_the_door_has_its_page_too(serving):
    await serving.add_key("mine")
    answered = await serving.ask(headers={"authorization": "Bearer sk-clb-none"})
    assert answered.status == 401
    page = await receipt_of(serving, answered, part=10)
    for told in ("Why it was refused", "401 invalid_api_key", "none that is known"):
        assert told in page.text, told
    assert "/dashboard/keys" in page.links


async def test_what_failed_just_now_is_there_although_its_row_waits(serving):
    browser = await signed_in(serving)
    for path, status in ((V1, 400), ("/v1/nowhere", 404)):
        answered = await serving.ask(path, {"model": "gpt-5.5"})
        assert answered.status == status
        page = await browser.get(f"{LOG}/{answered.headers['x-request-id']}")
        assert "What to do" in page.text


async def test_a_turn_that_runs_is_said_to_run(serving, upstream):
    begun = ScriptedTurn().text("one two").completed().events[:6]
    upstream.answer(ScriptedResponse((*begun, asyncio.Event())))
    async with serving.stream() as response:
        await next_event(response)
        browser = await signed_in(serving)
        page = await browser.get(f"{LOG}/{response.headers['x-request-id'][:6]}")
        assert page.status == 200
        assert "still running" in page.text
        assert response.headers["x-request-id"] in page.text


@pytest.mark.parametrize(
    "name",
    ["0" * 32, "abc", "x", "%20", "..%2f..", "%00%00%00%00", "a" * 4000, "resp_none"],
)
async def test_an_id_of_nothing_is_not_there(serving, name):
    await write(serving, log_row())
    page = await (await signed_in(serving)).get(f"{LOG}/{name}")
    assert page.status == 404
    assert "There is no request" in page.text


async def test_a_beginning_of_several_leads_to_each(serving):
    rows = [log_row(request_id=f"beef{number:028x}") for number in range(3)]
    await write(serving, *rows)
    page = await (await signed_in(serving)).get(f"{LOG}/BEEF")
    assert page.status == 200
    assert {f"{LOG}/{row['request_id']}" for row in rows} <= {*page.links}


async def test_a_row_of_an_earlier_release_has_a_page(serving):
    old = log_row(receipt="cut {", changes="cut [", status="error", error_code="odd")
    bare = log_row(receipt=json.dumps({"attempts": [{}]}), duration_ms=None, model=None)
    await write(serving, old, bare)
    browser = await signed_in(serving, Role.VIEWER)
    for row in (old, bare):
        assert (await browser.get(f"{LOG}/{row['request_id']}")).status == 200


async def test_the_cost_is_explained_or_said_to_be_unknown(serving):
    usage = {"input_tokens": 1_000_000, "output_tokens": 10}
    priced = log_row(cost_microdollars=7, **usage)
    unpriced = log_row(model="unheard-of", receipt={"counted": 5_000_000}, **usage)
    await write(serving, priced, unpriced)
    browser = await signed_in(serving)
    page = await browser.get(f"{LOG}/{priced['request_id']}")
    assert "the prices have changed since" in page.text
    page = await browser.get(f"{LOG}/{unpriced['request_id']}")
    assert "No price is known for this model" in page.text
    assert "$5.00" in page.text


async def test_who_may_not_open_the_doctor_is_not_sent_there(serving):
    row = log_row(
        status="error", error_code="stream_incomplete", error_origin="network"
    )
    await write(serving, row)
    for role, is_there in ((Role.VIEWER, False), (Role.OPERATOR, True)):
        browser = await signed_in(serving, role, role.value)
        page = await browser.get(f"{LOG}/{row['request_id']}")
        assert "Why it failed" in page.text
        assert ("What the doctor finds" in page.text) == is_there


async def test_what_upstream_did_not_count_is_called_an_estimate(serving):
    usage = {"input_tokens": 100, "output_tokens": 600}
    guessed = log_row(receipt={"estimated": True}, **usage)
    counted = log_row(receipt={"estimated": False}, **usage)
    await write(serving, guessed, counted)
    browser = await signed_in(serving)
    page = await browser.get(f"{LOG}/{guessed['request_id']}")
    assert "upstream told no count" in page.text
    page = await browser.get(f"{LOG}/{counted['request_id']}")
    assert "stimated" not in page.text


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (None, ""),
        ("round_robin", "by the strategy round_robin"),
        ("cache", "it has had this conversation before"),
        ("thread (stand-in)", "it stands in for the conversation's own"),
        ("turn_state", "it began this turn"),
    ],
)
def test_why_an_account_was_chosen_is_told_in_words(reason, words):
    assert reason_words(reason).startswith(words)
