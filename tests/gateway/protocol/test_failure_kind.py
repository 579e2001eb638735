"""Every row of the table of failures: which words mean which kind."""

import pytest

from gateway.protocol.failure_kind import KINDS, FailureKind, kind_of
from tests.gateway.failover.test_decision import (
    CONNECT,
    LIMIT,
    RESET,
    SERVER,
    UNAUTHORISED,
    failure,
)


@pytest.mark.parametrize(
    ("met", "kind"),
    [
        (CONNECT, FailureKind.CONNECT),
        (
            failure(code="dns_failure", phase="connect", origin="network"),
            FailureKind.CONNECT,
        ),
        (RESET, FailureKind.CONNECTION_LOST),
        (
            failure(code="stream_incomplete", phase="first_event"),
            FailureKind.CONNECTION_LOST,
        ),
        (
            failure(code="upstream_connect_timeout", phase="connect"),
            FailureKind.TIMEOUT,
        ),
        (failure(code="upstream_first_event_timeout"), FailureKind.TIMEOUT),
        (SERVER, FailureKind.SERVER_ERROR),
        (failure(502), FailureKind.SERVER_ERROR),
        (failure(code="server_error", phase="first_event"), FailureKind.SERVER_ERROR),
        (failure(type="server_error", phase="first_event"), FailureKind.SERVER_ERROR),
        (failure(phase="first_event"), FailureKind.SERVER_ERROR),
        (failure(503), FailureKind.OVERLOADED),
        (failure(503, "server_is_overloaded"), FailureKind.OVERLOADED),
        (failure(code="slow_down", phase="first_event"), FailureKind.OVERLOADED),
        (failure(400, "websocket_connection_limit_reached"), FailureKind.SOCKET_ENDED),
        (failure(426, phase="handshake"), FailureKind.NO_SOCKETS),
        (failure(404, phase="handshake"), FailureKind.NO_SOCKETS),
        (failure(503, phase="handshake"), FailureKind.OVERLOADED),
        (LIMIT, FailureKind.USAGE_LIMIT),
        (failure(429, type="usage_limit_reached"), FailureKind.USAGE_LIMIT),
        (
            failure(code="usage_limit_reached", phase="first_event"),
            FailureKind.USAGE_LIMIT,
        ),
        (failure(429), FailureKind.RATE_LIMIT),
        (
            failure(code="rate_limit_exceeded", phase="first_event"),
            FailureKind.RATE_LIMIT,
        ),
        (failure(429, "insufficient_quota"), FailureKind.QUOTA),
        (failure(429, "usage_not_included"), FailureKind.QUOTA),
        (failure(402), FailureKind.QUOTA),
        (UNAUTHORISED, FailureKind.UNAUTHORISED),
        (failure(code="token_expired", phase="first_event"), FailureKind.UNAUTHORISED),
        (failure(403, "account_deactivated"), FailureKind.LOGIN_REQUIRED),
        (failure(401, "refresh_token_reused"), FailureKind.LOGIN_REQUIRED),
        (failure(403), FailureKind.EDGE_REFUSED),
        (failure(403, body=b"{}"), FailureKind.REFUSED),
        (failure(403, "unsupported_country", body=b"{}"), FailureKind.REFUSED),
        (failure(529), FailureKind.RATE_LIMIT),
        (failure(429, "organization_spend_limit_exceeded"), FailureKind.QUOTA),
        (failure(404, "model_not_found"), FailureKind.MODEL),
        (
            failure(
                400,
                message="The 'gpt-9' model is not supported when using Codex with a "
                "ChatGPT account.",
            ),
            FailureKind.MODEL,
        ),
        # A part of a sentence may be the client's own text, quoted.
        (
            failure(400, message="Invalid value: 'a model that is not supported'."),
            FailureKind.CLIENT,
        ),
        (
            failure(
                400,
                param="input[0].role",
                message="The 'x' model is not supported when using Codex.",
            ),
            FailureKind.CLIENT,
        ),
        (failure(400, "previous_response_not_found"), FailureKind.PREVIOUS_RESPONSE),
        (failure(400, "invalid_request_error"), FailureKind.CLIENT),
        (failure(404), FailureKind.CLIENT),
        (failure(413), FailureKind.CLIENT),
        (failure(code="context_length_exceeded", origin="client"), FailureKind.CLIENT),
        (failure(code="some_new_verdict", phase="first_event"), FailureKind.CLIENT),
        (failure(500, phase="stream"), FailureKind.MID_STREAM),
        (failure(code="stream_incomplete", phase="stream"), FailureKind.MID_STREAM),
        (failure(code="usage_limit_reached", phase="stream"), FailureKind.USAGE_LIMIT),
    ],
)
def test_failures_are_of_the_kind_their_words_say(met, kind):
    assert kind_of(met) is kind


def test_every_kind_has_a_row():
    assert set(KINDS) == set(FailureKind)
