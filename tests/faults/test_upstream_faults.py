"""Everything an upstream may do wrong: the right deadline, the right error, whose fault
it is, and nothing left behind."""

import asyncio
import socket
import tracemalloc
import zlib
from contextlib import asynccontextmanager

import pytest

from gateway.demo.answers import Cut, ScriptedResponse, sse
from gateway.demo.events import ScriptedTurn
from gateway.turns.keepalive import StreamTiming
from tests import upstream_faults
from tests.serving import V1, next_event, payload, rest_of_turn

pytestmark = [
    pytest.mark.accounts("one"),
    pytest.mark.settings(
        connect_timeout=0.2, first_event_timeout=0.2, idle_timeout=0.3
    ),
]

WHOLE = ScriptedTurn().text("one two three").completed()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
MEBIBYTE = b"x" * (1 << 20)
BOMB = zlib.compress(b"0" * 50_000_000)
FOR_EVER = asyncio.Event


def bare(*steps):
    return ScriptedResponse(steps, bare=True)


def endless():
    """Far more than fits, without a line break; the pieces are one object."""
    return ScriptedResponse((sse(WHOLE.events[0]), b"data: ", *[MEBIBYTE] * 1024))


# (what upstream does, code, origin, phase) for what fails before the commit point.
BEFORE = {
    "reset before the headers": (
        upstream_faults.reset_before_headers,
        ("connection_reset", "network", "headers"),
    ),
    "end before the headers": (
        lambda: ScriptedResponse(before=(Cut.EOF,)),
        ("connection_reset", "network", "headers"),
    ),
    "no headers": (
        lambda: ScriptedResponse(before=(FOR_EVER(),)),
        ("upstream_headers_timeout", "upstream", "headers"),
    ),
    "half a status line": (
        lambda: bare(b"HTTP/1.1 20", FOR_EVER()),
        ("upstream_headers_timeout", "upstream", "headers"),
    ),
    "no HTTP": (
        lambda: bare(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        ("connection_reset", "network", "headers"),
    ),
    "100 kB of headers": (
        lambda: bare(HEAD + b"x-large: " + b"h" * 100_000 + b"\r\n\r\n"),
        ("connection_reset", "network", "headers"),
    ),
    "100 kB of many headers": (
        lambda: bare(HEAD + b"x-many: header\r\n" * 7_000 + b"\r\n"),
        ("connection_reset", "network", "headers"),
    ),
    "reset after the headers": (
        upstream_faults.reset_after_headers,
        ("connection_reset", "network", "first_event"),
    ),
    "end after the headers": (
        lambda: ScriptedResponse((Cut.EOF,)),
        ("connection_reset", "network", "first_event"),
    ),
    "an empty answer": (
        ScriptedResponse,
        ("stream_incomplete", "upstream", "first_event"),
    ),
    "no first event": (
        lambda: ScriptedResponse((FOR_EVER(),)),
        ("upstream_first_event_timeout", "upstream", "first_event"),
    ),
    "comments only": (
        lambda: ScriptedResponse.of([b": still here\n\n", 0.05] * 40),
        ("upstream_first_event_timeout", "upstream", "first_event"),
    ),
    "a first event without an end": (
        lambda: ScriptedResponse((b"data: ", *[MEBIBYTE] * 1024)),
        ("stream_event_too_large", "upstream", None),
    ),
    "a page of a portal": (
        upstream_faults.wrong_content_type,
        ("upstream_protocol_error", "upstream", "headers"),
    ),
    "no content type that is known": (
        lambda: ScriptedResponse((b"GIF89a",), headers={"content-type": "image/gif"}),
        ("upstream_protocol_error", "upstream", "headers"),
    ),
    "a gzip bomb": (
        lambda: ScriptedResponse((BOMB,), headers={"content-encoding": "gzip"}),
        ("upstream_protocol_error", "upstream", "headers"),
    ),
    "an error of a gigabyte": (
        lambda: ScriptedResponse(tuple([MEBIBYTE] * 1024), status=500),
        ("upstream_unavailable", "upstream", "headers"),
    ),
    "an error with NULs": (
        lambda: ScriptedResponse((b"\0\xff" * 50,), status=503),
        (None, "upstream", "headers"),
    ),
    "a redirect": (
        lambda: ScriptedResponse(
            status=302, headers={"location": "http://127.0.0.1:1/"}
        ),
        (None, "upstream", "headers"),
    ),
    "bad chunking": (
        upstream_faults.bad_chunking,
        ("connection_reset", "network", None),
    ),
}


@pytest.mark.parametrize("name", BEFORE)
@pytest.mark.gen_test(timeout=20)
async def test_before_the_commit_point(serving, upstream, at_rest, name):
    make, (code, origin, phase) = BEFORE[name]
    upstream.answer(lambda received: make(), times=None)
    async with asyncio.timeout(5):
        answered = await serving.ask(V1, payload())
    assert answered.status in (500, 502, 503)
    told = answered.error
    assert told["origin"] == origin
    if code is not None:
        assert told["code"] == code
    if phase is not None:
        assert told["phase"] == phase
    assert "retry-after" not in answered.headers
    assert "127.0.0.1" not in told["message"]
    (row,) = await serving.rows()
    assert (row["status"], row["error_origin"]) == ("error", origin)
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_an_error_whose_body_never_ends(serving, upstream, at_rest):
    upstream.answer(b'{"error":', FOR_EVER(), status=400)
    async with asyncio.timeout(5):
        answered = await serving.ask(V1, payload())
    assert answered.status == 400
    (row,) = await serving.rows()
    assert row["error_origin"] == "upstream"
    await at_rest()


@asynccontextmanager
async def not_accepting():
    """The port of a listener whose queue is full: SYNs are dropped."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
            waiting.append(one)
        await asyncio.sleep(0)
        yield listener.getsockname()[1]
        for one in waiting:
            one.close()


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.gen_test(timeout=20)
async def test_no_connection(serving, at_rest):
    await serving.restart(upstream_base_url=f"http://127.0.0.1:{closed_port()}/x")
    answered = await serving.ask(V1, payload())
    assert answered.status == 502
    assert answered.error["code"] == "connection_refused"
    assert answered.error["origin"] == "network"
    assert answered.error["phase"] == "connect"
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_a_connection_that_is_not_accepted(serving, at_rest):
    async with not_accepting() as port:
        await serving.restart(
            upstream_base_url=f"http://127.0.0.1:{port}/x", first_event_timeout=5.0
        )
        async with asyncio.timeout(4):
            answered = await serving.ask(V1, payload())
    assert answered.error["code"] == "upstream_connect_timeout"
    assert answered.error["origin"] == "network"
    assert answered.error["phase"] == "connect"
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_a_gigabyte_without_a_line_break_costs_little_memory(
    serving, upstream, at_rest
):
    upstream.answer(endless())
    tracemalloc.start()
    try:
        answered = await serving.ask(V1, payload())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answered.status == 502
    assert peak < 64 << 20  # 16 of the event, and what is on its way
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_many_faults_at_once_leave_nothing(serving, upstream, at_rest):
    """Both transports, every fault, all together; then all is as before."""
    serving.pace = StreamTiming(
        hold=0.2
    )  # for what is no event, and nothing follows it
    await serving.restart()
    kinds = [make for make, _ in BEFORE.values()]
    served = iter(range(10_000))
    key = {"x-api-key": await serving.add_key(limits=["tokens 1000k/5h"])}
    upstream.answer(lambda received: kinds[next(served) % len(kinds)](), times=200)

    async def over_http():
        async with serving.stream(headers=key) as response:
            if response.status == 200:
                await next_event(response)

    async def over_a_socket():
        async with serving.socket(headers=key) as ws:
            await ws.send_json({"type": "response.create", **payload()})
            with_end = asyncio.wait_for(rest_of_turn(ws), 10)
            await asyncio.gather(with_end, return_exceptions=True)

    calls = [over_http() for _ in range(20)] + [over_a_socket() for _ in range(20)]
    await asyncio.gather(*calls, return_exceptions=True)
    await at_rest()
    assert len(await serving.rows(40)) == 40
