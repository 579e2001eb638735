"""What a failure is, beside its kind."""

import pytest

from gateway.protocol.facts import Failure, LoggedError

REDACTED = LoggedError("c", None, None, "what may be kept")


def failure(**fields):
    return Failure(
        **{"phase": "headers", "origin": "upstream", "message": "m", **fields}
    )


@pytest.mark.parametrize(
    ("fields", "is_answer"),
    [
        ({"status": 400}, True),
        ({"status": 599}, True),
        ({"status": 399}, False),
        ({"status": 600}, False),
        ({"status": 502, "phase": "connect"}, False),
        ({"status": 429, "phase": "stream"}, True),
        ({}, False),
        ({"body": b""}, True),
        ({"body": b"{}", "phase": "stream"}, True),
        ({"status": 200, "body": b"{}"}, False),
    ],
)
def test_an_answer_is_what_upstream_itself_said_of_the_request(fields, is_answer):
    assert failure(**fields).is_answer is is_answer


def test_the_log_has_what_is_redacted_else_its_own_words():
    made = failure(code="a", type="b", param="p")
    assert made.logged == LoggedError("a", "b", "p", "m")
    assert failure(code="a", redacted=REDACTED).logged == REDACTED


def test_another_phase_is_another_failure_that_is_the_same_otherwise():
    made = failure(code="a", status=500)
    moved = made.in_phase("stream")
    assert (made.phase, moved.phase) == ("headers", "stream")
    assert moved.in_phase("headers") == made
