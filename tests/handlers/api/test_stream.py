"""Event streams on their way to the client: bytes, order, pressure, silence."""

import asyncio
import json
import re

import pytest

from gateway.demo import faults
from gateway.demo.answers import ScriptedResponse, sse
from gateway.turns.keepalive import StreamTiming
from tests import upstream_faults
from tests.handlers.api.streams import TURN
from tests.serving import CODEX, V1, next_event, payload, until

CREATED, IN_PROGRESS = TURN.events[:2]


ODD = (
    b'\xef\xbb\xbfevent: response.created\r\ndata: {"type" : "response.created",'
    b'"response":{"id":"resp_odd"}}\r\n\r\n'
    b": a comment\n\n"
    b"id: 7\nretry: 5\n"
    b'data:{"type":\t"response.output_text.delta","delta":"gr\xc3\xbc\\u00dfe \\n"}\n\n'
    b'data: {"type":"response.unheard_of",\ndata: "x":[1,  2.50, 1e400]}\n\n\n\n'
    b'data:   {"delta":"\xf0\x9f\x98\x80","type":"response.output_text.delta"}\r\r'
    b'event: response.completed\ndata: {"type":"response.compl\\u0065ted",'
    b'"response":{"id":"resp_odd","output":[],"usage":{"input_tokens":7}}}\n\n'
    b"data: [DONE]\n\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, len(ODD)])
@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_a_whole_answer_passes_byte_for_byte(serving, upstream, path, size):
    steps = [ODD[start : start + size] for start in range(0, len(ODD), size)]
    upstream.answer(ScriptedResponse.of(steps))
    answered = await serving.ask(path)
    assert answered.body == ODD
    (row,) = await serving.rows()
    assert (row["status"], row["input_tokens"]) == ("success", 7)
    assert row["response_id"] == "resp_odd"


@pytest.mark.gen_test
async def test_a_rest_after_the_last_event_passes_too(serving, upstream):
    whole = upstream_faults.as_bytes(TURN.answer()) + b"data: [DONE]"
    upstream.answer(ScriptedResponse((whole,)))
    answered = await serving.ask()
    assert answered.body == whole


@pytest.mark.gen_test
async def test_the_first_event_arrives_while_upstream_still_writes(serving, upstream):
    go_on = asyncio.Event()
    *_, last = TURN.events
    upstream.answer(*TURN.events[:5], go_on, last)
    async with serving.stream() as response:
        seen = [await next_event(response) for _ in range(5)]
        assert seen == [sse(event) for event in TURN.events[:5]]
        assert not upstream.of()[0].done.is_set()
        go_on.set()
        assert await response.read() == sse(last)


@pytest.mark.settings(pace=StreamTiming(hold=60))
@pytest.mark.gen_test
async def test_first_events_are_held_back_until_the_model_says_something(
    serving, upstream
):
    go_on = asyncio.Event()
    limits = {"type": "codex.rate_limits", "rate_limits": {}}
    held = [CREATED, limits, IN_PROGRESS]
    upstream.answer(*held, go_on, *TURN.events[2:])
    head = asyncio.ensure_future(serving.stream())
    received = await upstream.arrived()
    await until(lambda: received.sent_bytes)
    assert (await serving.ask()).types[-1] == "response.completed"  # a later turn
    assert not head.done()
    go_on.set()
    async with await head as response:
        seen = [await next_event(response) for _ in held]
        assert seen == [sse(event) for event in held]


@pytest.mark.settings(pace=StreamTiming(hold=0.02))
@pytest.mark.gen_test
async def test_held_events_leave_after_a_while_even_when_nothing_else_comes(
    serving, upstream
):
    go_on = asyncio.Event()
    upstream.answer(CREATED, IN_PROGRESS, go_on, *TURN.events[2:])
    async with serving.stream() as response:
        assert response.status == 200
        assert await next_event(response) == sse(CREATED)
        assert await next_event(response) == sse(IN_PROGRESS)
        go_on.set()
        await response.read()


@pytest.mark.settings(pace=StreamTiming(hold=0.02))
@pytest.mark.gen_test
async def test_a_failure_after_the_held_events_left_is_told_in_the_stream(
    serving, upstream
):
    left = asyncio.Event()
    upstream.answer(
        faults.cut_after(ScriptedResponse.of([CREATED, IN_PROGRESS, left]), 3)
    )
    async with serving.stream() as response:
        assert await next_event(response) == sse(CREATED)
        left.set()
        body = await response.read()
    assert b"stream_incomplete" in body
    assert len(upstream.of()) == 1


@pytest.mark.settings(pace=StreamTiming(last_bytes=0.02))
@pytest.mark.gen_test
async def test_an_upstream_that_never_closes_does_not_keep_the_client(
    serving, upstream
):
    upstream.answer(*TURN.events, asyncio.Event())
    answered = await serving.ask()
    assert answered.body == upstream_faults.as_bytes(TURN.answer())
    (row,) = await serving.rows()
    assert row["status"] == "success"


@pytest.mark.gen_test
async def test_a_client_that_stops_reading_stops_the_upstream(serving, upstream):
    pad = {"type": "response.output_text.delta", "delta": "x" * 65_000}
    size = len(sse(pad))
    total = 400 * size
    upstream.answer(CREATED, *[pad] * 400, TURN.events[-1], times=2)
    reader, writer = await serving.connect()
    body = json.dumps(payload()).encode()
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
        % (CODEX.encode(), len(body), body)
    )
    await reader.readuntil(b"response.created")
    received = await upstream.arrived()
    assert len((await serving.ask()).body) > total  # who reads gets all, meanwhile
    assert received.sent_bytes < total / 2
    drained, tail = 0, b""
    while not tail.endswith(b"\r\n0\r\n\r\n"):
        chunk = await reader.read(1 << 20)
        assert chunk
        drained, tail = drained + len(chunk), tail[-100:] + chunk
    assert b"response.completed" in tail
    assert drained > total
    writer.close()
    for row in await serving.rows(2):
        assert row["status"] == "success"


@pytest.mark.settings(idle_timeout=0.4, keepalive_interval=0.05)
@pytest.mark.gen_test
async def test_a_client_that_pauses_is_not_taken_for_a_silent_upstream(
    serving, upstream
):
    pad = {"type": "response.output_text.delta", "delta": "x" * 65_000}
    upstream.answer(CREATED, *[pad] * 400, TURN.events[-1])
    async with serving.stream() as response:
        await next_event(response)
        upstream.answer(*TURN.events[:5], asyncio.Event())
        # The same patience has an end where upstream says nothing.
        assert "response.failed" in (await serving.ask()).types
        body = await response.read()
    assert body.endswith(sse(TURN.events[-1]))
    assert b"response.failed" not in body


@pytest.mark.gen_test
async def test_the_model_s_name_passes_only_when_it_was_asked_for(serving, upstream):
    def metadata(model):
        headers = {"openai-model": model, "x-codex-turn-state": "ts", "x-other": ["1"]}
        return {"type": "response.metadata", "headers": headers}

    for model in ("gpt-5.5", "another"):
        events = [CREATED, metadata(model), *TURN.events[1:]]
        upstream.answer(ScriptedResponse.of(events, headers={"openai-model": model}))
        answered = await serving.ask()
        told = next(e for e in answered.events if e["type"] == "response.metadata")
        is_same = model == "gpt-5.5"
        assert ("openai-model" in answered.headers) is is_same
        assert ("openai-model" in told["headers"]) is is_same
        assert told["headers"]["x-codex-turn-state"] == "ts"
        assert told["headers"]["x-other"] == ["1"]
        if is_same:
            assert answered.body == upstream_faults.as_bytes(
                ScriptedResponse.of(events)
            )


@pytest.mark.gen_test
async def test_windows_are_hidden_once_keys_are_in_use(serving, upstream):
    limits = {"type": "codex.rate_limits", "rate_limits": {"primary": {}}}
    upstream.answer(CREATED, limits, *TURN.events[1:], times=None)
    answered = await serving.ask()
    assert answered.headers["x-codex-primary-used-percent"] == "12"
    assert "codex.rate_limits" in answered.types
    token = await serving.add_key()
    answered = await serving.ask(headers={"x-api-key": token})
    assert answered.status == 200
    assert not [name for name in answered.headers if name.startswith("x-codex-pri")]
    assert "codex.rate_limits" not in answered.types
    assert answered.body == upstream_faults.as_bytes(TURN.answer())


@pytest.mark.gen_test
async def test_each_event_is_its_own_chunk_s_end(serving, upstream):
    """Whoever reads chunk by chunk never sees half an event."""
    dripped = upstream_faults.dripped(TURN.answer(), 11)
    upstream.answer(dripped)
    body = json.dumps(payload()).encode()
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    answer = await serving.raw(head, body)
    _, _, chunked = answer.partition(b"\r\n\r\n")
    whole = b""
    while size := int(re.match(rb"([0-9a-f]+)\r\n", chunked)[1], 16):
        start = chunked.index(b"\r\n") + 2
        chunk = chunked[start : start + size]
        assert chunk.endswith(b"\n\n")
        whole += chunk
        chunked = chunked[start + size + 2 :]
    assert whole == upstream_faults.as_bytes(TURN.answer())
