"""Upstream breaks off, closes, refuses handshakes or says nothing."""

from gateway.demo import faults
from gateway.demo.answers import Close, Cut, ScriptedResponse
from gateway.demo.events import ScriptedTurn
from tests.tools.cli_failures.row import (
    HTTP,
    SOCKETS,
    Row,
    always,
    error,
    once,
    shorter,
)

TURN = ScriptedTurn().text("half an answer").completed().events
BEGUN, INSIDE, ITEM_DONE = 2, 5, 10  # events: nothing said yet; half of it; all of it
ALIVE = 9 * ({"type": "codex.keepalive"}, 1.0)
NO_ANSWER = "no answer came: 502 in words of the gateway's"
BROKEN = "a break is told as one: `response.failed`, or a close with 1011"


def cut(events: int, how: Cut | Close) -> ScriptedResponse:
    return ScriptedResponse((*TURN[:events], how))


CUTS = (
    *(
        Row(f"{name} {where}, {word}", often(cut(events, how)), rule=BROKEN)
        for name, how in (("reset", Cut.RESET), ("gone", Cut.EOF))
        for where, events in (("before any output", BEGUN), ("inside", INSIDE))
        for word, often in (("once", once), ("always", always))
    ),
    Row("reset after a finished item, once", once(cut(ITEM_DONE, Cut.RESET))),
    Row(
        "ends without response.completed, always",
        always(ScriptedResponse.of(TURN[:INSIDE])),
        transports=HTTP,
        rule=BROKEN,
    ),
    Row("response.incomplete", always(ScriptedTurn().text("so").incomplete().answer())),
    Row(
        "reset before the headers",
        always(ScriptedResponse(before=(Cut.RESET,))),
        rule=NO_ANSWER,
    ),
    Row("reset before the headers, once", once(ScriptedResponse(before=(Cut.RESET,)))),
    Row("nobody listens for 5 s", lambda upstream: None, outage=5.0),
)
CLOSES = (
    *(
        Row(
            f"closed with {code} {where}, once",
            once(cut(events, Close(code))),
            transports=SOCKETS,
        )
        for code in (1000, 1001, 1009, 1011, 1012)
        for where, events in (("before an event", 0), ("inside", INSIDE))
    ),
    Row(
        "closed with 1011 before an event, always",
        always(cut(0, Close(1011))),
        transports=SOCKETS,
        rule=BROKEN,
    ),
    Row(
        "closed with 1011 inside, always",
        always(cut(INSIDE, Close(1011))),
        transports=SOCKETS,
        rule=BROKEN,
    ),
    Row(
        "previous_response_not_found, once",
        once(faults.previous_response_not_found("resp_x")),
        transports=SOCKETS,
    ),
    Row(
        "failed: previous_response_not_found, once",
        once(ScriptedTurn().failed("previous_response_not_found", "gone").answer()),
        transports=SOCKETS,
    ),
    Row(
        "websocket_connection_limit_reached, once",
        once(error(400, "websocket_connection_limit_reached", "too old")),
        transports=SOCKETS,
    ),
)
A_BODY = "the body of a refused handshake, which the client does not always read"
HANDSHAKES = (
    *(
        Row(
            f"handshake: {name}",
            always(answer, "handshake"),
            transports=SOCKETS,
            counted="handshake",
            inner_wait=1.0 if name == "429" else 0.0,
            rule=A_BODY,
        )
        for name, answer in (
            ("426", error(426, "upgrade_required", "no")),
            ("400", error(400, "invalid_request_error", "no")),
            ("429", error(429, "rate_limit_exceeded", "slower")),
            ("429 usage_limit_reached", faults.usage_limit()),
            ("401", faults.unauthorized()),
            ("403", error(403, "forbidden", "no")),
            ("404", error(404, "not_found", "no")),
            ("500", faults.server_error()),
            ("502", error(502, "bad_gateway", "bad")),
            ("503", faults.unavailable()),
            ("reset", ScriptedResponse(before=(Cut.RESET,))),
        )
    ),
    Row(
        "handshake: 503, once",
        once(faults.unavailable(), "handshake"),
        transports=SOCKETS,
        counted="handshake",
    ),
    Row(
        "handshake: 503 with Retry-After 2, once",
        once(faults.unavailable(2), "handshake"),
        transports=SOCKETS,
        counted="handshake",
    ),
    Row(
        "handshake: no answer",
        always(ScriptedResponse(before=(60.0,), status=503), "handshake"),
        transports=SOCKETS,
        counted="handshake",
        options=shorter(websocket_connect_timeout_ms=2_000),
        settings={"CONNECT_TIMEOUT": "1"},
        longer="a timeout is repeated, here and elsewhere",
    ),
    Row(
        "handshake: messages of 1,000 bytes at most",
        always(
            ScriptedResponse(
                status=101, headers={"x-codex-websocket-max-message-bytes": "1000"}
            ),
            "handshake",
        ),
        transports=SOCKETS,
    ),
)
SILENCE = (
    Row(
        "headers after 20 s, once",
        once(ScriptedTurn().text("late").completed().answer().after(20.0)),
    ),
    Row(
        "silence inside",
        always(ScriptedResponse((*TURN[:INSIDE], 60.0))),
        options=shorter(stream_idle_timeout_ms=2_000),
    ),
    Row(
        "unknown events in the silence",
        always(ScriptedResponse((*TURN[:BEGUN], *ALIVE, *TURN[BEGUN:]))),
        options=shorter(stream_idle_timeout_ms=7_000),
    ),
)
ROWS = (*CUTS, *CLOSES, *HANDSHAKES, *SILENCE)
