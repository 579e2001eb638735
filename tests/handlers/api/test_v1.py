"""The public surface: strict tools, one folded answer, chat completions, the SDK."""

import openai
import pytest

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.serving import CHAT, V1, payload

HELLO = [{"role": "user", "content": "hi there"}]
WEATHER = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.mark.parametrize(
    "kind",
    [
        "image_generation",
        "file_search",
        "code_interpreter",
        "computer_use",
        "computer_use_preview",
    ],
)
@pytest.mark.gen_test
async def test_v1_responses_rejects_builtin_tools(serving, upstream, kind):
    answered = await serving.ask(V1, payload(tools=[WEATHER, {"type": kind}]))
    assert answered.status == 400
    assert answered.error["param"] == "tools"
    assert answered.error["code"] == "invalid_request_error"
    assert upstream.of() == []


@pytest.mark.parametrize(
    ("path", "conversation"), [(V1, {"input": "hi"}), (CHAT, {"messages": HELLO})]
)
@pytest.mark.gen_test
async def test_what_chatgpt_refuses_is_left_out_there_and_noted(
    serving, upstream, path, conversation
):
    extras = {"top_p": 0.9, "user": "u-7", "metadata": {"trace": "t"}}
    request = {"model": "gpt-5.5", **conversation, **extras}
    assert (await serving.ask(path, request)).status == 200
    await serving.pause("one", "two")
    await serving.add_api_key_account()
    assert (await serving.ask(path, request)).status == 200
    subscription, paid = upstream.of()
    assert extras.keys().isdisjoint(subscription.payload)
    assert extras.items() <= paid.payload.items()
    noted, kept = await serving.rows(2)
    dropped = {f"{name} dropped" for name in extras}
    assert dropped <= set(noted["changes"])
    assert dropped.isdisjoint(kept["changes"])


@pytest.mark.gen_test
async def test_logprobs_are_served_by_accounts_with_a_key_only(serving, upstream):
    request = {"model": "gpt-5.5", "messages": HELLO, "logprobs": True}
    refused = await serving.ask(CHAT, request)
    assert refused.status == 400
    assert refused.error["param"] == "logprobs"
    assert refused.error["message"].startswith("Invalid request payload: logprobs ")
    assert upstream.of() == []
    await serving.add_api_key_account(priority=1000)
    token = {"token": "hi", "logprob": -0.1, "top_logprobs": []}
    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    delta = {"type": "response.output_text.delta", **place, "delta": "hi"}
    turn = ScriptedTurn().event({**delta, "logprobs": [token]}).completed()
    upstream.answer(turn.answer(), times=2)
    answered = await serving.ask(CHAT, request)
    told = {"content": [{**token, "bytes": None}], "refusal": None}
    assert answered.json["choices"][0]["logprobs"] == told
    streamed = await serving.ask(CHAT, request | {"stream": True})
    assert b'"logprobs":{"content":[{"token":"hi"' in streamed.body
    for received in upstream.of():
        assert received.account == "fake-api-key"
        assert received.payload["include"] == ["message.output_text.logprobs"]
    row, *_ = await serving.rows(3)
    assert row["error_message"] == refused.error["message"]


@pytest.mark.gen_test
async def test_without_stream_the_answer_is_one_response(serving, upstream):
    turn = ScriptedTurn().reasoning("hm", "sealed").text("hello").completed()
    upstream.answer(turn.answer())
    answered = await serving.ask(V1, {"model": "gpt-5.5", "input": "hi"})
    assert answered.status == 200
    assert answered.headers["content-type"] == "application/json"
    assert answered.json == turn.events[-1]["response"]
    sent = upstream.of()[0].payload
    assert sent["stream"] is True
    assert sent["instructions"] == ""
    assert sent["store"] is False
    assert sent["prompt_cache_key"]
    (row,) = await serving.rows()
    assert (row["surface"], row["status"]) == ("v1", "success")


@pytest.mark.gen_test
async def test_an_empty_output_is_put_together_from_the_items(serving, upstream):
    turn = ScriptedTurn().text("hello").completed(output_in_terminal=False)
    upstream.answer(turn.answer())
    answered = await serving.ask(V1, {"model": "gpt-5.5", "input": "hi"})
    assert answered.json["output"] == turn.output


@pytest.mark.gen_test
async def test_a_whole_answer_in_place_of_a_stream_is_taken_from_paid_accounts(
    serving, upstream
):
    turn = ScriptedTurn().text("hello").completed()
    whole = ScriptedResponse.json(turn.events[-1]["response"])
    upstream.answer(whole, times=None)
    request = {"model": "gpt-5.5", "input": "hi"}
    assert (await serving.ask(V1, request)).status == 502
    await serving.pause("one", "two")
    await serving.add_api_key_account()
    folded = await serving.ask(V1, request)
    assert folded.json == turn.events[-1]["response"]
    streamed = await serving.ask(V1, request | {"stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.types[0] == "response.created"
    assert streamed.text == "hello"
    chat = await serving.ask(CHAT, {"model": "gpt-5.5", "messages": HELLO})
    assert chat.json["choices"][0]["message"]["content"] == "hello"
    rows = await serving.rows(4)
    assert [row["output_tokens"] > 0 for row in rows] == [False, True, True, True]


@pytest.mark.gen_test
async def test_a_whole_answer_that_is_an_error_is_one(serving, upstream):
    await serving.pause("one", "two")
    await serving.add_api_key_account()
    error = {"message": "too long", "code": "context_length_exceeded"}
    for document in (
        {"error": error},
        {"object": "response", "status": "failed", "output": [], "error": error},
    ):
        upstream.answer(ScriptedResponse.json(document))
        answered = await serving.ask(V1, {"model": "gpt-5.5", "input": "hi"})
        assert answered.status == 400
        assert answered.error["code"] == "context_length_exceeded"
    upstream.answer(ScriptedResponse.json({"hello": "world"}), times=None)
    answered = await serving.ask(V1, {"model": "gpt-5.5", "input": "hi"})
    assert answered.error["code"] == "upstream_protocol_error"


@pytest.mark.settings(keepalive_interval=0.01)
@pytest.mark.gen_test
async def test_keepalives_do_not_get_into_a_folded_answer(serving, upstream):
    upstream.answer(
        faults.with_silence(ScriptedTurn().text("hello").completed().answer(), 0.1, 6)
    )
    answered = await serving.ask(V1, {"model": "gpt-5.5", "input": "hi"})
    assert answered.json["status"] == "completed"


@pytest.mark.parametrize("path", [V1, CHAT])
@pytest.mark.gen_test
async def test_a_folded_answer_that_was_cut_is_an_error(serving, upstream, path):
    cut = faults.cut_after(ScriptedTurn().text("one two three").completed().answer(), 7)
    upstream.answer(cut)
    body = {"model": "gpt-5.5", "input": "hi"}
    if path == CHAT:
        body = {"model": "gpt-5.5", "messages": HELLO}
    answered = await serving.ask(path, body)
    assert answered.status == 502
    assert answered.error["code"] == "stream_incomplete"
    assert answered.error["request_id"] == answered.headers["x-request-id"]
    (row,) = await serving.rows()
    assert (row["status"], row["error_code"]) == ("error", "stream_incomplete")
    assert len(upstream.of()) == 1


@pytest.mark.gen_test
async def test_the_sdk_s_errors_are_what_they_should_be(serving, upstream):
    base = serving.base_url + "/v1"
    async with openai.AsyncOpenAI(base_url=base, api_key="x", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(
                model="gpt-5.5", input="x", tools=[{"type": "file_search"}]
            )
        assert caught.value.param == "tools"
        upstream.answer(faults.server_error(), times=None)
        with pytest.raises(openai.InternalServerError):
            await client.responses.create(model="gpt-5.5", input="x")
        with pytest.raises(openai.NotFoundError):
            await client.files.list()


@pytest.mark.gen_test
async def test_messages_become_input(serving, upstream):
    body = {"model": "gpt-5.5", "messages": HELLO, "stream": True}
    answered = await serving.ask(V1, body)
    assert "hi there" in answered.text
    assert "messages" not in upstream.of()[0].payload
