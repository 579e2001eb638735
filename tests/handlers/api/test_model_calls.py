"""Embeddings and the counting of input: only at accounts with an API key."""

import pytest

from gateway.demo.answers import ScriptedResponse
from tests.serving import MODEL

EMBEDDINGS = "/v1/embeddings"
INPUT_TOKENS = "/v1/responses/input_tokens"
BODY = {"model": MODEL, "input": "hi"}
VECTORS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "model": MODEL,
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}
COUNTED = {"object": "response.input_tokens", "input_tokens": 11}


@pytest.mark.parametrize(
    ("path", "answer", "tokens"),
    [(EMBEDDINGS, VECTORS, 7), (INPUT_TOKENS, COUNTED, 1)],
)
@pytest.mark.gen_test
async def test_a_call_passes_to_an_account_with_a_key(
    serving, upstream, path, answer, tokens
):
    await serving.add_api_key_account()
    upstream.answer(ScriptedResponse.json(answer), route="side")
    raw = b'{"model": "gpt-5.5",  "input": "hi", "odd": 1}'
    given = {"content-type": "application/json"}
    answered = await serving.ask(path, raw, headers=given)
    assert (answered.status, answered.json) == (200, answer)
    (received,) = (one for one in upstream.requests if one.path == path)
    assert received.body == raw
    assert received.headers["authorization"] == "Bearer fake-api-key"
    (row,) = await serving.rows()
    assert (row["surface"], row["model"], row["status"]) == ("v1", MODEL, "success")
    assert row["route"] in ("embeddings", "input_tokens")
    assert row["input_tokens"] == tokens
    assert row["account_id"] == serving.account("paid").id


@pytest.mark.parametrize("path", [EMBEDDINGS, INPUT_TOKENS])
@pytest.mark.gen_test
async def test_chatgpt_accounts_do_not_have_it(serving, upstream, path):
    answered = await serving.ask(path, BODY)
    assert (answered.status, answered.error["code"]) == (404, "not_found")
    assert "needs an account with an API key" in answered.error["message"]
    assert [one for one in upstream.requests if one.route == "side"] == []


@pytest.mark.parametrize("path", [EMBEDDINGS, INPUT_TOKENS])
@pytest.mark.parametrize(
    ("body", "param", "reason"),
    [
        ({"input": "hi"}, "model", "model must be the name of a model"),
        ({"model": 5}, "model", "model must be the name of a model"),
        ({"model": "m" * 257}, "model", "model must be the name of a model"),
        ([], None, "the payload must be an object"),
        (b"{", None, "not valid JSON"),
    ],
)
@pytest.mark.gen_test
async def test_a_model_is_needed(serving, path, body, param, reason):
    answered = await serving.ask(path, body)
    assert answered.status == 400
    assert answered.error["message"].startswith(f"Invalid request payload: {reason}")
    assert answered.error.get("param") == param


@pytest.mark.gen_test
async def test_a_key_s_models_hold_and_what_it_enforces(serving, upstream):
    await serving.add_api_key_account()
    token = await serving.add_key(models=["small-*"])
    given = {"x-api-key": token}
    answered = await serving.ask(EMBEDDINGS, BODY, headers=given)
    assert (answered.status, answered.error["code"]) == (403, "model_not_allowed")
    twice = b'{"model": "gpt-5.5", "input": "hi", "model": "small-1"}'
    upstream.answer(ScriptedResponse.json(VECTORS), route="side", times=None)
    assert (await serving.ask(EMBEDDINGS, twice, headers=given)).status == 200
    await serving.change_key(models=[], enforce_model="small-2")
    assert (await serving.ask(EMBEDDINGS, BODY, headers=given)).status == 200
    sent = [one.payload for one in upstream.requests if one.path == EMBEDDINGS]
    assert sent == [
        {"model": "small-1", "input": "hi"},
        {"model": "small-2", "input": "hi"},
    ]
    rows = await serving.rows(3)
    assert rows[-1]["requested_model"] == MODEL
    assert rows[-1]["changes"] == ["model enforced"]


@pytest.mark.gen_test
async def test_a_key_s_limits_count_what_upstream_told(serving, upstream):
    await serving.add_api_key_account()
    token = await serving.add_key(limits=["requests 1/1d"])
    given = {"x-api-key": token}
    upstream.answer(ScriptedResponse.json(VECTORS), route="side", times=None)
    assert (await serving.ask(EMBEDDINGS, BODY, headers=given)).status == 200
    assert (await serving.ask(EMBEDDINGS, BODY, headers=given)).status == 429
    await serving.rows(1)
    usage = (await serving.get("/v1/usage", headers=given)).json
    assert usage["total_tokens"] == 7
