"""Answers that are read whole before they are passed on, many of one key at a time."""

import asyncio
import json

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.serving import CHAT, CODEX, PATIENCE, V1, payload, until

pytestmark = pytest.mark.hostile

BUDGET = 1_000_000
FITS = 150_000  # three times into one key's share, which is half of the budget
LARGE = 10_000_000  # more than sockets hold of what nobody reads
IMAGES = f"{CODEX.rpartition('/')[0]}/images/generations"
CHAT_BODY = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hi"}]}


def document(words, go_on):
    """A picture, say, of which all but the end has come."""
    whole = json.dumps({"data": words}).encode()
    json_type = {"content-type": "application/json"}
    return ScriptedResponse.of([whole[:-1], go_on, whole[-1:]], headers=json_type)


def item(words, go_on):
    """One finished item, which is all that a fold keeps of it."""
    turn = ScriptedTurn().compaction(words).completed(output_in_terminal=False)
    created, *_, done, completed = turn.events
    return ScriptedResponse.of([created, done, go_on, completed])


def delta(words, go_on):
    """A piece of text, which is all that a chat's fold keeps of it."""
    said = {"type": "response.output_text.delta", "item_id": "m", "delta": words}
    turn = ScriptedTurn().event(said).completed()
    created, _, *rest, completed = turn.events
    return ScriptedResponse.of([created, *rest, go_on, completed])


# Route, what is asked, upstream's route, what it answers.
WHOLE = {
    "a document": (IMAGES, {"prompt": "x"}, "images", document),
    "a folded response": (V1, payload(stream=False), "responses", item),
    "a folded chat": (CHAT, CHAT_BODY, "responses", delta),
    "a compaction": (f"{CODEX}/compact", payload(), "responses", item),
}
FOLDED = ["a folded response", "a folded chat"]
EACH = pytest.mark.parametrize("name", WHOLE)


@EACH
@pytest.mark.settings(body_budget_bytes=BUDGET)
@pytest.mark.gen_test
async def test_one_keys_answers_leave_room_for_others(serving, upstream, name):
    path, body, route, answer = WHOLE[name]
    tokens = [await serving.add_key(key) for key in ("hostile", "other")]
    hostile, other = ({"x-api-key": token} for token in tokens)
    go_on, at_once = asyncio.Event(), asyncio.Event()
    at_once.set()
    upstream.answer(answer("x" * FITS, go_on), route=route, times=10)
    upstream.answer(answer("x" * FITS, at_once), route=route, times=None)
    asked = [
        asyncio.create_task(serving.ask(path, body, headers=hostile)) for _ in range(10)
    ]
    await until(lambda: sum(one.done() for one in asked) == 7)
    refused = [await one for one in asked if one.done()]
    assert {one.status for one in refused} == {503}
    assert {one.error["code"] for one in refused} == {"gateway_overloaded"}
    assert "retry-after" in refused[0].headers
    for _ in range(3):
        assert (await serving.ask(path, body, headers=other)).status == 200
    go_on.set()
    answered = [await one for one in asked]
    assert sum(one.status == 200 and len(one.body) > FITS for one in answered) == 3
    # What upstream has done counts, whether or not there was room for it.
    rows = await serving.rows(13)
    assert all(row["input_tokens"] for row in rows)
    assert serving.gateway.body_budget.used == 0


@EACH
@pytest.mark.gen_test
async def test_an_answer_counts_until_its_client_has_it(serving, upstream, name):
    path, body, route, answer = WHOLE[name]
    at_once = asyncio.Event()
    at_once.set()
    upstream.answer(answer("x" * LARGE, at_once), route=route)
    budget, sent = serving.gateway.body_budget, json.dumps(body).encode()
    reader, writer = await serving.connect()
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (path.encode(), len(sent), sent)
    )
    assert b" 200 " in await asyncio.wait_for(reader.readline(), PATIENCE)
    assert LARGE <= budget.used < LARGE + 1000
    # Nor does a folded one hold its account: upstream has nothing to do any more.
    assert name not in FOLDED or not serving.gateway.turns.running
    writer.transport.abort()
    await until(lambda: budget.used == 0)


@pytest.mark.parametrize("name", FOLDED)
@pytest.mark.settings(body_budget_bytes=BUDGET)
@pytest.mark.gen_test
async def test_one_that_could_never_fit_is_upstreams_fault(serving, upstream, name):
    path, body, route, answer = WHOLE[name]
    upstream.answer(answer("x" * BUDGET, asyncio.Event()), route=route, times=None)
    answered = await serving.ask(path, body)
    assert answered.status == 502
    assert answered.error["code"] == "upstream_protocol_error"
    assert "retry-after" not in answered.headers
    assert len(upstream.of()) == 1  # another would be as large
    assert serving.gateway.body_budget.used == 0
