"""What is asked before a body is read, and what its sender hears."""

import asyncio
import json

import pytest

from gateway.demo.events import ScriptedTurn
from tests.serving import CHAT, CODEX, V1, payload, until

TURN = ScriptedTurn().text("one two").completed()


def head(path, token, length, *lines):
    asked = (f"POST {path} HTTP/1.1", "Host: localhost", f"X-Api-Key: {token}")
    asked += ("Content-Type: application/json", f"Content-Length: {length}", *lines)
    return "\r\n".join([*asked, "", ""]).encode()


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (CODEX, "usage_limit_reached"),
        (CODEX + "/compact", "usage_limit_reached"),
        (V1, "rate_limit_exceeded"),
        (CHAT, "rate_limit_exceeded"),
        ("/v1/images/generations", "rate_limit_exceeded"),
    ],
)
@pytest.mark.gen_test
async def test_a_rate_that_is_used_up_is_said_before_the_body(serving, path, code):
    token = await serving.add_key(rpm=1)
    assert (await serving.ask(headers={"x-api-key": token})).status == 200
    reader, writer = await serving.connect()
    writer.write(head(path, token, 1_000_000) + b"x" * 1000)
    answer = await asyncio.wait_for(reader.readuntil(b"}}"), 5)
    assert answer.startswith(b"HTTP/1.1 429 ")
    error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert error["code"] == code
    assert serving.gateway.body_budget.used == 0
    writer.close()
    await serving.rows(1)
    (refused,) = await serving.refused()
    assert refused["error_code"] == "usage_limit_reached"
    assert refused["api_key_id"] is not None


@pytest.mark.gen_test
async def test_a_key_has_no_more_unfinished_bodies_than_it_may_start_turns(serving):
    """Of rate and concurrency, the smaller one; the rest is not read."""
    slow, fast = [
        await serving.add_key(name, **rules)
        for name, rules in (("slow", {"rpm": 3}), ("narrow", {"concurrency": 2}))
    ]
    gateway, body = serving.gateway, json.dumps(payload()).encode()
    begun = []
    for token in (slow, fast):
        for _ in range(6):
            reader, writer = await serving.connect()
            writer.write(head(CODEX, token, len(body)) + body[:100])
            begun.append((reader, writer))
    await until(lambda: gateway.body_budget.used == 500)
    refused = [reader for reader, _ in begun[3:6]]
    for reader in refused:
        assert b" 429 " in await asyncio.wait_for(reader.readline(), 5)
    await until(lambda: gateway.arrivals.waiting == 4)
    assert gateway.body_budget.used == 500
    for _, writer in begun[6:]:  # those that waited are read in their turn
        writer.write(body[100:])
    for reader, _ in begun[6:]:
        assert b" 200 " in await asyncio.wait_for(reader.readline(), 5)
        await asyncio.wait_for(reader.readuntil(b"response.completed"), 5)
    for _, writer in begun:
        writer.close()
    await until(lambda: not gateway.body_budget.used)


@pytest.mark.gen_test
async def test_a_body_that_does_not_come_gives_its_place_back(serving, upstream):
    token = await serving.add_key(rpm=1, concurrency=1)
    _, writer = await serving.connect()
    writer.write(head(CODEX, token, 1000) + b"{")
    await until(lambda: serving.gateway.body_budget.used)
    answered = await serving.ask(headers={"x-api-key": token})
    assert answered.status == 429
    writer.close()
    await until(lambda: not serving.gateway.body_budget.used)
    assert (await serving.ask(headers={"x-api-key": token})).status == 200


@pytest.mark.gen_test
async def test_who_is_told_to_go_on_is_so_once_there_is_a_place(serving, upstream):
    token = await serving.add_key(concurrency=1)
    gate = asyncio.Event()
    upstream.answer(*TURN.events[:6], gate, *TURN.events[6:])
    running = asyncio.create_task(serving.ask(headers={"x-api-key": token}))
    await upstream.arrived()
    reader, writer = await serving.connect()
    body = json.dumps(payload()).encode()
    writer.write(head(CODEX, token, len(body), "Expect: 100-continue"))
    await until(lambda: serving.gateway.arrivals.waiting == 1)
    gate.set()
    told = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert told.startswith(b"HTTP/1.1 100 ")
    assert (await running).status == 200
    writer.write(body)
    assert b" 200 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
