"""POST …/responses on the Codex surface: what goes up, what comes down."""

import asyncio
import json

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.serving import CODEX, payload

ALIAS = "/backend-api/codex/v1/responses"
IMAGE_TOOL = {"type": "image_generation", "output_format": "png"}
SHELL = {"type": "function", "name": "shell", "parameters": {"type": "object"}}


@pytest.mark.parametrize("path", [CODEX, ALIAS])
@pytest.mark.gen_test
async def test_a_turn_streams_through(serving, upstream, path):
    answered = await serving.ask(path, payload("good morning"))
    assert answered.status == 200
    assert answered.headers["content-type"].startswith("text/event-stream")
    assert answered.headers["cache-control"] == "no-cache, no-transform"
    assert answered.headers["x-accel-buffering"] == "no"
    assert answered.types[-1] == "response.completed"
    assert "good morning" in answered.text
    assert upstream.of()[0].path == "/backend-api/codex/responses"


@pytest.mark.gen_test
async def test_the_client_s_bytes_go_upstream_as_they_are(serving, upstream):
    odd = json.dumps(payload("grüße \u2028"), indent=3).encode().replace(b"r", b"r", 1)
    odd = odd.replace(b'"hi', b'"\\u0068i') + b" \n"
    await serving.ask(CODEX, odd)
    assert upstream.of()[0].body == odd


@pytest.mark.gen_test
async def test_backend_responses_strip_image_generation_tool_advertisement(
    serving, upstream
):
    choice = {"type": "image_generation"}
    sent = payload("draw", tools=[IMAGE_TOOL, SHELL], tool_choice=choice)
    answered = await serving.ask(CODEX, sent)
    assert answered.status == 200
    assert upstream.of()[0].payload == {**sent, "tools": [SHELL]}
    await serving.ask(CODEX, payload("draw", tools=[IMAGE_TOOL]))
    assert upstream.of()[1].payload["tools"] == []
    first, _ = await serving.rows(2)
    assert any("image_generation" in change for change in first["changes"])


@pytest.mark.gen_test
async def test_a_bad_payload_is_refused_and_names_the_field(serving, upstream):
    told = []
    for body, param, reason in (
        (payload(model=""), "model", "model may not be empty"),
        (payload(input=3), "input", "input must be a string or a list"),
        (
            payload(tools=[{"type": "file_search"}]),
            "tools",
            "tools[0].type file_search is not available here",
        ),
        (payload(instructions=None), "instructions", "instructions is required"),
        (
            b"{",
            None,
            "not valid JSON: unexpected end of data: line 1 column 2 (char 1)",
        ),
        (b"", None, "not valid JSON: Input is a zero-length, empty document: "),
        (b"[]", None, "the payload must be an object"),
    ):
        answered = await serving.ask(CODEX, body)
        assert answered.status == 400
        error = answered.error
        assert error["message"].startswith(f"Invalid request payload: {reason}")
        told.append(error["message"])
        assert error["type"] == error["code"] == "invalid_request_error"
        assert error.get("param") == param
        assert error["origin"] == "client"
        assert error["request_id"] == answered.headers["x-request-id"]
    assert upstream.of() == []
    rows = await serving.rows(7)
    assert {row["error_code"] for row in rows} == {"invalid_request_error"}
    assert [row["error_message"] for row in rows] == told


@pytest.mark.gen_test
async def test_request_ids_are_our_own_and_unique(serving, upstream):
    given = {"x-request-id": "mine", "x-client-request-id": "thread-1"}
    found = [await serving.ask(CODEX, headers=given) for _ in range(2)]
    ids = {answered.headers["x-request-id"] for answered in found}
    rows = await serving.rows(2)
    assert len(ids) == 2
    assert {row["request_id"] for row in rows} == ids
    assert {row["client_request_id"] for row in rows} == {"thread-1"}
    assert rows[0]["upstream_request_id"].startswith("up-")


@pytest.mark.gen_test
async def test_a_second_turn_uses_the_same_upstream_connection(serving, upstream):
    for _ in range(3):
        await serving.ask(CODEX)
    assert len({received.connection for received in upstream.of()}) == 1


@pytest.mark.gen_test
async def test_a_row_tells_of_the_turn_and_not_of_its_words(serving, upstream):
    sent = payload("a secret prompt", reasoning={"effort": "low"})
    sent["model"] = "gpt-5.4-mini"
    answered = await serving.ask(CODEX, sent, headers={"user-agent": "codex_exec/1"})
    (row,) = await serving.rows()
    completed = answered.events[-1]["response"]
    assert row["response_id"] == completed["id"]
    assert (row["status"], row["http_status"]) == ("success", 200)
    assert (row["surface"], row["transport"]) == ("codex", "http")
    assert row["route"] == "responses"
    assert row["model"] == "gpt-5.4-mini"
    assert row["reasoning_effort"] == "low"
    assert row["account_id"] == serving.account("one").id
    assert row["api_key_id"] is None
    assert (row["input_tokens"], row["cached_tokens"]) == (100, 40)
    assert (row["output_tokens"], row["reasoning_tokens"]) == (20, 5)
    assert row["cost_microdollars"] > 0
    assert row["response_bytes"] == len(answered.body)
    assert row["request_bytes"] == len(json.dumps(sent))
    assert row["client_address"] == "127.0.0.1"
    assert row["user_agent"] == "codex_exec/1"
    assert row["conversation"]
    assert row["attempts"] == 1
    assert not row["is_prewarm"]
    assert row["receipt"]["reason"] == "fill_first"
    assert row["receipt"]["attempts"][0]["account"] == "one"
    phases = ("body", "queue", "connect", "first_event", "first_output")
    times = [row[f"{phase}_ms"] for phase in phases] + [row["duration_ms"]]
    assert None not in times
    assert times == sorted(times)
    for part in (row["receipt"], row["changes"], row["error_message"]):
        assert "secret prompt" not in json.dumps(part)
    assert "secret" not in json.dumps(row)


@pytest.mark.gen_test
async def test_the_tier_asked_for_is_noted_as_it_went_upstream(serving, upstream):
    await serving.ask(CODEX, payload(service_tier="Fast "))
    assert upstream.of()[0].payload["service_tier"] == "priority"
    (row,) = await serving.rows()
    assert row["requested_tier"] == "priority"
    assert row["changes"]


@pytest.mark.gen_test
async def test_an_account_with_a_key_gets_what_subscriptions_do_not_take(
    serving, upstream
):
    sent = payload("hi", temperature=0.5, max_output_tokens=99)
    await serving.ask(CODEX, sent)
    await serving.pause("one", "two")
    await serving.add_api_key_account()
    answered = await serving.ask(CODEX, sent)
    assert answered.status == 200
    subscription, paid = upstream.of()
    assert {"temperature", "max_output_tokens"}.isdisjoint(subscription.payload)
    assert paid.body == json.dumps(sent).encode()
    assert paid.path == "/v1/responses"
    assert paid.headers["authorization"] == "Bearer fake-api-key"
    assert "chatgpt-account-id" not in paid.headers


@pytest.mark.gen_test
async def test_a_failed_response_that_is_a_verdict_passes_as_it_came(serving, upstream):
    answer = ScriptedTurn().failed("invalid_prompt", "Not this one.").answer()
    upstream.answer(answer)
    answered = await serving.ask(CODEX)
    assert answered.status == 200
    assert answered.types[-1] == "response.failed"
    assert len(upstream.of()) == 1
    (row,) = await serving.rows()
    assert (row["status"], row["error_code"]) == ("error", "invalid_prompt")


@pytest.mark.gen_test
async def test_an_incomplete_response_is_no_failure(serving, upstream):
    upstream.answer(ScriptedTurn().text("half an").incomplete().answer())
    answered = await serving.ask(CODEX)
    assert answered.types[-1] == "response.incomplete"
    (row,) = await serving.rows()
    assert (row["status"], row["output_tokens"]) == ("success", 20)


@pytest.mark.gen_test
async def test_a_refusal_of_the_request_passes_with_its_code(serving, upstream):
    error = {"type": "x", "code": "context_length_exceeded", "message": "m"}
    error["param"] = "input"
    upstream.answer(ScriptedResponse.json({"error": error}, 400))
    answered = await serving.ask(CODEX)
    assert answered.status == 400
    assert error.items() <= answered.error.items()
    assert len(upstream.of()) == 1


@pytest.mark.gen_test
async def test_the_whole_of_many_turns_at_once(serving, upstream):
    async def one(number):
        answered = await serving.ask(CODEX, payload(f"number {number}."))
        assert f"number {number}." in answered.text

    await asyncio.gather(*(one(number) for number in range(30)))
    assert serving.account("one").in_flight == 0
    assert serving.account("two").in_flight == 0


@pytest.mark.gen_test
async def test_a_get_without_an_upgrade_is_a_wrong_method(serving):
    answered = await serving.get(CODEX)
    assert answered.status == 405
    assert answered.error["code"] == "invalid_request_error"
    assert answered.error["message"] == "Method Not Allowed"


@pytest.mark.gen_test
async def test_a_proxy_that_speaks_http_1_0_gets_the_whole_stream(serving):
    answer = await serving.raw(
        b"POST %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n", payload()
    )
    assert b"response.completed" in answer


@pytest.mark.parametrize("method", ["POST", "GET"], ids=["a stream", "a refusal"])
@pytest.mark.gen_test
async def test_over_http_1_0_the_end_of_the_connection_ends_the_answer(serving, method):
    """There are no chunks: who asks to keep the connection would wait for ever."""
    head = b"%b %%s HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n"
    answer = await serving.raw(head % method.encode(), payload())
    lines = answer.partition(b"\r\n\r\n")[0].lower().splitlines()
    assert b"connection: close" in lines
    assert (b"response.completed" in answer) is (method == "POST")
