"""Keepalives fill the silence of an event stream."""

import asyncio

import pytest

from gateway.demo.answers import sse
from gateway.turns.keepalive import StreamTiming
from tests import upstream_faults
from tests.handlers.api.streams import TURN
from tests.serving import CHAT, CODEX, V1, next_event, payload

KEEPALIVE = b'event: codex.keepalive\ndata: {"type":"codex.keepalive"}\n\n'


@pytest.mark.settings(keepalive_interval=0.02)
@pytest.mark.parametrize("path", [CODEX, V1, CHAT])
@pytest.mark.gen_test
async def test_comments_fill_the_silence(serving, upstream, path):
    go_on = asyncio.Event()
    upstream.answer(*TURN.events[:6], go_on, *TURN.events[6:])
    body = payload()
    if path == CHAT:
        words = [{"role": "user", "content": "hi"}]
        body = {"model": "gpt-5.5", "messages": words, "stream": True}
    async with serving.stream(path, body) as response:
        while await next_event(response) != b": keepalive\n\n":
            pass
        assert await next_event(response) == b": keepalive\n\n"
        go_on.set()
        rest = await response.read()
    rest = rest.replace(b": keepalive\n\n", b"")
    if path != CHAT:
        assert rest == b"".join(sse(event) for event in TURN.events[6:])


@pytest.mark.settings(keepalive_interval=0.01, pace=StreamTiming(data_keepalive=0.03))
@pytest.mark.gen_test
async def test_codex_gets_data_for_its_watchdog(serving, upstream):
    go_on = asyncio.Event()
    upstream.answer(*TURN.events[:6], go_on, *TURN.events[6:])
    async with serving.stream() as response:
        seen = []
        while seen.count(KEEPALIVE) < 2:
            seen.append(await next_event(response))
        assert b": keepalive\n\n" in seen
        go_on.set()
        await response.read()


@pytest.mark.settings(keepalive_interval=0.01, pace=StreamTiming(data_keepalive=0.01))
@pytest.mark.gen_test
async def test_sdk_clients_get_no_event_they_do_not_know(serving, upstream):
    go_on = asyncio.Event()
    upstream.answer(*TURN.events[:6], go_on, *TURN.events[6:])
    async with serving.stream(V1) as response:
        seen = [await next_event(response) for _ in range(9)]
        go_on.set()
        await response.read()
    assert KEEPALIVE not in seen
    assert b": keepalive\n\n" in seen


@pytest.mark.settings(keepalive_interval=60, pace=StreamTiming(data_keepalive=0.03))
@pytest.mark.gen_test
async def test_comments_of_upstream_do_not_keep_the_data_away(serving, upstream):
    comments = [b": ping\n\n", 0.01] * 20
    upstream.answer(*TURN.events[:6], *comments, *TURN.events[6:])
    answered = await serving.ask()
    assert KEEPALIVE in answered.body
    without = answered.body.replace(KEEPALIVE, b"").replace(b": ping\n\n", b"")
    assert without == upstream_faults.as_bytes(TURN.answer())


@pytest.mark.settings(keepalive_interval=0.01)
@pytest.mark.gen_test
async def test_a_keepalive_never_splits_an_event(serving, upstream):
    block = sse(TURN.events[5])
    half = len(block) // 2
    go_on = asyncio.Event()
    upstream.answer(
        *TURN.events[:5], block[:half], go_on, block[half:], *TURN.events[6:]
    )
    async with serving.stream() as response:
        while await next_event(response) != b": keepalive\n\n":
            pass
        go_on.set()
        rest = await response.read()
    assert block in rest


@pytest.mark.settings(keepalive_interval=60, idle_timeout=0.03)
@pytest.mark.gen_test
async def test_a_silent_upstream_ends_in_a_typed_failure(serving, upstream):
    upstream.answer(*TURN.events[:6], asyncio.Event())
    answered = await serving.ask()
    failed = answered.events[-1]
    assert failed["type"] == "response.failed"
    assert failed["response"]["id"] == TURN.id
    assert failed["response"]["error"]["code"] == "stream_idle_timeout"
    await asyncio.wait_for(upstream.of()[0].closed.wait(), 30)
    (row,) = await serving.rows()
    assert (row["error_code"], row["error_phase"]) == ("stream_idle_timeout", "stream")
    assert row["output_tokens"] > 0 or row["input_tokens"] > 0
