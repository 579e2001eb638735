"""Every row of the table that answers a failed attempt."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.failover.decision import (
    LAST_ATTEMPT_SECONDS,
    Attempt,
    Elsewhere,
    GiveUp,
    RetryHere,
    WaitOut,
    decide,
)
from gateway.failover.inner_wait import LONGEST_INNER_WAIT, short_limit
from gateway.protocol.facts import Failure
from gateway.protocol.failure_kind import FailureKind, kind_of


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


@pytest.mark.parametrize("met", [LIMIT, replace(LIMIT, named_limit="codex_small")])
def test_a_window_that_ends_in_a_moment_is_a_short_limit(met):
    """Upstream tells its end in whole seconds: it may be over, and not yet so."""
    for left, wait in ((-0.9, 1.0), (0.0, 1.0), (1.5, 1.5), (5.0, 5.0)):
        assert short_limit(replace(met, resets_at=100.0 + left), 100.0) == wait
    for resets_at in (105.1, 3_700.0, None):
        assert short_limit(replace(met, resets_at=resets_at), 100.0) is None
    assert decide(met, Attempt(accounts_left=0, wait=1.0)) == WaitOut(1.0)
    assert decide(met, Attempt(accounts_left=1, wait=1.0)) == Elsewhere()


def test_a_short_limit_is_as_long_as_it_is_told_else_a_second():
    assert short_limit(failure(429, retry_after=50.0), 100.0) == 50.0
    assert short_limit(failure(429, resets_at=102.0), 100.0) == 2.0
    assert short_limit(failure(429), 100.0) == short_limit(failure(529), 100.0) == 1.0
    for met in (SERVER, RESET, UNAUTHORISED, failure(429, "insufficient_quota")):
        assert short_limit(replace(met, retry_after=1.0), 100.0) is None


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
