"""What the client gets of upstream's last answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NoAccounts, UsageLimitReached
from gateway.failover.final_error import ends_sooner, final_error, last_answer
from gateway.protocol.facts import Failure
from gateway.protocol.failures import event_failure, read_failure
from gateway.protocol.local_failures import (
    network_failure,
    no_first_event,
    protocol_error,
    token_refresh_failed,
)

NOW = 1_700_000_000.0
LIMITED = {
    "message": "The usage limit has been reached",
    "type": "usage_limit_reached",
    "code": "usage_limit_reached",
    "plan_type": "plus",
    "resets_at": 1_700_003_600,
}
HTML = b"<html><title>Oops</title><b>no</b></html>"


def read(status, body, headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_failure(status, headers or {}, data, NOW)


def event(type="response.failed", **error):
    value = {"type": type, "response": {"error": error}, "error": error}
    return event_failure(type, json.dumps(value), NOW)


def told(failure, *, codex=True, keys_in_use=False, **more):
    """(status, body, headers)"""
    error = final_error(failure, codex=codex, keys_in_use=keys_in_use, **more)
    return error.status, error.envelope(codex=codex), error.headers(codex=codex)


@pytest.mark.parametrize("codex", [True, False])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "m", "type": "t", "code": "c", "param": "p", "new": [1]}),
        (402, {"message": "pay", "code": "deactivated_workspace"}),
        (403, {"message": "m", "code": "account_deactivated"}),
        (404, {"message": "m", "code": "model_not_found"}),
        (429, LIMITED),
        (429, {"message": "m", "code": "organization_spend_limit_exceeded"}),
        (429, {"message": "m", "type": "requests", "code": None}),
        (500, {"message": "m", "type": "server_error", "code": None}),
        (503, {"message": "full", "code": "server_is_overloaded"}),
        (504, {"message": "m"}),
        (529, {"message": "busy"}),
    ],
)
def test_an_error_answer_is_told_as_it_was(status, error, codex):
    assert told(read(status, {"error": error}), codex=codex) == (
        status,
        {"error": error},
        {},
    )


@pytest.mark.parametrize("status", [400, 403, 422, 500, 529])
def test_a_detail_is_left_for_codex_and_wrapped_for_the_sdks(status):
    failure = read(status, {"detail": "Unsupported parameter: x"})
    assert told(failure)[:2] == (status, {"detail": "Unsupported parameter: x"})
    found, body, _ = told(failure, codex=False)
    assert found == status
    assert body["error"]["message"] == "Unsupported parameter: x"
    assert "detail" not in body


@pytest.mark.parametrize("codex", [True, False])
@pytest.mark.parametrize(
    ("status", "body", "message", "type"),
    [
        (403, HTML, "Upstream answered with status 403: Oops", "permission_error"),
        (404, b"", "Upstream answered with status 404", "invalid_request_error"),
        (429, b"slow down", "slow down", "rate_limit_error"),
        (500, b"sorry <b>no</b>", "Upstream answered with status 500 and a", None),
        (502, b"\x1f\x8b\0\xff", "Upstream answered with status 502", None),
        (503, b'{"error": "cut', "Upstream answered with status 503", None),
        (529, b"[]", "Upstream answered with status 529", None),
        (530, b"error code: 1016", "error code: 1016", None),
    ],
)
def test_what_is_no_json_error_becomes_one_with_its_status(
    status, body, message, type, codex
):
    found, envelope, headers = told(read(status, body), codex=codex)
    error = envelope["error"]
    assert (found, headers) == (status, {})
    assert error["message"].startswith(message)
    assert "<" not in error["message"]
    assert error["type"] == (type or "server_error")
    assert error["origin"]
    assert error["phase"] == "headers"


@pytest.mark.parametrize(
    "failure",
    [
        network_failure("refused", "connection_refused", "connect"),
        no_first_event(),
        protocol_error("no stream"),
        read(302, {"error": {"message": "elsewhere"}}),
        read(204, b""),
        token_refresh_failed("busy", status=503),
        token_refresh_failed("not allowed", status=403),
    ],
)
def test_no_answer_is_a_502_without_a_wait(failure):
    status, body, headers = told(failure)
    assert (status, headers) == (502, {})
    assert body["error"]["message"] == failure.message
    assert body["error"]["origin"] in ("account", "network", "upstream")


def wait_told(value, *, codex=True, status=503):
    failure = read(status, {"error": {"message": "m"}}, {"Retry-After": value})
    return told(failure, codex=codex)[2].get("retry-after")


@pytest.mark.parametrize("codex", [True, False])
@pytest.mark.parametrize(
    "value",
    [
        *("0", "1", "7", "300", " 12 ", "Tue, 14 Nov 2023 22:13:20 GMT"),
        *("Tue, 14 Nov 2023 22:18:20 GMT", "Tuesday, 14-Nov-23 22:14:00 GMT"),
    ],
)
def test_a_short_retry_after_passes_as_it_came(value, codex):
    assert wait_told(value, codex=codex) == value.strip()


@pytest.mark.parametrize(
    "value",
    [
        *("", "301", "3600", "1.5", "-1", "+1", "1e2", "soon", "nan", "infinity"),
        *("٣", "1 s", "9" * 400, "1700000005", "2023-11-14T22:13:25Z"),
        *("Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:18:21 GMT"),
        "Tue, 99 Nov 2023 22:13:20 GMT",
    ],
)
def test_any_other_retry_after_does_not(value):
    assert wait_told(value) is None


def test_a_wait_told_otherwise_is_for_the_gateway_only():
    words = {"error": {"message": "Please try again in 2s."}}
    failure = read(429, words, {"Retry-After-Ms": "1500"})
    assert failure.retry_after == 1.5
    assert told(failure)[2] == {}


def test_a_usage_limit_in_an_event_gets_status_and_type():
    failure = event(code="usage_limit_reached", message="limit", plan_type="pro")
    status, body, _ = told(failure)
    assert status == 429
    assert body["error"] == {
        "type": "usage_limit_reached",
        "code": "usage_limit_reached",
        "message": "limit",
        "plan_type": "pro",
    }


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("context_length_exceeded", 400),
        ("bio_policy", 400),
        ("misalignment_policy_violation", 400),
        ("rate_limit_exceeded", 429),
        ("insufficient_quota", 429),
        ("server_is_overloaded", 502),
        ("server_error", 502),
        ("of no table", 502),
        (None, 502),
        (503, 503),
    ],
)
def test_an_error_in_an_event_has_the_status_of_its_code(code, status):
    failure = event("error", code=code, message="m")
    found, body, _ = told(failure)
    assert (found, body["error"]) == (status, {"code": code, "message": "m"})


def test_a_frame_s_status_and_headers_pass():
    frame = {
        "type": "error",
        "status": 529,
        "error": {"message": "busy"},
        "headers": {"Retry-After": 3, "x-codex-active-limit": "codex_x", "x-odd": "1"},
    }
    failure = event_failure("error", json.dumps(frame), NOW)
    assert told(failure) == (
        529,
        {"error": {"message": "busy"}},
        {"retry-after": "3", "x-codex-active-limit": "codex_x"},
    )


def test_the_last_real_answer_is_told():
    lost = network_failure("reset", "connection_reset", "headers")
    first = read(503, {"error": {"message": "one"}})
    second = event(code="server_error", message="two")
    refresh = token_refresh_failed("no", status=500)
    assert last_answer([first, second, lost, refresh]) is second
    assert last_answer([lost, first, lost]) is first
    assert last_answer([lost, refresh]) is refresh


@pytest.mark.parametrize(
    ("state", "resets_at", "is_sooner"),
    [
        (None, 10.0, False),
        (NoAccounts(retry_after=5), 10.0, True),
        (NoAccounts(retry_after=5), 4.0, False),
        (NoAccounts(), 10.0, False),
        (UsageLimitReached(resets_at=8.0), 10.0, True),
        (UsageLimitReached(resets_at=9.5), 10.0, False),
        (UsageLimitReached(resets_at=10.0), 10.0, False),
        (UsageLimitReached(resets_at=9.0), None, False),
        (UsageLimitReached(), 10.0, False),
    ],
)
def test_another_account_s_return_is_told_when_it_is_sooner(
    state, resets_at, is_sooner
):
    limit = Failure("headers", "account", "m", status=429, resets_at=resets_at)
    assert ends_sooner(state, limit, 0.0) is is_sooner


texts = st.text() | st.sampled_from(["org-1", "a@b.co", "workspace 'x'", "sk-abcdefgh"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "detail", "message", "code", "type", "email"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.integers(100, 999), values | st.binary(), texts, st.booleans(), st.booleans())
def test_any_answer_can_be_told(status, value, wait, codex, keys_in_use):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    for failure in (
        read_failure(status, {"retry-after": wait}, data, NOW),
        event_failure("error", data, NOW),
    ):
        found, body, headers = told(failure, codex=codex, keys_in_use=keys_in_use)
        assert 400 <= found <= 599
        assert found != 401
        assert json.dumps(body)
        assert codex or isinstance(body["error"], dict)
        assert set(headers) <= {"retry-after"}


@pytest.mark.parametrize("levels", [200, 300, 900])
def test_a_deep_error_can_be_told(levels):
    deep = b'{"error":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"
    status, body, _ = told(read(400, deep), keys_in_use=True)
    assert status == 400
    assert json.dumps(body)
