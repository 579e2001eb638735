"""Why a request failed and what to do, in the words of docs/errors.md."""

import pytest

from gateway.admin.explained.remedies import find_remedy
from gateway.protocol.failure_kind import CODES


def failed(code, status, origin=None, outcome="error"):
    told = {"status": outcome, "http_status": status, "error_code": code}
    return told if outcome == "refused" else {**told, "error_origin": origin}


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        # One code, two meanings: whose fault it was and the status tell them apart.
        (failed("usage_limit_reached", 429, "client"), "the key's own limit"),
        (
            failed("usage_limit_reached", 429, "account"),
            "limits of all accounts are used up",
        ),
        (failed("server_error", 500, "gateway"), "a fault of the gateway itself"),
        (failed("server_error", 502, "upstream"), "upstream failed"),
        (failed("rate_limit_exceeded", 429, "client"), "the key's own limit"),
        (failed("rate_limit_exceeded", 429, "account"), "too fast"),
        (failed("invalid_request_error", 400, "client"), "breaks a rule"),
        (failed("model_not_found", 400, "client"), "not part of this account's plan"),
        (failed("model_not_found", 404, "upstream"), "not part of this account's plan"),
        (failed("model_not_found", 404, outcome="refused"), "`GET /v1/models/{id}`"),
        (failed("invalid_request_error", 405, outcome="refused"), "wrong method"),
        (failed("invalid_api_key", 401, outcome="refused"), "disabled, rotated"),
        (failed("rate_limit_exceeded", 429, outcome="refused"), "the key's own limit"),
        (failed("stream_incomplete", 200, "upstream"), "broke off"),
        (failed(None, 200, outcome="interrupted"), "the client hung up"),
        (failed("unsupported_value", 400, "client"), "the service's own code"),
        (failed(None, 502, "network"), "nothing more is known"),
        (failed("made_up", 500, "no origin of ours"), "nothing more is known"),
    ],
    ids=lambda value: f"{value['error_code']}" if isinstance(value, dict) else "",
)
def test_a_failure_has_the_cause_and_the_fix_of_its_row(row, cause):
    remedy = find_remedy(row)
    assert cause in remedy.cause
    assert remedy.fix


def test_a_request_that_went_well_needs_none():
    assert find_remedy({"status": "success", "error_code": None}) is None


@pytest.mark.parametrize("code", CODES)
def test_every_code_that_is_judged_is_explained(code):
    remedy = find_remedy(failed(code, 400, CODES[code].origin or "upstream"))
    assert "own code" not in remedy.cause
