"""What of upstream's words a client may read, and of whose login they speak."""

import json

import pytest

from gateway.failover.final_error import final_error, folded_error
from gateway.protocol.failures import event_failure
from gateway.protocol.local_failures import (
    token_refresh_failed,
)
from tests.gateway.failover.test_final_error import (
    HTML,
    LIMITED,
    NOW,
    event,
    read,
    told,
)

LIMIT_HEADERS = {
    "x-codex-primary-used-percent": "100",
    "x-codex-secondary-reset-at": "1700003600",
    "x-codex-gpt6-primary-used-percent": "100",
    "x-codex-gpt6-limit-name": "GPT-6",
    "x-codex-active-limit": "codex_gpt6",
    "x-codex-promo-message": "Buy more",
    "x-codex-rate-limit-reached-type": "workspace_member_usage_limit_reached",
}


def test_limits_in_the_headers_pass_where_no_keys_are_in_use():
    others = {
        "set-cookie": "a=b",
        "x-codex-turn-state": "s",
        "x-odd": "1",
        "cf-ray": "1",
    }
    failure = read(429, {"error": LIMITED}, LIMIT_HEADERS | others)
    assert told(failure)[2] == LIMIT_HEADERS
    assert told(failure, keys_in_use=True)[2] == {}


WHOSE = {
    "error": {
        "message": "Rate limit reached for gpt-6 in organization org-AbC123 (x@ex.org)",
        "code": "rate_limit_exceeded",
        "plan_type": "team",
        "workspace_id": "anything",
        "organizationName": "Acme",
        "param": None,
        "more": [{"email": "x", "text": "of workspace 'Acme Inc', acct-12345678"}],
    }
}


def test_beside_keys_nobody_is_named():
    status, body, _ = told(read(429, WHOSE), keys_in_use=True)
    assert status == 429
    assert body["error"] == {
        "message": "Rate limit reached for gpt-6 in organization [redacted]"
        " ([redacted])",
        "code": "rate_limit_exceeded",
        "plan_type": "team",
        "param": None,
        "more": [{"text": "of workspace [redacted], [redacted]"}],
    }
    assert told(read(429, WHOSE))[1] == WHOSE


def test_the_log_has_what_it_may_have():
    failure = read(429, WHOSE)
    error = final_error(failure, codex=True, keys_in_use=True)
    assert error.redacted == failure.logged
    assert (error.origin, error.phase) == ("account", "headers")
    bad = read(400, {"error": {"message": "m"}})
    error = final_error(bad, codex=True, keys_in_use=False)
    assert (error.origin, error.redacted.code) == ("upstream", "upstream_error")
    ended = final_error(
        OUR_LOGIN[0], codex=True, keys_in_use=True, login_convicted=True
    )
    assert ended.redacted.code == "login_required"
    assert ended.redacted.message == OUR_LOGIN[0].logged.message


@pytest.mark.parametrize(
    "body", [b"for bob@example.com", b"<title>of org-AbC1</title>"]
)
def test_beside_keys_a_page_names_nobody(body):
    _, envelope, _ = told(read(503, body), keys_in_use=True)
    assert "[redacted]" in envelope["error"]["message"]


def test_secrets_are_struck_out_however_they_are_written():
    body = b'{"error": {"message": "token sk\\u002dabcdefgh and sk-abcdefgh"}}'
    assert told(read(400, body))[1]["error"]["message"] == (
        "token [redacted] and [redacted]"
    )


OUR_LOGIN = [
    read(401, {"error": {"message": "words", "code": "token_expired"}}),
    read(401, {"detail": "words"}),
    read(401, b"words"),
    read(401, {"error": {"message": "words", "code": "insufficient_quota"}}),
    read(400, {"error": {"message": "words", "code": "invalid_api_key"}}),
    event("error", code="account_deactivated", message="words"),
]


@pytest.mark.parametrize("codex", [True, False])
@pytest.mark.parametrize("failure", OUR_LOGIN)
def test_a_refusal_of_our_login_is_not_told_as_one_of_the_client_s(failure, codex):
    status, body, headers = told(failure, codex=codex)
    assert (status, headers) == (502, {})
    assert body["error"]["origin"] == "upstream"
    assert "words" in body["error"]["message"]


@pytest.mark.parametrize(
    "failure",
    [*OUR_LOGIN, token_refresh_failed("words", "refresh_token_expired", status=401)],
)
def test_a_convicted_login_is_what_time_does_not_mend(failure):
    status, body, headers = told(failure, login_convicted=True)
    assert (status, body["error"]["code"], headers) == (400, "login_required", {})
    assert "words" in body["error"]["message"]
    assert "run.py accounts login" in body["error"]["message"]


def test_a_403_that_is_an_error_passes_whatever_was_found():
    error = {"error": {"message": "m", "code": "account_deactivated"}}
    found = told(read(403, error), login_convicted=True, way_refused=True)
    assert found[:2] == (403, error)


def test_a_403_page_is_the_way_s_once_that_is_known():
    status, body, _ = told(read(403, HTML), way_refused=True)
    assert (status, body["error"]["origin"]) == (502, "network")
    message = "upstream's edge refuses this gateway's address"
    assert body["error"]["message"] == message
    assert told(read(500, HTML), way_refused=True)[0] == 500


@pytest.mark.parametrize(
    ("error", "type"),
    [
        ({"code": "context_length_exceeded"}, "invalid_request_error"),
        ({"code": "insufficient_quota"}, "rate_limit_error"),
        ({"code": None}, "server_error"),
        ({"code": "server_error", "type": "t"}, "t"),
    ],
)
def test_an_error_in_an_event_has_a_type_for_the_sdks(error, type):
    failure = event_failure("error", json.dumps({"error": error}), NOW)
    answer = final_error(failure, codex=False, keys_in_use=False)
    assert answer.envelope(codex=False)["error"] == {**error, "type": type}
    assert folded_error(error).envelope(codex=False)["error"]["type"] == type
