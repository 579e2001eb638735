"""The request log and usage over the admin API."""

import pytest

from tests.serving import V1, payload

pytestmark = pytest.mark.gen_test(timeout=20)


# --- the record


async def test_the_log_is_paged_filtered_and_named(serving, operator):
    key = await serving.add_key("k")
    for prompt in ("a", "b", "c"):
        await serving.ask(V1, payload(prompt), headers={"x-api-key": key})
    await serving.ask(V1, {"model": "gpt-5.5"}, headers={"x-api-key": key})
    await serving.rows(4)
    first = await operator.get("/api/logs?limit=3&key=k")
    assert len(first["logs"]) == 3
    second = await operator.get(f"/api/logs?limit=3&key=k&before={first['next']}")
    assert (len(second["logs"]), second["next"]) == (1, None)
    assert {row["account"] for row in first["logs"][1:]} == {"one"}
    assert {row["key"] for row in first["logs"]} == {"k"}
    (refused,) = (await operator.get("/api/logs?status=error"))["logs"]
    assert refused["error_origin"] == "client"
    assert (await operator.call("GET", "/api/logs?key=nobody")).status == 404
    assert (await operator.call("GET", "/api/logs?limit=0")).status == 400


async def test_one_request_is_explained_by_its_id_and_by_the_responses(
    serving, operator
):
    answered = await serving.ask()
    await serving.rows(1)
    name = answered.headers["x-request-id"]
    told = await operator.get(f"/api/logs/{name[:8]}")
    assert told["request_id"] == name
    assert told["receipt"]["attempts"][0]["account"] == "one"
    same = await operator.get(f"/api/logs/{told['response_id']}")
    assert same["request_id"] == name
    assert (await operator.call("GET", "/api/logs/ffffffffffff")).status == 404


async def test_usage_is_summed_by_what_was_asked(serving, operator):
    await serving.ask()
    await serving.ask()
    await serving.rows(2)
    (by_account,) = (await operator.get("/api/usage?by=account&since=1d"))["usage"]
    assert (by_account["account"], by_account["requests"]) == ("one", 2)
    (by_model,) = (await operator.get("/api/usage?by=model"))["usage"]
    assert by_model["model"] == "gpt-5.5"
    assert by_model["input_tokens"] == by_account["input_tokens"] > 0
    assert (await operator.call("GET", "/api/usage?by=weather")).status == 400
