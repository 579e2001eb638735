"""Clients that leave pay for what upstream began."""

import asyncio
import json

import pytest

from gateway.demo.answers import ScriptedResponse
from gateway.demo.events import ScriptedTurn, usage
from tests.handlers.api.test_counting import LONG, key, used
from tests.serving import CODEX, V1, payload, until


async def leave(serving, headers, *, body=None, path=CODEX, after=None):
    """Send a request over a bare connection, cut once `after` was seen or is so."""
    reader, writer = await serving.connect()
    body = json.dumps(body or payload(LONG)).encode()
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = [f"POST {path} HTTP/1.1", "Host: localhost", *lines]
    head += [f"Content-Length: {len(body)}", "", ""]
    writer.write("\r\n".join(head).encode() + body)
    if after is None:
        await serving.upstream.arrived()
    elif callable(after):
        await until(after)
    else:
        await reader.readuntil(after)
    writer.close()


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_who_leaves_before_the_headers_pays_for_the_input(
    serving, upstream, path
):
    headers = await key(serving, "requests 9/1d", "tokens 1M/1d")
    upstream.answer(ScriptedResponse(before=(asyncio.Event(),)))
    await leave(serving, headers, path=path)
    (row,) = await serving.rows()
    assert row["status"] == "interrupted"
    assert 25_000 < row["input_tokens"] < 30_000
    requests, tokens = await used(serving, headers)
    assert requests == 1
    assert tokens == row["input_tokens"] + row["output_tokens"]


@pytest.mark.gen_test
async def test_who_leaves_before_upstream_has_the_request_pays_nothing(
    serving, upstream
):
    headers = await key(serving, "requests 9/1d", "tokens 50k/1d")
    go_on = asyncio.Event()
    turn = ScriptedTurn().text("hi").completed()
    upstream.answer(turn.events[0], go_on, *turn.events[1:])
    first = asyncio.create_task(serving.ask(headers=headers))
    await upstream.arrived()
    await leave(serving, headers, after=lambda: serving.gateway.limiter.waiting)
    await until(lambda: not serving.gateway.limiter.waiting)
    go_on.set()
    await first
    assert await used(serving, headers) == [1, 120]


@pytest.mark.gen_test
async def test_who_leaves_while_the_model_thinks_pays_for_what_it_thought(
    serving, upstream
):
    """At the speed that was measured: what runs is not seen, but it takes its time."""
    headers = await key(serving, "tokens 10M/1d")
    measured = ScriptedTurn().text("hi").completed(usage(100, 60_000))
    upstream.answer(measured.events[0], 0.2, *measured.events[1:])
    await serving.ask(body=payload(), headers=headers)
    (before,) = await used(serving, headers)
    thinking = ScriptedTurn().text("hi").events
    # It begins to write, which is seen, and thinks on.
    upstream.answer(*thinking[:5], asyncio.Event())
    body = payload(prompt_cache_key="another")
    await leave(serving, headers, body=body, after=b"output_text.delta")
    _, row = await serving.rows(2)
    assert row["status"] == "interrupted"
    assert (await used(serving, headers))[0] - before == (
        row["input_tokens"] + row["output_tokens"]
    )
    speed = serving.gateway.limiter.history.speed("gpt-5.5")
    assert 60_000 / 2 < speed <= 60_000 / 0.2
    # All of the time it had, but not what the log needed after it.
    assert 0 < row["output_tokens"] <= speed * (row["duration_ms"] + 5) / 1_000


@pytest.mark.gen_test
async def test_who_leaves_pays_at_most_what_was_reserved(serving, upstream):
    headers = await key(serving, "tokens 60k/1d")
    fast = ScriptedTurn().text("hi").completed(usage(100, 100))
    upstream.answer(fast.answer())
    await serving.ask(body=payload(), headers=headers)
    history = serving.gateway.limiter.history
    history.note_speed("gpt-5.5", 10**9, 0.001)
    history.note_speed("gpt-5.5", 10**9, 0.001)
    upstream.answer(*fast.events[:5], asyncio.Event())
    await leave(serving, headers, body=payload(), after=b"output_text.delta")
    await serving.rows(2)
    (counted,) = await used(serving, headers)
    assert counted <= 200 + 200 + 30_000
