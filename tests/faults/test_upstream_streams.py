"""What an upstream may do wrong inside an answer that has begun."""

import pytest

from gateway.demo.answers import Cut, sse
from tests import upstream_faults
from tests.faults.test_upstream_faults import FOR_EVER, MEBIBYTE, WHOLE
from tests.serving import CODEX

pytestmark = [
    pytest.mark.accounts("one"),
    pytest.mark.settings(
        connect_timeout=0.2, first_event_timeout=0.2, idle_timeout=0.3
    ),
]


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
    upstream.answer(upstream_faults.two_terminals())
    answered = await serving.ask(CODEX)
    assert answered.status == 200
    (row,) = await serving.rows()
    assert (row["status"], row["error_code"]) == ("success", None)
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
