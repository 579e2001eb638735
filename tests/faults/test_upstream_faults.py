"""Everything an upstream may do wrong: the right deadline, the right error, whose fault
it is, and nothing left behind."""

import asyncio
import socket
import tracemalloc
import zlib
from contextlib import asynccontextmanager

import aiohttp
import pytest

from gateway.demo import faults
from gateway.demo.answers import Answer, Close, Cut, sse
from gateway.demo.events import Turn
from gateway.pace import Pace
from tests.serving import CODEX, V1, next_event, payload, rest_of_turn, turn_on, until

pytestmark = [
    pytest.mark.accounts("one"),
    pytest.mark.settings(
        connect_timeout=0.2, first_event_timeout=0.2, idle_timeout=0.3
    ),
]

WHOLE = Turn().text("one two three").completed()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
MEBIBYTE = b"x" * (1 << 20)
BOMB = zlib.compress(b"0" * 50_000_000)
FOR_EVER = asyncio.Event


def bare(*steps):
    return Answer(steps, bare=True)


def endless():
    """Far more than fits, without a line break; the pieces are one object."""
    return Answer((sse(WHOLE.events[0]), b"data: ", *[MEBIBYTE] * 1024))


# (what upstream does, code, origin, phase) for what fails before the commit point.
BEFORE = {
    "reset before the headers": (
        faults.reset_before_headers,
        ("connection_reset", "network", "headers"),
    ),
    "end before the headers": (
        lambda: Answer(before=(Cut.EOF,)),
        ("connection_reset", "network", "headers"),
    ),
    "no headers": (
        lambda: Answer(before=(FOR_EVER(),)),
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
        faults.reset_after_headers,
        ("connection_reset", "network", "first_event"),
    ),
    "end after the headers": (
        lambda: Answer((Cut.EOF,)),
        ("connection_reset", "network", "first_event"),
    ),
    "an empty answer": (
        Answer,
        ("stream_incomplete", "upstream", "first_event"),
    ),
    "no first event": (
        lambda: Answer((FOR_EVER(),)),
        ("upstream_first_event_timeout", "upstream", "first_event"),
    ),
    "comments only": (
        lambda: Answer.of([b": still here\n\n", 0.05] * 40),
        ("upstream_first_event_timeout", "upstream", "first_event"),
    ),
    "a first event without an end": (
        lambda: Answer((b"data: ", *[MEBIBYTE] * 1024)),
        ("stream_event_too_large", "upstream", None),
    ),
    "a page of a portal": (
        faults.wrong_content_type,
        ("upstream_protocol_error", "upstream", "headers"),
    ),
    "no content type that is known": (
        lambda: Answer((b"GIF89a",), headers={"content-type": "image/gif"}),
        ("upstream_protocol_error", "upstream", "headers"),
    ),
    "a gzip bomb": (
        lambda: Answer((BOMB,), headers={"content-encoding": "gzip"}),
        ("upstream_protocol_error", "upstream", "headers"),
    ),
    "an error of a gigabyte": (
        lambda: Answer(tuple([MEBIBYTE] * 1024), status=500),
        ("upstream_unavailable", "upstream", "headers"),
    ),
    "an error with NULs": (
        lambda: Answer((b"\0\xff" * 50,), status=503),
        (None, "upstream", "headers"),
    ),
    "a redirect": (
        lambda: Answer(status=302, headers={"location": "http://127.0.0.1:1/"}),
        (None, "upstream", "headers"),
    ),
    "bad chunking": (
        faults.bad_chunking,
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
    assert answered.status in (502, 503, 504)
    told = answered.error
    assert told["origin"] == origin
    if code is not None:
        assert told["code"] == code
    if phase is not None:
        assert told["phase"] == phase
    assert "retry-after" in answered.headers
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


# (the steps after the first events, code, origin) for what fails after it.
AFTER = {
    "reset": ((Cut.RESET,), ("stream_incomplete", "network")),
    "end": ((Cut.EOF,), ("stream_incomplete", "network")),
    "a clean end": ((), ("stream_incomplete", "upstream")),
    "half an event and an end": (
        (b'event: response.output_text.delta\ndata: {"ty', Cut.EOF),
        ("stream_incomplete", "network"),
    ),
    "half an event and a reset": ((b"data: {", Cut.RESET), None),
    "silence": ((FOR_EVER,), ("stream_idle_timeout", "upstream")),
    "half an event and silence": (
        (b"data: {", FOR_EVER),
        ("stream_idle_timeout", "upstream"),
    ),
    "a gigabyte without a line break": (
        (b"data: ", *[MEBIBYTE] * 1024),
        ("stream_event_too_large", "upstream"),
    ),
}


@pytest.mark.parametrize("name", AFTER)
@pytest.mark.gen_test(timeout=20)
async def test_after_the_commit_point(serving, upstream, at_rest, name):
    steps, told = AFTER[name]
    steps = [step() if step is FOR_EVER else step for step in steps]
    upstream.answer(*WHOLE.events[:6], *steps)
    answered = await serving.ask(CODEX)
    assert answered.status == 200
    assert answered.body.endswith(b"\n\n")
    assert answered.types[:6] == [event["type"] for event in WHOLE.events[:6]]
    last = answered.events[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["id"] == WHOLE.id
    code, origin = told or ("stream_incomplete", "network")
    assert last["response"]["error"]["code"] == code
    assert last["response"]["error"]["origin"] == origin
    (row,) = await serving.rows()
    assert (row["status"], row["error_code"]) == ("error", code)
    assert (row["error_origin"], row["error_phase"]) == (origin, "stream")
    await at_rest()


def odd(text):
    """An event whose JSON holds these bytes as they are."""
    data = b'{"type":"response.output_text.delta","delta":"' + text + b'"}'
    return b"event: response.output_text.delta\ndata: " + data + b"\n\n"


PASSING = {
    "no utf-8": odd(b"\xff\xfe\x80 \xc3"),
    "NULs": odd(b"\0\0\0"),
    "half characters": odd("a\u00e4\u20ac\U0001f600z".encode()),
    "an unknown event": b'event: new.thing\ndata: {"type":"new.thing"}\n\n',
    "no JSON": b"event: x\ndata: this is no JSON {\n\n",
    "CR line ends": b'data: {"type":"new.thing"}\r\r',
    "a BOM inside": b'\xef\xbb\xbfdata: {"type":"new.thing"}\n\n',
    "a megabyte": odd(b"y" * 1_000_000),
}


@pytest.mark.parametrize("size", [1, 7, 1 << 16], ids="{} a piece".format)
@pytest.mark.parametrize("name", PASSING)
@pytest.mark.gen_test(timeout=20)
async def test_odd_bytes_pass_as_they_are(serving, upstream, at_rest, name, size):
    if name == "a megabyte" and size < 1000:
        size *= 50
    events = [*map(sse, WHOLE.events[:6]), PASSING[name], *map(sse, WHOLE.events[6:])]
    whole = b"".join(events)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    upstream.answer(*pieces)
    answered = await serving.ask(CODEX)
    assert answered.body == whole
    (row,) = await serving.rows()
    assert row["status"] == "success"
    await at_rest()


@pytest.mark.gen_test
async def test_only_the_first_terminal_event_counts(serving, upstream, at_rest):
    upstream.answer(faults.two_terminals())
    answered = await serving.ask(CODEX)
    assert answered.status == 200
    (row,) = await serving.rows()
    assert (row["status"], row["error_code"]) == ("success", None)
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
async def test_drips_are_patience_not_silence(serving, upstream, at_rest):
    """Each byte comes within the deadline, all of them take longer than it."""
    head, rest = WHOLE.events[:6], b"".join(map(sse, WHOLE.events[6:]))
    slow = [step for at in range(40) for step in (rest[at : at + 1], 0.02)]
    upstream.answer(*head, *slow, rest[40:])
    answered = await serving.ask(CODEX)
    assert answered.types[-1] == "response.completed"
    await at_rest()


ON_SOCKETS = {
    "a close": ((Close(1011),), 1011),
    "a reset": ((Cut.RESET,), 1011),
    "an end": ((Cut.EOF,), 1011),
    "silence": ((FOR_EVER,), 1011),
}


@pytest.mark.parametrize("name", ON_SOCKETS)
@pytest.mark.gen_test(timeout=20)
async def test_inside_a_turn_on_a_socket(serving, upstream, at_rest, name):
    steps, code = ON_SOCKETS[name]
    steps = [step() if step is FOR_EVER else step for step in steps]
    upstream.answer(*WHOLE.events[:6], *steps)
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        kinds = [(await ws.receive_json(timeout=5))["type"] for _ in range(6)]
        assert kinds == [event["type"] for event in WHOLE.events[:6]]
        assert (await ws.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == code
    (row,) = await serving.rows()
    assert (row["status"], row["error_phase"]) == ("error", "stream")
    await at_rest()


HANDSHAKES = {
    "no answer": (lambda: Answer(before=(FOR_EVER(),)), "handshake"),
    "a reset": (faults.reset_before_headers, None),
    "a page": (faults.wrong_content_type, None),
    "an error": (faults.server_error, None),
    "100 kB of headers": (
        lambda: bare(HEAD + b"x-large: " + b"h" * 100_000 + b"\r\n\r\n"),
        None,
    ),
}


@pytest.mark.parametrize("name", HANDSHAKES)
@pytest.mark.gen_test(timeout=20)
async def test_in_the_handshake(serving, upstream, at_rest, name):
    make, phase = HANDSHAKES[name]
    upstream.answer(lambda received: make(), route="handshake", times=None)
    async with serving.socket() as ws:
        (event,) = await turn_on(ws)
    assert event["type"] == "error"
    assert event["status"] in (502, 503, 504)
    assert event["error"]["origin"] in ("network", "upstream")
    if phase is not None:
        assert event["error"]["phase"] == phase
    (row,) = await serving.rows()
    assert row["status"] == "error"
    await at_rest()


FRAMES = {
    "a masked frame": b"\x81\x85\0\0\0\0hello",
    "a reserved bit": b"\xf1\x05hello",
    "a reserved opcode": b"\x83\x05hello",
    "a fragment out of order": b"\x80\x05hello",
    "a long ping": b"\x89\x7e\x00\x80" + b"p" * 128,
    "a compressed frame": b"\xc1\x05hello",
    "a frame of a terabyte": b"\x81\x7f\0\0\x01\0\0\0\0\0",
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.gen_test(timeout=20)
async def test_frames_that_break_the_protocol(serving, upstream, at_rest, name):
    upstream.answer(*WHOLE.events[:6], FOR_EVER())
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        for _ in range(6):
            await ws.receive_json(timeout=5)
        (conversation,) = upstream.open_sockets
        conversation._request.transport.write(FRAMES[name])
        assert (await ws.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == 1011
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_a_text_that_is_no_utf_8_passes_as_it_is(serving, upstream, at_rest):
    """Its client then hangs up, and has that noted."""
    upstream.answer(*WHOLE.events[:6], FOR_EVER())
    async with serving.socket() as ws:
        await ws.send_json({"type": "response.create", **payload()})
        for _ in range(6):
            await ws.receive_json(timeout=5)
        (conversation,) = upstream.open_sockets
        conversation._request.transport.write(b"\x81\x04\xff\xfe{}")
        assert (await ws.receive(timeout=5)).data.code == 1007
    (row,) = await serving.rows()
    assert row["status"] == "interrupted"
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_only_the_first_terminal_frame_counts(serving, upstream, at_rest):
    """What comes after it is not taken for the beginning of the next turn."""
    upstream.answer(faults.two_terminals())
    async with serving.socket() as ws:
        for _ in range(2):
            kinds = [event["type"] for event in await turn_on(ws)]
            assert kinds.count("response.created") == 1
            assert kinds[-1] == "response.completed"
    rows = await serving.rows(2)
    assert {(row["status"], row["error_code"]) for row in rows} == {("success", None)}
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_a_socket_that_dies_between_turns_is_not_noticed(
    serving, upstream, at_rest
):
    async with serving.socket() as ws:
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
        (conversation,) = upstream.open_sockets
        conversation._request.transport.abort()
        await until(lambda: not upstream.open_sockets)
        assert (await turn_on(ws))[-1]["type"] == "response.completed"
    await at_rest()


@pytest.mark.gen_test(timeout=20)
async def test_many_faults_at_once_leave_nothing(serving, upstream, at_rest):
    """Both transports, every fault, all together; then all is as before."""
    serving.pace = Pace(hold=0.2)  # for what is no event, and nothing follows it
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
