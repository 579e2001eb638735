"""Every row of the table that answers a failed attempt."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.failover.decision import (
    LAST_ATTEMPT_SECONDS,
    LONGEST_INNER_WAIT,
    Attempt,
    Elsewhere,
    GiveUp,
    RetryBudget,
    RetryHere,
    WaitOut,
    decide,
)
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import KINDS, FailureKind, kind_of


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


FIRST = Attempt(accounts_left=1)
SECOND = Attempt(accounts_left=1, here=2)
ALONE = Attempt(accounts_left=0)


@pytest.mark.parametrize(
    "met",
    [
        CONNECT,
        RESET,
        SERVER,
        failure(503),
        failure(503, "server_is_overloaded"),
        failure(code="upstream_headers_timeout"),
        failure(403, body=b"{}"),
        failure(403),
    ],
)
def test_what_concerns_no_account_is_repeated_once_here_and_once_elsewhere(met):
    assert decide(met, FIRST) == RetryHere(0.2, costs_budget=True)
    assert decide(met, SECOND) == Elsewhere(costs_budget=True)
    assert decide(met, ALONE) == RetryHere(0.2, costs_budget=True)
    assert isinstance(decide(met, Attempt(accounts_left=0, here=2)), GiveUp)
    # The same at two accounts is the request's own, or upstream's.
    other = Attempt(5, moved_by=FailureKind.SOCKET_ENDED)
    assert isinstance(decide(met, other), RetryHere)
    assert isinstance(decide(met, replace(other, here=2)), GiveUp)
    assert isinstance(decide(met, Attempt(5, moved_by=kind_of(met))), GiveUp)


def test_while_upstream_is_in_trouble_a_request_has_one_attempt_or_a_second_try():
    troubled = Attempt(accounts_left=1, troubled=True)
    second = Elsewhere(costs_budget=True, is_second_try=True)
    assert decide(SERVER, troubled) == second
    assert isinstance(decide(SERVER, Attempt(0, troubled=True)), GiveUp)
    assert decide(LIMIT, troubled) == Elsewhere()


@pytest.mark.parametrize(
    "met",
    [
        LIMIT,
        failure(429),
        failure(529),
        failure(429, "insufficient_quota"),
        failure(403, "account_deactivated"),
        failure(404, "model_not_found"),
        failure(426, phase="handshake"),
    ],
)
def test_what_concerns_one_account_goes_to_every_other_whatever_the_budget(met):
    assert decide(met, FIRST) == Elsewhere()
    assert decide(met, Attempt(1, here=3, moved_by=FailureKind.TIMEOUT)) == Elsewhere()
    assert isinstance(decide(met, ALONE), GiveUp)


def test_a_401_asks_the_judge_once_and_then_goes_elsewhere():
    asked = RetryHere(0.0, asks_judge=True)
    assert decide(UNAUTHORISED, FIRST) == decide(UNAUTHORISED, ALONE) == asked
    again = Attempt(accounts_left=1, here=2, judged=True)
    assert decide(UNAUTHORISED, again) == Elsewhere()
    assert isinstance(decide(UNAUTHORISED, Attempt(0, here=2, judged=True)), GiveUp)


@pytest.mark.parametrize("met", [failure(429), failure(529)])
def test_a_short_limit_is_waited_out_when_all_were_tried(met):
    assert decide(met, Attempt(accounts_left=1, wait=1.0)) == Elsewhere()
    assert decide(met, Attempt(accounts_left=0, wait=1.0)) == WaitOut(1.0)
    assert decide(met, Attempt(accounts_left=0, wait=-0.1)) == WaitOut(0.0)
    assert isinstance(decide(met, Attempt(accounts_left=0, wait=5.1)), GiveUp)
    assert isinstance(decide(LIMIT, Attempt(accounts_left=0, wait=1.0)), GiveUp)


def test_a_wait_that_upstream_in_trouble_asks_for_is_the_clients():
    asked = failure(503, retry_after=3.0)
    assert decide(asked, FIRST) == Elsewhere(costs_budget=True)
    assert isinstance(decide(asked, ALONE), GiveUp)
    short = failure(503, retry_after=0.2)
    assert decide(short, ALONE) == RetryHere(0.2, costs_budget=True)


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


def test_a_bound_request_never_leaves_its_account():
    bound = Attempt(accounts_left=3, bound=True)
    assert isinstance(decide(SERVER, bound), RetryHere)
    assert isinstance(decide(LIMIT, bound), GiveUp)


def test_a_spent_socket_is_replaced_at_the_same_account():
    ended = failure(400, "websocket_connection_limit_reached")
    assert decide(ended, FIRST) == RetryHere(0.2)
    assert decide(ended, SECOND) == Elsewhere()


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
    body=st.none() | st.just(b"{}"),
)
attempts = st.builds(
    Attempt,
    accounts_left=st.integers(0, 20),
    here=st.integers(1, 10),
    moved_by=st.none() | st.sampled_from(FailureKind),
    elapsed=st.floats(0, 1e4),
    judged=st.booleans(),
    bound=st.booleans(),
    troubled=st.booleans(),
    wait=st.none() | st.floats(-1, 1e4),
)


@given(failures, attempts)
def test_every_decision_keeps_the_bounds(met, attempt):
    decision = decide(met, attempt)
    match decision:
        case GiveUp(why=why):
            assert why
            return
        case RetryHere(after=after) | WaitOut(after=after):
            assert 0 <= after <= LONGEST_INNER_WAIT
        case Elsewhere():
            assert attempt.accounts_left > 0
            assert not attempt.bound
    assert attempt.elapsed <= LAST_ATTEMPT_SECONDS
    assert kind_of(met) is not FailureKind.MID_STREAM


@given(failures)
def test_every_request_comes_to_an_end(met):
    left, here, judged, moved, waited = 20, 1, False, None, False
    for _ in range(100):
        wait = None if waited else 1.0
        attempt = Attempt(left, here, moved, judged=judged, wait=wait)
        match decide(met, attempt):
            case GiveUp():
                return
            case Elsewhere(costs_budget=costs):
                left, here, judged = left - 1, 1, False
                moved = kind_of(met) if costs else moved
            case RetryHere(asks_judge=asks):
                here, judged = here + 1, judged or asks
            case WaitOut():
                waited, here = True, 1
    raise AssertionError("still trying after 100 attempts")


PAID = RetryHere(0.2, costs_budget=True)


def test_budget_is_a_tenth_of_a_minute_and_never_below_three():
    budget = RetryBudget()
    budget.count(1, 0.0)
    assert [budget.allow(PAID, 1, 0.0) for _ in range(3)] == [PAID] * 3
    assert isinstance(budget.allow(PAID, 1, 1.0), GiveUp)
    assert budget.refused == 1
    for _ in range(99):
        budget.count(1, 2.0)
    assert [budget.allow(PAID, 1, 3.0) for _ in range(7)] == [PAID] * 7
    assert isinstance(budget.allow(PAID, 1, 3.0), GiveUp)
    assert budget.allow(PAID, 1, 63.5) == PAID


def test_one_client_cannot_spend_the_budget_of_another():
    budget = RetryBudget()
    for client in ("a", "b"):
        budget.count(client, 0.0)
    assert budget.allow(PAID, "a", 0.0) == PAID
    assert isinstance(budget.allow(PAID, "a", 0.0), GiveUp)
    assert budget.allow(PAID, "b", 0.0) == PAID
    # Alone again, all of it is its own.
    budget.count("a", 90.0)
    assert [budget.allow(PAID, "a", 90.0) for _ in range(3)] == [PAID] * 3


def test_who_comes_later_finds_its_share():
    budget = RetryBudget()
    budget.count("a", 0.0)
    assert [budget.allow(PAID, "a", 0.0) for _ in range(3)] == [PAID] * 3
    budget.count("b", 1.0)
    assert budget.allow(PAID, "b", 1.0) == PAID
    for late in "cdefg":
        budget.count(late, 2.0)
        budget.allow(PAID, late, 2.0)
    assert len(budget._repeats) <= 6


def test_what_costs_no_budget_is_always_allowed():
    budget = RetryBudget()
    for free in (Elsewhere(), WaitOut(1.0), RetryHere(0.0, asks_judge=True)):
        assert [budget.allow(free, 1, 0.0) for _ in range(20)] == [free] * 20


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from("abc"), st.floats(0, 30)),
        max_size=200,
    )
)
def test_budget_holds_in_every_minute(steps):
    budget, now, begun, repeated = RetryBudget(), 0.0, [], []
    for is_request, client, pause in steps:
        now += pause
        if is_request:
            budget.count(client, now)
            begun.append(now)
        elif budget.allow(PAID, client, now) == PAID:
            repeated.append(now)
            recent = sum(at > now - 60 for at in begun)
            assert sum(at > now - 60 for at in repeated) <= 2 * max(3, recent // 10)
