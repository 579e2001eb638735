"""The turns that run, and what a client gets whose turn the operator stops."""

import asyncio

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from gateway.store.models import AuditLog
from tests.handlers.admin.operators import audit
from tests.serving import (
    CHAT,
    CODEX,
    V1,
    next_event,
    payload,
    rest_of_turn,
    turn_on,
    until,
)

pytestmark = pytest.mark.gen_test(timeout=30)

WORDS = "stopped by the operator"
TURN = ScriptedTurn().text("one two three").completed()
BEGUN = TURN.events[:6]  # with the first output
CHAT_BODY = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hi"}]}


def hanging(*events):
    """An answer that goes on for ever, for all that is asked."""
    return ScriptedResponse((*events, asyncio.Event()))


async def only_turn(operator, phase, **more):
    """The one turn that runs, once it is in this phase."""
    while True:
        turns = (await operator.get("/api/turns"))["turns"]
        if [one["phase"] for one in turns] == [phase]:
            return turns[0]


async def cut(operator, name):
    return await operator.post(f"/api/turns/{name}/cut")


async def test_a_running_turn_is_shown(serving, operator, upstream):
    upstream.answer(hanging(*BEGUN))
    token = await serving.add_key("bob")
    headers = {"x-api-key": token, "user-agent": "tester/1"}
    async with serving.stream(headers=headers) as response:
        await next_event(response)
        shown = await only_turn(operator, "answering")
        assert shown["id"] == response.headers["x-request-id"]
        assert (shown["key"], shown["account"]) == ("bob", "one")
        assert (shown["model"], shown["failed_attempts"]) == ("gpt-5.5", 0)
        assert (shown["surface"], shown["transport"]) == ("codex", "http")
        assert (shown["client"], shown["user_agent"]) == ("127.0.0.1", "tester/1")
        assert 0 <= shown["silence"] <= shown["age"] < 20
        assert shown["request_bytes"] > 0 < shown["response_bytes"]
    await until(lambda: not serving.gateway.turns.running)
    assert (await operator.get("/api/turns"))["turns"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [(CODEX, None), (V1, payload(stream=False)), (CHAT, CHAT_BODY)],
    ids=["codex", "v1", "chat"],
)
async def test_before_any_output_it_is_an_error(
    serving, operator, upstream, path, body
):
    upstream.answer(hanging(*TURN.events[:2]))
    asking = asyncio.create_task(serving.ask(path, body))
    turn = await only_turn(operator, "thinking")
    assert (await cut(operator, turn["id"])).status == 200
    answered = await asking
    assert (answered.status, answered.error["code"]) == (400, "stopped_by_operator")
    assert WORDS in answered.error["message"]
    (row,) = await serving.rows()
    told = (row["status"], row["error_code"], row["error_origin"])
    assert told == ("error", "stopped_by_operator", "gateway")
    assert row["input_tokens"] > 0  # which upstream has read
    assert len(upstream.of()) == 1  # it was not tried again
    assert (await audit(serving))[-1] == ("api", "turn.cut", turn["id"])


@pytest.mark.parametrize(
    ("path", "body"),
    [(V1, payload(stream=False)), (CHAT, CHAT_BODY)],
    ids=["v1", "chat"],
)
async def test_a_folded_answer_is_an_error_later_too(
    serving, operator, upstream, path, body
):
    upstream.answer(hanging(*BEGUN))
    asking = asyncio.create_task(serving.ask(path, body))
    await cut(operator, (await only_turn(operator, "answering"))["id"])
    answered = await asking
    assert (answered.status, answered.error["code"]) == (400, "invalid_prompt")
    assert WORDS in answered.error["message"]
    (row,) = await serving.rows()
    told = (row["http_status"], row["error_code"], row["error_origin"])
    assert told == (400, "stopped_by_operator", "gateway")
    assert WORDS in row["error_message"]


@pytest.mark.parametrize("path", [CODEX, V1])
async def test_inside_a_stream_it_is_the_last_event(serving, operator, upstream, path):
    upstream.answer(hanging(*BEGUN))
    asking = asyncio.create_task(serving.ask(path))
    await cut(operator, (await only_turn(operator, "answering"))["id"][:8])
    answered = await asking
    assert answered.status == 200
    assert answered.events[:-1] == BEGUN
    last = answered.events[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["id"] == TURN.id
    # A code upon which Codex neither repeats the turn nor hides the message.
    assert last["response"]["error"]["code"] == "invalid_prompt"
    assert WORDS in last["response"]["error"]["message"]
    (row,) = await serving.rows()
    assert (row["status"], row["error_code"]) == ("error", "stopped_by_operator")
    assert row["output_tokens"] > 0  # upstream has worked for it
    assert row["receipt"]["estimated"]


async def test_a_chat_s_stream_says_it_as_an_error(serving, operator, upstream):
    upstream.answer(hanging(*BEGUN))
    asking = asyncio.create_task(serving.ask(CHAT, {**CHAT_BODY, "stream": True}))
    await cut(operator, (await only_turn(operator, "answering"))["id"])
    assert WORDS in (await asking).body.decode()


@pytest.mark.parametrize("path", [CODEX, V1])
async def test_a_socket_stays_whatever_is_stopped_on_it(
    serving, operator, upstream, path
):
    for plan in (hanging(*TURN.events[:2]), hanging(*BEGUN), TURN.answer()):
        upstream.answer(plan)
    async with serving.socket(path) as ws:
        await ws.send_json({"type": "response.create", **payload()})
        first = await only_turn(operator, "thinking")
        await cut(operator, first["id"])
        error = (await rest_of_turn(ws))[-1]
        assert (error["type"], error["status"]) == ("error", 400)
        assert error["error"]["code"] == "stopped_by_operator"
        await ws.send_json({"type": "response.create", **payload()})
        await cut(operator, (await only_turn(operator, "answering"))["id"])
        failed = (await rest_of_turn(ws))[-1]
        assert failed["type"] == "response.failed"
        assert failed["response"]["error"]["code"] == "invalid_prompt"
        assert WORDS in failed["response"]["error"]["message"]
        # Nothing of the stopped ones comes with the next.
        assert await turn_on(ws) == TURN.events
    assert [row["status"] for row in await serving.rows(3)] == [
        *("error", "error"),
        "success",
    ]


async def test_a_turn_is_stopped_without_the_database_too(serving, operator, upstream):
    await serving.gateway.store.write(AuditLog.drop_table)  # what it says is trouble
    upstream.answer(hanging(*BEGUN))
    asking = asyncio.create_task(serving.ask(V1))
    turn = await only_turn(operator, "answering")
    assert (await cut(operator, turn["id"])).json["id"] == turn["id"]
    assert WORDS in (await asking).body.decode()


async def test_a_compaction_can_be_stopped(serving, operator, upstream):
    upstream.answer(hanging(*BEGUN))
    asking = asyncio.create_task(serving.ask(f"{CODEX}/compact"))
    await cut(operator, (await only_turn(operator, "accepted"))["id"])
    assert (await asking).error["code"] == "stopped_by_operator"


async def test_a_client_that_has_left_is_not_made_to_stay(serving, upstream):
    upstream.answer(hanging(*BEGUN))
    turns = serving.gateway.turns
    async with serving.stream() as response:
        await next_event(response)
        ((exchange, task),) = turns.running.items()
        turns.stop(exchange)
        task.cancel()  # as its connection's end does
        (row,) = await serving.rows()
    assert row["status"] == "interrupted"


@pytest.mark.accounts("one")
async def test_a_turn_that_waits_for_an_account_can_be_stopped(
    serving, operator, upstream
):
    serving.account("one").concurrency = 1
    upstream.answer(hanging(*BEGUN))
    async with serving.stream() as response:
        await next_event(response)
        waiting = asyncio.create_task(serving.ask(V1))
        await until(lambda: serving.gateway.pool.waiting)
        turns = (await operator.get("/api/turns"))["turns"]
        assert [one["phase"] for one in turns] == ["answering", "waiting"]
        await cut(operator, turns[1]["id"])
        assert (await waiting).error["code"] == "stopped_by_operator"
        assert serving.gateway.pool.waiting == 0


async def test_who_is_not_there_is_not_cut(serving, operator, upstream):
    upstream.answer(hanging(*BEGUN), times=None)
    answered = await cut(operator, "0123456789abcdef")
    assert (answered.status, answered.error["code"]) == (404, "not_found")
    async with serving.stream() as response:
        await next_event(response)
        id = response.headers["x-request-id"]
        for name in (id[:3], id + "0", "zzzz"):
            assert (await cut(operator, name)).status == 404
        assert len(serving.gateway.turns.running) == 1
        again = [await cut(operator, id), await cut(operator, id)]
        assert again[0].status == 200  # the second may come after its end
    rows = await serving.rows()
    assert rows[0]["error_code"] == "stopped_by_operator"
