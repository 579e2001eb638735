"""The request log and usage over the admin API."""

import pytest

from tests.serving import CODEX, V1, payload, turn_on

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
    back = await operator.get(f"/api/logs?limit=3&after={second['logs'][0]['id']}")
    assert back["logs"] == first["logs"]
    for query in ("origin=client", f"id={first['logs'][0]['request_id'][:12]}"):
        (refused,) = (await operator.get(f"/api/logs?{query}&since=1h"))["logs"]
        assert refused["id"] == first["logs"][0]["id"]
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
    zone = "&time_zone=Asia/Kathmandu"
    for by in ("by=model,hour,account", "by=model&by=hour&by=account"):
        (row,) = (await operator.get(f"/api/usage?{by}{zone}"))["usage"]
        assert (row["model"], row["account"], row["requests"]) == ("gpt-5.5", "one", 2)
        assert row["hour"].endswith(":45+05:45")
    for wrong in ("by=weather", "by=key,", "by=key,key", "time_zone=../passwd"):
        answered = await operator.call("GET", f"/api/usage?{wrong}")
        assert answered.status == 400
        assert answered.error["param"] == wrong.partition("=")[0]


async def test_what_rules_did_to_requests_is_counted_by_day(serving, operator):
    shapes = [{"type": "weather_2027", "place": "x"}, {"type": "image_generation"}]
    refused = payload(tools=[{"type": "web_search"}, {"type": "file_search"}])
    for path, request in (
        (CODEX, payload(tools=shapes)),
        (CODEX, payload(tools=shapes[1:])),
        (V1, refused),
        (V1, payload(tools=[*shapes[1:] * 2, *refused["tools"]])),
    ):
        await serving.ask(path, request)
    async with serving.socket(CODEX) as ws:
        await turn_on(ws, refused)
    await serving.rows(5)
    rows = (await operator.get("/api/rules?since=1d"))["rules"]
    assert len({row["day"] for row in rows}) == 1
    counted = {(row["kind"], row["rule"]): row["requests"] for row in rows}
    assert counted["changed", "image_generation tool dropped"] == 2
    assert counted["refused", "tools[].type file_search is not available here"] == 2
    assert (
        counted["refused", "tools[].type image_generation is not available here"] == 1
    )
    assert counted["new shape", "weather_2027"] == 1
    assert (await operator.call("GET", "/api/rules?since=soon")).status == 400
