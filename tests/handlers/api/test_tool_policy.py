"""Tools, and what else one kind of account takes, through a whole gateway."""

import pytest

from gateway.admin.rules import set_rules
from gateway.demo import faults
from tests.serving import CHAT, CODEX, MODEL, V1, payload, turn_on

SEARCH = {"type": "file_search", "vector_store_ids": ["v"]}
IMAGE = {"type": "image_generation"}
PAID_SEARCH = "pass file_search surface=v1 accounts=api_key"


async def set_tools(serving, *rules):
    await serving.gateway.store.write(set_rules, {"tools": list(rules)}, "test")
    await serving.gateway.reload()


def kinds(received):
    return [tool["type"] for tool in received.payload["tools"]]


@pytest.mark.gen_test
async def test_a_request_that_only_paid_accounts_may_take_goes_to_these(
    serving, upstream
):
    await set_tools(serving, PAID_SEARCH)
    request = payload(tools=[SEARCH])
    refused = await serving.ask(V1, request)
    assert (refused.status, refused.error["param"]) == (400, "tools")
    reason = "tools[0].type file_search needs an account with an API key"
    assert refused.error["message"] == f"Invalid request payload: {reason}"
    assert upstream.of() == []
    await serving.add_api_key_account(priority=1000, websockets=True)
    assert (await serving.ask(V1, request)).status == 200
    messages = [{"role": "user", "content": "hi"}]
    chat = {"model": MODEL, "messages": messages, "tools": [SEARCH]}
    assert (await serving.ask(CHAT, chat)).status == 200
    async with serving.socket(V1) as ws:
        assert (await turn_on(ws, request))[-1]["type"] == "response.completed"
    # The rule is about /v1 alone.
    assert (await serving.ask(CODEX, request)).error["param"] == "tools"
    assert [received.account for received in upstream.of()] == ["fake-api-key"] * 3
    assert [kinds(received) for received in upstream.of()] == [["file_search"]] * 3
    assert (await serving.rows(5))[0]["error_message"].endswith(reason)


@pytest.mark.gen_test
async def test_where_those_are_out_of_service_it_says_so(serving, upstream):
    await set_tools(serving, PAID_SEARCH)
    await serving.add_api_key_account()
    await serving.pause("paid")
    request = payload(tools=[SEARCH])
    paused = await serving.ask(V1, request)
    assert (paused.status, paused.error["code"]) == (400, "accounts_paused")
    told = "All accounts that this request may go to are paused"
    assert paused.error["message"].startswith(told)
    await serving.resume("paid")
    serving.limit("paid", 600)
    assert (await serving.ask(V1, request)).error["code"] == "usage_limit_reached"
    assert upstream.of() == []
    token = await serving.add_key(accounts=["one"])  # has none of that kind
    headers = {"authorization": f"Bearer {token}"}
    refused = await serving.ask(V1, request, headers=headers)
    assert (refused.status, refused.error["param"]) == (400, "tools")


@pytest.mark.gen_test
async def test_it_goes_from_one_of_these_to_another(serving, upstream):
    await set_tools(serving, PAID_SEARCH)
    await serving.add_api_key_account("first")
    await serving.add_api_key_account("second")
    upstream.answer(faults.usage_limit())
    assert (await serving.ask(V1, payload(tools=[SEARCH]))).status == 200
    assert [received.account for received in upstream.of()] == ["fake-api-key"] * 2
    (row,) = await serving.rows(1)
    tried = [attempt["account"] for attempt in row["receipt"]["attempts"]]
    assert sorted(tried) == ["first", "second"]


@pytest.mark.gen_test
async def test_codex_keeps_image_generation_where_it_is_paid_for(serving, upstream):
    await set_tools(serving, "pass image_generation surface=codex accounts=api_key")
    request = payload(tools=[IMAGE])
    await serving.ask(CODEX, request)
    await serving.pause("one", "two")
    await serving.add_api_key_account()
    await serving.ask(CODEX, request)
    assert [kinds(received) for received in upstream.of()] == [[], ["image_generation"]]
    stripped, passed = await serving.rows(2)
    assert stripped["changes"] == ["image_generation tool dropped"]
    assert passed["changes"] == []


@pytest.mark.gen_test
async def test_a_key_has_rules_of_its_own(serving, upstream):
    await set_tools(serving, "refuse web_search")
    token = await serving.add_key(tools=["pass web_search", "strip mcp"])
    other = await serving.add_key("other")
    request = payload(tools=[{"type": "web_search"}, {"type": "mcp"}])

    async def ask(token):
        headers = {"authorization": f"Bearer {token}"}
        return await serving.ask(V1, request, headers=headers)

    assert (await ask(token)).status == 200
    assert (await ask(other)).error["param"] == "tools"
    await serving.change_key(tools=None)
    assert (await ask(token)).error["param"] == "tools"
    (received,) = upstream.of()
    assert kinds(received) == ["web_search"]


@pytest.mark.gen_test
async def test_other_truncations_go_to_accounts_with_a_key_only(serving, upstream):
    request = payload(truncation="from_the_middle")
    for surface in (V1, CODEX):
        refused = await serving.ask(surface, request)
        assert (refused.status, refused.error["param"]) == (400, "truncation")
        told = "Invalid request payload: truncation must be null, auto or disabled"
        assert refused.error["message"] == told
    await serving.add_api_key_account(priority=1000)
    assert (await serving.ask(V1, request)).status == 200
    (received,) = upstream.of()
    assert received.account == "fake-api-key"
    assert received.payload["truncation"] == "from_the_middle"
