"""The live page: what runs, in which order, who may end it; all words are text."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.sign_in.users import Role
from handlers.dashboard.screens.live import MOST_LIVE_ROWS
from tests.handlers.admin.operators import audit
from tests.handlers.dashboard.browsing import signed_in
from tests.serving import next_event, payload, until

pytestmark = pytest.mark.gen_test(timeout=30)

TURN = ScriptedTurn().text("one two three").completed()
BEGUN = TURN.events[:6]
LIVE = "/dashboard/live"
ATTACK = "\"><img src=x onerror=alert(1)><script>alert('2')</script>"


def hanging():
    return ScriptedResponse((*BEGUN, asyncio.Event()))


async def begun(serving, upstream, stack, **more):
    """A turn that goes on for as long as the stack does; its id."""
    upstream.answer(hanging())
    response = await stack.enter_async_context(serving.stream(**more))
    await next_event(response)
    return response.headers["x-request-id"]


async def test_a_running_turn_and_a_socket_are_shown(serving, upstream):
    token = await serving.add_key("bob")
    browser = await signed_in(serving, Role.VIEWER)
    operator = await signed_in(serving, Role.OPERATOR, "bob")
    headers = {"x-api-key": token, "user-agent": "tester/1"}
    async with AsyncExitStack() as stack:
        id = await begun(serving, upstream, stack, headers=headers)
        await stack.enter_async_context(serving.socket(headers=headers))
        page = await browser.get(LIVE)
        assert page.status == 200
        for part in (id[:8], "answering", "one", "bob", "gpt-5.5"):
            assert part in page.text
        assert "tester/1" in page.text
        assert "Open for" in page.text
        assert f"/dashboard/requests/{id}" in page.links
        # A viewer looks; what only others may do or see is not there.
        assert f"{LIVE}/{id}/cut" not in page.links
        assert "127.0.0.1" not in page.html
        assert "127.0.0.1" in (await operator.get(LIVE)).text
        assert ("sse-connect", f"{LIVE}/events?sort=age") in page.attributes
        # Without a script it is a snapshot, and can be loaded again.
        assert f"{LIVE}?sort=age" in page.links
    await until(lambda: not serving.gateway.turns.running)
    page = await browser.get(f"{LIVE}?still=1")
    assert "No turn is running" in page.text
    assert "sse-connect" not in dict(page.attributes)


async def test_words_of_clients_are_text(serving, upstream):
    browser = await signed_in(serving, Role.OPERATOR)
    key = await serving.add_key(ATTACK)
    headers = {"x-api-key": key, "user-agent": ATTACK}
    serving.account("one").name = ATTACK
    async with AsyncExitStack() as stack:
        id = await begun(serving, upstream, stack, headers=headers)
        ((exchange, _),) = serving.gateway.turns.running.items()
        exchange.model = ATTACK
        for path in (LIVE, f"{LIVE}/{id}/cut"):
            page = await browser.get(path)
            assert page.text.count("<script>alert('2')</script>") >= 4
            assert "img" not in page.tags
            assert "onerror" not in dict(page.attributes)
        async with browser.stream(f"{LIVE}/events") as events:
            block = await next_event(events)
            while b"event: now" not in block:
                block = await next_event(events)
            assert b"&lt;script&gt;" in block
            assert b"<script" not in block
            assert b"<img" not in block


async def test_the_longest_running_or_silent_go_first(serving, upstream):
    browser = await signed_in(serving)
    gate = asyncio.Event()
    upstream.answer(ScriptedResponse((*BEGUN, gate, TURN.events[6], asyncio.Event())))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving.stream())
        await next_event(first)
        second = await begun(serving, upstream, stack)
        ids = {first.headers["x-request-id"]: "first", second: "second"}

        async def order(path):
            links = (await browser.get(path)).links
            named = (link.split("/")[3] for link in links if link.endswith("/cut"))
            return [ids[name] for name in named]

        gate.set()
        for _ in range(4):
            await next_event(first)
        assert await order(LIVE) == ["first", "second"]
        while await order(f"{LIVE}?sort=silence") != ["second", "first"]:
            pass
        refused = await browser.get(f"{LIVE}?sort=luck")
        assert refused.status == 400
        assert "age, silence" in refused.text


async def test_at_most_fifty_are_shown_and_the_number_of_all(serving, upstream):
    browser = await signed_in(serving, Role.OPERATOR)
    upstream.answer(hanging(), times=None)
    async with AsyncExitStack() as stack:
        for number in range(MOST_LIVE_ROWS + 2):
            cache = payload(prompt_cache_key=f"{number}")
            await stack.enter_async_context(serving.stream(body=cache))
        page = await browser.get(LIVE)
        cuts = [link for link in page.links if link.endswith("/cut")]
        assert len(cuts) == MOST_LIVE_ROWS
        assert f"The first {MOST_LIVE_ROWS} of {MOST_LIVE_ROWS + 2}" in page.text


async def test_an_operator_stops_a_turn_once_it_is_confirmed(serving, upstream):
    browser = await signed_in(serving, Role.OPERATOR, "ada")
    upstream.answer(hanging())
    asking = asyncio.create_task(serving.ask())
    await until(lambda: serving.gateway.turns.running)
    ((exchange, _),) = serving.gateway.turns.running.items()
    path = f"{LIVE}/{exchange.request.client.request_id}/cut"
    page = await browser.get(path)
    assert "Stop this turn?" in page.text
    assert len(serving.gateway.turns.running) == 1  # looking changes nothing
    await until(lambda: exchange.response_bytes)
    done = await browser.post(path)
    assert (done.status, done.headers["location"]) == (303, LIVE)
    last = (await asking).events[-1]
    assert last["type"] == "response.failed"
    assert "stopped by the operator" in last["response"]["error"]["message"]
    told = ("user:ada", "turn.cut", exchange.request.client.request_id)
    assert (await audit(serving))[-1] == told
    gone = await browser.get(path)
    assert gone.status == 404
    assert "no running turn" in gone.text.lower()


async def test_a_viewer_stops_nothing(serving, upstream):
    browser = await signed_in(serving, Role.VIEWER)
    async with AsyncExitStack() as stack:
        id = await begun(serving, upstream, stack)
        path = f"{LIVE}/{id}/cut"
        assert (await browser.get(path)).status == 403
        assert (await browser.post(path, on=LIVE)).status == 403
        assert len(serving.gateway.turns.running) == 1
