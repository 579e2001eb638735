"""Chat completions, whole and streamed."""

import json
from dataclasses import replace

import pytest

from gateway.demo import faults
from gateway.demo.events import ScriptedTurn
from tests.handlers.api.test_v1 import HELLO
from tests.serving import CHAT


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.gen_test
async def test_a_chat_that_fails_before_its_answer_gets_a_status(
    serving, upstream, stream
):
    turn = ScriptedTurn().failed("invalid_prompt", "Not this one.", param="input")
    upstream.answer(turn.answer())
    request = {"model": "gpt-5.5", "messages": HELLO, "stream": stream}
    answered = await serving.ask(CHAT, request)
    assert answered.status == 400
    assert answered.error["code"] == "invalid_prompt"
    assert answered.error["message"] == "Not this one."


@pytest.mark.gen_test
async def test_a_chat_completion(serving, upstream):
    answered = await serving.ask(CHAT, {"model": "gpt-5.5", "messages": HELLO})
    assert answered.status == 200
    assert answered.json["object"] == "chat.completion"
    (choice,) = answered.json["choices"]
    assert "hi there" in choice["message"]["content"]
    assert choice["finish_reason"] == "stop"
    assert answered.json["usage"]["prompt_tokens"] == 100
    (row,) = await serving.rows()
    assert (row["surface"], row["route"]) == ("chat", "responses")


@pytest.mark.gen_test
async def test_a_streamed_chat_completion(serving, upstream):
    body = {"model": "gpt-5.5", "messages": HELLO, "stream": True}
    body["stream_options"] = {"include_usage": True}
    answered = await serving.ask(CHAT, body)
    lines = answered.body.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    text = "".join(
        chunk["choices"][0]["delta"].get("content") or ""
        for chunk in chunks
        if chunk["choices"]
    )
    assert "hi there" in text
    assert chunks[-1]["usage"]["total_tokens"] == 120


@pytest.mark.gen_test
async def test_a_chat_stream_holds_nothing_that_is_no_chunk(serving, upstream):
    answer = ScriptedTurn().text("hello").completed().answer()
    noise = (b"retry: 3000\n\n", b": still here\n\n", b"id: 7\nevent: x\n\n")
    first, rest = answer.steps[:3], answer.steps[3:]
    answer = replace(answer, steps=(*noise, *first, *noise, *rest))
    upstream.answer(
        answer.with_headers({"content-type": "text/event-stream; x=upstream"})
    )
    body = {"model": "gpt-5.5", "messages": HELLO, "stream": True}
    answered = await serving.ask(CHAT, body)
    assert answered.headers["content-type"] == "text/event-stream"
    for block in answered.body.decode().strip().split("\n\n"):
        assert block == ": keepalive" or block.startswith("data: ")
    assert answered.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.gen_test
async def test_legacy_functions_are_answered_in_their_own_words(serving, upstream):
    upstream.answer(
        ScriptedTurn().function_call("f", {"a": 1}).completed().answer(), times=2
    )
    body = {
        "model": "gpt-5.5",
        "messages": HELLO,
        "functions": [{"name": "f", "parameters": {"type": "object"}}],
    }
    (choice,) = (await serving.ask(CHAT, body)).json["choices"]
    assert choice["message"]["function_call"]["name"] == "f"
    assert choice["finish_reason"] == "function_call"
    streamed = await serving.ask(CHAT, {**body, "stream": True})
    assert b'"function_call":{"name":"f"' in streamed.body
    assert b"tool_calls" not in streamed.body


@pytest.mark.gen_test
async def test_a_chat_stream_that_is_cut_says_so(serving, upstream):
    cut = faults.cut_after(ScriptedTurn().text("one two three").completed().answer(), 7)
    upstream.answer(cut)
    body = {"model": "gpt-5.5", "messages": HELLO, "stream": True}
    answered = await serving.ask(CHAT, body)
    assert b'"error"' in answered.body
    (error,) = [one["error"] for one in answered.events if "error" in one]
    assert (error["code"], error["origin"]) == ("stream_incomplete", "network")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "gpt-5.5"}, "messages"),
        ({"messages": HELLO}, "model"),
        ({"model": "gpt-5.5", "messages": HELLO, "tools": {}}, "tools"),
    ],
)
@pytest.mark.gen_test
async def test_a_bad_chat_request_names_its_field(serving, upstream, body, param):
    answered = await serving.ask(CHAT, body)
    assert (answered.status, answered.error["param"]) == (400, param)
    assert upstream.of() == []
