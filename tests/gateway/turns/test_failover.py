"""Every row of the table that answers a failed attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import KINDS, FailureKind, kind_of
from gateway.turns.failover import (
    LAST_ATTEMPT_SECONDS,
    LONGEST_RETRY_WAIT,
    MAX_ALONE,
    MAX_ATTEMPTS,
    Attempt,
    Elsewhere,
    GiveUp,
    RetryBudget,
    RetryHere,
    decide,
)


def failure(status=None, code=None, **fields):
    fields.setdefault("phase", "headers")
    fields.setdefault("origin", "upstream")
    fields.setdefault("message", "no")
    return Failure(status=status, code=code, **fields)


CONNECT = failure(code="connection_refused", phase="connect", origin="network")
RESET = failure(code="connection_reset", origin="network")
SERVER = failure(500)
LIMIT = failure(429, "usage_limit_reached")
UNAUTHORISED = failure(401)


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
        (failure(403), FailureKind.REFUSED),
        (failure(403, "unsupported_country"), FailureKind.CLIENT),
        (failure(404, "model_not_found"), FailureKind.MODEL),
        (
            failure(
                400,
                message="The 'gpt-9' model is not supported when using Codex with a "
                "ChatGPT account.",
            ),
            FailureKind.MODEL,
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


FIRST = Attempt(number=1, accounts_left=1)
SECOND = Attempt(number=2, here=2, accounts_left=1)
ALONE = Attempt(number=1, accounts_left=0)


@pytest.mark.parametrize("met", [CONNECT, RESET, SERVER])
def test_a_passing_fault_is_tried_again_here_and_then_elsewhere(met):
    assert decide(met, FIRST) == RetryHere(0.2, costs_budget=True)
    assert decide(met, SECOND) == Elsewhere(0.0, costs_budget=True)
    assert decide(met, ALONE) == RetryHere(0.2, costs_budget=True)
    last = Attempt(number=MAX_ALONE, here=MAX_ALONE, accounts_left=0)
    assert isinstance(decide(met, last), GiveUp)


@pytest.mark.parametrize(
    "met", [failure(503), failure(code="upstream_headers_timeout")]
)
def test_a_busy_or_silent_upstream_is_left_for_another_account(met):
    assert decide(met, FIRST) == Elsewhere(0.0, costs_budget=True)
    assert isinstance(decide(met, ALONE), RetryHere)


@pytest.mark.parametrize(
    "met",
    [
        LIMIT,
        failure(429, "insufficient_quota"),
        failure(403, "account_deactivated"),
        failure(403),
        failure(404, "model_not_found"),
        failure(426, phase="handshake"),
    ],
)
def test_an_accounts_own_trouble_goes_elsewhere_whatever_the_budget(met):
    assert decide(met, FIRST) == Elsewhere(0.0)
    assert isinstance(decide(met, ALONE), GiveUp)
    many = Attempt(number=15, accounts_left=1)
    assert decide(met, many) == Elsewhere(0.0)


def test_a_401_refreshes_once_and_then_goes_elsewhere():
    assert decide(UNAUTHORISED, FIRST) == RetryHere(0.0, refresh=True)
    assert decide(UNAUTHORISED, ALONE) == RetryHere(0.0, refresh=True)
    again = Attempt(number=2, here=2, accounts_left=1, refreshed=True)
    assert decide(UNAUTHORISED, again) == Elsewhere(0.0)
    alone = Attempt(number=2, here=2, accounts_left=0, refreshed=True)
    assert isinstance(decide(UNAUTHORISED, alone), GiveUp)


def test_a_short_rate_limit_is_waited_out_only_without_another_account():
    fast = failure(429, "rate_limit_exceeded", retry_after=1.5)
    assert decide(fast, FIRST) == Elsewhere(0.0)
    assert decide(fast, ALONE) == RetryHere(1.5)
    slow = failure(429, "rate_limit_exceeded", retry_after=90.0)
    assert isinstance(decide(slow, ALONE), GiveUp)


def test_retry_after_is_honoured():
    asked = failure(500, retry_after=2.0)
    assert decide(asked, FIRST) == Elsewhere(0.0, costs_budget=True)
    assert decide(asked, ALONE) == RetryHere(2.0, costs_budget=True)


@pytest.mark.parametrize(
    "met",
    [
        failure(400, "previous_response_not_found"),
        failure(400, "invalid_request_error"),
        failure(code="context_length_exceeded", origin="client"),
        failure(500, phase="stream"),
    ],
)
def test_what_repeating_cannot_help_passes(met):
    assert isinstance(decide(met, FIRST), GiveUp)


def test_a_pinned_request_never_leaves_its_account():
    pinned = Attempt(number=1, accounts_left=3, pinned=True)
    assert isinstance(decide(SERVER, pinned), RetryHere)
    assert isinstance(decide(LIMIT, pinned), GiveUp)


def test_a_spent_socket_is_replaced_at_the_same_account():
    ended = failure(400, "websocket_connection_limit_reached")
    assert decide(ended, FIRST) == RetryHere(0.2)
    assert decide(ended, SECOND) == Elsewhere(0.0)


failures = st.builds(
    Failure,
    phase=st.sampled_from(["connect", "handshake", "headers", "first_event", "stream"]),
    origin=st.sampled_from(["client", "gateway", "account", "upstream", "network"]),
    message=st.text(max_size=40),
    status=st.none() | st.integers(400, 599),
    code=st.none()
    | st.sampled_from(["server_error", "usage_limit_reached", "rate_limit_exceeded"])
    | st.text(max_size=20),
    retry_after=st.none() | st.floats(0, 1e9),
)
attempts = st.builds(
    Attempt,
    number=st.integers(1, 30),
    accounts_left=st.integers(0, 20),
    here=st.integers(1, 10),
    elapsed=st.floats(0, 1e4),
    refreshed=st.booleans(),
    pinned=st.booleans(),
)


@given(failures, attempts)
def test_every_decision_keeps_the_bounds(met, attempt):
    decision = decide(met, attempt)
    if isinstance(decision, GiveUp):
        assert decision.why
        return
    assert 0 <= decision.after <= LONGEST_RETRY_WAIT
    assert attempt.elapsed <= LAST_ATTEMPT_SECONDS
    assert met.phase != "stream" or kind_of(met) is not FailureKind.MID_STREAM
    assert not decision.costs_budget or attempt.number < MAX_ATTEMPTS
    if isinstance(decision, Elsewhere):
        assert attempt.accounts_left > 0
        assert not attempt.pinned


@given(failures)
def test_every_request_comes_to_an_end(met):
    left, here, number, refreshed = 20, 1, 1, False
    for _ in range(100):
        attempt = Attempt(number, left, here, refreshed=refreshed)
        match decide(met, attempt):
            case GiveUp():
                return
            case Elsewhere():
                left, here, refreshed = left - 1, 1, False
            case RetryHere(refresh=refresh):
                here, refreshed = here + 1, refreshed or refresh
        number += 1
    raise AssertionError("still trying after 100 attempts")


PAID = RetryHere(0.2, costs_budget=True)


def test_budget_is_a_tenth_of_a_minute_and_never_below_three():
    budget = RetryBudget()
    assert [budget.allow(PAID, 0.0) for _ in range(3)] == [PAID] * 3
    assert isinstance(budget.allow(PAID, 1.0), GiveUp)
    assert budget.refused == 1
    for _ in range(100):
        budget.count(2.0)
    assert [budget.allow(PAID, 3.0) for _ in range(7)] == [PAID] * 7
    assert isinstance(budget.allow(PAID, 3.0), GiveUp)
    assert budget.allow(PAID, 63.5) == PAID


def test_what_costs_no_budget_is_always_allowed():
    budget = RetryBudget()
    for _ in range(20):
        assert budget.allow(Elsewhere(0.0), 0.0) == Elsewhere(0.0)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 30)), max_size=200))
def test_budget_holds_in_every_minute(steps):
    budget, now, begun, repeated = RetryBudget(), 0.0, [], []
    for is_request, pause in steps:
        now += pause
        if is_request:
            budget.count(now)
            begun.append(now)
        elif budget.allow(PAID, now) == PAID:
            repeated.append(now)
            recent = sum(at > now - 60 for at in begun)
            assert sum(at > now - 60 for at in repeated) <= max(3, recent // 10)
