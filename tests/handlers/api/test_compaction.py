"""Compactions by their own route, for accounts of both kinds."""

import pytest

from gateway.demo import faults
from gateway.demo.answers import Cut, ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.serving import CODEX, V1, payload, user

COMPACT = CODEX + "/compact"
TOOLS = [{"type": "function", "name": "lookup", "parameters": {"type": "object"}}]
SAID = {"type": "message", **user("and more"), "id": "msg_1"}
HISTORY = [
    user("long talk"),
    {"role": "developer", "content": [{"type": "input_text", "text": "be kind"}]},
    {"role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
    SAID,
]


def unstreamed(**more):
    body = payload(input=HISTORY, tools=TOOLS, **more)
    del body["stream"], body["store"]
    return body


@pytest.mark.parametrize("path", [COMPACT, V1 + "/compact"])
@pytest.mark.gen_test
async def test_for_a_chatgpt_account_it_is_a_turn(serving, upstream, path):
    answered = await serving.ask(path, unstreamed())
    assert (answered.status, answered.headers["content-type"]) == (
        200,
        "application/json",
    )
    (received,) = upstream.of()
    assert received.path == "/backend-api/codex/responses"
    items = [*HISTORY, {"type": "compaction_trigger"}]
    expected = {**unstreamed(), "input": items, "stream": True, "store": False}
    assert received.payload == expected
    told = answered.json
    assert told.keys() == {"object", "id", "created_at", "usage", "output"}
    assert told["object"] == "response.compaction"
    *said, item = told["output"]
    assert said == [HISTORY[0], SAID]
    assert (item["type"], "encrypted_content" in item) == ("compaction", True)
    (row,) = await serving.rows()
    assert (row["route"], row["status"]) == ("compact", "success")
    assert row["input_tokens"] == told["usage"]["input_tokens"]
    assert row["response_id"] == told["id"]


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (ScriptedTurn().text("no"), "no compaction item"),
        (ScriptedTurn().compaction("a").compaction("b"), "2 compaction items"),
    ],
)
@pytest.mark.gen_test
async def test_any_other_number_of_items_is_a_clear_error(
    serving, upstream, turn, words
):
    upstream.answer(turn.completed().answer(), times=None)
    answered = await serving.ask(COMPACT, unstreamed())
    assert (answered.status, words in answered.error["message"]) == (502, True)
    assert answered.error["code"] == "upstream_protocol_error"
    assert len(upstream.of()) == 1
    assert serving.account("one").health.mark is None


@pytest.mark.gen_test
async def test_the_item_may_stand_in_the_events_alone(serving, upstream):
    turn = ScriptedTurn().compaction("zip").completed(output_in_terminal=False)
    upstream.answer(turn.answer())
    answered = await serving.ask(COMPACT, unstreamed())
    assert answered.json["output"][-1]["encrypted_content"] == "zip"


@pytest.mark.parametrize(
    "answer",
    [
        faults.usage_limit(60),
        faults.server_error(),
        ScriptedTurn().failed("rate_limit_exceeded", "slow").answer(),
        ScriptedTurn().compaction("half").answer(),
        ScriptedResponse.of([*ScriptedTurn().compaction("half").events, Cut.RESET]),
        ScriptedResponse.json({"object": "response.compaction", "output": []}),
    ],
)
@pytest.mark.gen_test
async def test_a_failure_moves_to_another_account(serving, upstream, answer):
    upstream.answer(answer, account="one", times=None)
    answered = await serving.ask(COMPACT, unstreamed())
    assert answered.status == 200
    assert upstream.of()[-1].account == "two"
    (row,) = await serving.rows()
    assert (row["status"], row["error_code"]) == ("success", None)


@pytest.mark.gen_test
async def test_the_request_s_own_fault_is_told(serving, upstream):
    turn = ScriptedTurn().failed("context_length_exceeded", "too long")
    upstream.answer(turn.answer(), times=None)
    answered = await serving.ask(COMPACT, unstreamed())
    assert answered.error["code"] == "context_length_exceeded"
    assert len(upstream.of()) == 1


@pytest.mark.gen_test
async def test_an_account_with_a_key_has_a_path_for_it(serving, upstream):
    await serving.add_api_key_account()
    await serving.pause("one", "two")
    answered = await serving.ask(COMPACT, unstreamed())
    assert (answered.status, answered.json["object"]) == (200, "response.compaction")
    (received,) = upstream.of("compact")
    assert received.path == "/v1/responses/compact"
    assert received.payload == unstreamed()


@pytest.mark.gen_test
async def test_without_a_model_it_is_refused(serving):
    answered = await serving.ask(COMPACT, unstreamed(model=None))
    assert (answered.status, answered.error["param"]) == (400, "model")
