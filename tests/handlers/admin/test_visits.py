"""A doctor's visit: to one account or to all, and no row of it anywhere."""

import pytest

from tests.handlers.admin.operators import audit
from tests.serving import CHAT, CODEX, V1, accounts, payload, turn_on

pytestmark = pytest.mark.gen_test(timeout=20)
CHAT_TURN = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hi"}]}


async def admitted(operator, account=None):
    answered = await operator.post("/api/visits", {"account": account})
    assert answered.status == 201
    return {"x-api-key": answered.json["key"]}


@pytest.mark.parametrize("has_keys", [False, True])
async def test_its_turns_go_to_its_account_and_leave_no_row(
    serving, operator, upstream, has_keys
):
    if has_keys:
        await serving.add_key()
    given = await admitted(operator, "two")
    for path, body in ((CODEX, payload()), (V1, payload()), (CHAT, CHAT_TURN)):
        assert (await serving.ask(path, body, headers=given)).status == 200
    async with serving.socket(CODEX, headers=given) as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    refused = await serving.ask(V1, {"input": "no model"}, headers=given)
    assert refused.status == 400
    assert accounts(upstream) == ["two"] * 4
    assert await serving.rows(0) == []
    assert await audit(serving) == []
    assert (await operator.get("/api/usage"))["usage"] == []


async def test_nothing_follows_from_it_for_who_may_come_in(serving, operator):
    given = await admitted(operator)
    assert (await serving.ask(V1)).status == 200  # still without a key, on this machine
    stranger = {"host": "gateway.example"}
    assert (await serving.ask(V1, headers=stranger)).status == 401
    assert (await serving.ask(V1, headers=stranger | given)).status == 200
    foreign = {**given, "origin": "https://evil.example"}
    assert (await serving.ask(V1, headers=foreign)).status == 403
    assert (await operator.get("/api/keys"))["keys"] == []


async def test_an_account_that_is_not_there_is_told(serving, operator):
    answered = await operator.post("/api/visits", {"account": "nobody"})
    assert answered.status == 404


async def test_only_the_owner_admits_one(serving):
    assert (await serving.ask("/api/visits", {})).status == 401
