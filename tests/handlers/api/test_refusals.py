"""Whoever is turned away at the door leaves a light row, which tells why."""

import asyncio
from dataclasses import replace

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.handlers.admin.operators import Operator
from tests.serving import CHAT, CODEX, V1, payload, turn_on, until

pytestmark = pytest.mark.gen_test(timeout=20)


async def test_the_owner_is_told_what_the_stranger_is_not(serving):
    tokens = {name: await serving.add_key(name) for name in ("off", "old", "new")}
    await serving.change_key("off", disabled=True)
    operator = Operator(serving)
    await operator.post("/api/keys/new/rotate", {"overlap": "1 s"})
    serving.gateway.ring.replace(
        [
            key
            if key.name == "off"
            else replace(key, expires_at=1.0)
            if key.name == "old"
            else replace(key, old_expires_at=1.0)
            for key in serving.gateway.ring
        ]
    )
    presented = [*tokens.values(), "sk-cgw-secret-of-nobody"]
    answers = [
        await serving.ask(V1, headers={"authorization": f"Bearer {token}"})
        for token in presented
    ]
    told = [(one.status, {**one.error, "request_id": ""}) for one in answers]
    assert all(one == told[0] for one in told)
    assert told[0][0] == 401
    rows = await serving.refused(4)
    assert [(row["api_key_id"], row["reason"]) for row in rows] == [
        (1, "the key is disabled"),
        (2, "the key has expired"),
        (3, "the key was rotated, and this is its old token"),
        (None, "the key is unknown"),
    ]
    assert not any(token[7:] in str(rows) for token in presented)
    explained = await operator.get(f"/api/logs/{answers[0].error['request_id'][:12]}")
    assert (explained["key"], explained["status"]) == ("off", "refused")
    assert explained["reason"] == "the key is disabled"
    await serving.rows(0)
    assert (await operator.get("/api/usage"))["usage"] == []


@pytest.mark.settings(max_body_bytes=2000)
async def test_each_kind_of_refusal_can_be_explained(serving):
    token = await serving.add_key()
    key = {"x-api-key": token}
    refused = [
        await serving.get("/v1/files/secret-of-the-client", headers=key),
        await serving.get("/v1/models"),
        await serving.ask(V1, headers=key | {"origin": "https://evil.example"}),
        await serving.ask(V1, b"x" * 3000, headers=key),
        await serving.ask(CHAT, method="PUT", headers=key),
        await serving.ask("/api/reload", {}),
        await serving.get("/v1/models/words-of-the-client", headers=key),
    ]
    rows = await serving.refused(7)
    assert [row["http_status"] for row in rows] == [404, 401, 403, 413, 405, 401, 404]
    assert [row["http_status"] for row in rows] == [one.status for one in refused]
    ids = [one.error["request_id"] for one in refused]
    assert [row["request_id"] for row in rows] == ids
    assert [row["door"] for row in rows[:3]] == ["NotFound", "Models", "Responses"]
    assert rows[1]["reason"] == "no key was presented"
    assert "of-the-client" not in str(rows)
    assert "evil" not in str(rows)


async def test_a_key_s_429_is_light_and_no_sum_counts_it(serving):
    token = await serving.add_key(limits=["requests 1/1d"])
    headers = {"x-api-key": token}
    assert (await serving.ask(headers=headers)).status == 200
    limited = await serving.ask(headers=headers)
    assert limited.status == 429
    await serving.rows(1)
    (row,) = await serving.refused()
    assert (row["api_key_id"], row["http_status"]) == (1, 429)
    assert "requests 1d limit exceeded" in row["reason"]
    operator = Operator(serving)
    (usage,) = (await operator.get("/api/usage"))["usage"]
    assert (usage["requests"], usage["errors"]) == (1, 0)
    (shown,) = (await operator.get("/api/refusals?key=key"))["refusals"]
    assert shown["request_id"] == limited.error["request_id"]


async def test_the_rate_of_a_key_too(serving):
    token = await serving.add_key(rpm=1)
    headers = {"x-api-key": token}
    await serving.ask(headers=headers)
    assert (await serving.ask(headers=headers)).status == 429
    await serving.rows(1)
    assert [row["http_status"] for row in await serving.refused()] == [429]


async def test_a_key_disabled_on_an_open_socket_is_told_with_an_id(serving):
    token = await serving.add_key()
    async with serving.socket(CODEX, headers={"x-api-key": token}) as ws:
        await serving.change_key(disabled=True)
        (frame,) = await turn_on(ws, payload())
    (row,) = await serving.refused()
    assert row["reason"] == "the key is disabled"
    assert frame["error"]["request_id"] == row["request_id"]


async def test_a_flood_of_bad_requests_fills_the_log_no_further(serving):
    token = await serving.add_key()
    for _ in range(70):
        answered = await serving.ask(V1, {"model": 7}, headers={"x-api-key": token})
        assert answered.status == 400
    await serving.rows(60)
    serving.gateway.store.refusals.hand_over(at_end=True)
    (counted,) = await serving.refused()
    assert (counted["requests"], counted["http_status"]) == (10, 400)


@pytest.mark.accounts("one")
async def test_nor_does_one_of_requests_that_leave_before_an_account(serving, upstream):
    """But a turn that an account has worked for is always there."""
    turns, rows = serving.gateway.turns, []
    turns.exchange_ended.subscribe(rows.append)
    serving.account("one").concurrency = 1
    begun = ScriptedTurn().text("one two three").completed().events[:2]
    upstream.answer(ScriptedResponse((*begun, asyncio.Event())))
    asking = asyncio.create_task(serving.ask(V1))
    await until(lambda: upstream.of())
    (first,) = turns.running
    leaving = asyncio.create_task(serving.ask(V1))
    await until(lambda: serving.gateway.pool.waiting)
    leaving.cancel()
    await until(lambda: rows)
    turns.stop(first)
    assert (await asking).status == 400
    told = [(row["status"], row["is_refusal"]) for row in rows]
    assert told == [("interrupted", True), ("error", False)]


async def test_an_operator_s_own_mistakes_and_a_doctor_leave_none(serving):
    await serving.add_key()
    operator = Operator(serving)
    assert (await operator.call("GET", "/api/keys/nobody")).status == 404
    visit = (await operator.post("/api/visits")).json["key"]
    marked = await serving.get("/v1/models", headers={"x-gateway-visit": visit})
    assert marked.status == 401  # the mark opens nothing
    assert (
        await serving.get("/v1/nothing", headers={"x-api-key": visit})
    ).status == 404
    forged = await serving.get("/v1/models", headers={"x-gateway-visit": "sk-cgw-x"})
    assert forged.status == 401
    (row,) = await serving.refused()
    assert row["request_id"] == forged.error["request_id"]
