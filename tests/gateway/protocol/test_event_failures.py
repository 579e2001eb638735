"""Failures told in events and frames, in whichever shape."""

import json

import pytest

from gateway.protocol.failures import event_failure
from tests.gateway.protocol.test_failures import NOW


def test_an_error_frame_carries_status_and_headers():
    frame = {
        "type": "error",
        "status": 503,
        "error": {"code": "slow_down", "message": "m", "type": "server_error"},
        "headers": {"Retry-After": 3, "x": None},
    }
    failure = event_failure("error", json.dumps(frame), NOW)
    assert failure.status == 503
    assert failure.retry_after == 3
    assert failure.origin == "upstream"
    assert json.loads(failure.body) == {"error": frame["error"]}


def test_a_flat_error_event_is_read_too():
    frame = {"type": "error", "code": "c", "message": "m", "param": None, "x": 1}
    failure = event_failure("error", json.dumps(frame).encode(), NOW)
    assert (failure.code, failure.message, failure.type) == ("c", "m", None)
    assert failure.status is None
    assert json.loads(failure.body) == {"error": {"message": "m", "code": "c"}}


@pytest.mark.parametrize(
    ("frame", "status", "code", "message"),
    [
        ({"error": {"message": "m", "code": 429}}, 429, "429", "m"),
        ({"object": "error", "message": "m", "code": 503}, 503, "503", "m"),
        ({"detail": "m"}, None, None, "m"),
        ({"detail": [{"msg": "m"}], "status": 400}, 400, None, "m"),
        ({"error": "full up"}, None, None, "full up"),
        ({"error": {"message": "m", "code": 7}}, None, "7", "m"),
    ],
)
def test_an_error_event_is_read_in_every_shape(frame, status, code, message):
    failure = event_failure("error", json.dumps(frame), NOW)
    assert (failure.status, failure.code, failure.message) == (status, code, message)


@pytest.mark.parametrize(
    ("code", "origin"),
    [
        ("usage_limit_reached", "account"),
        ("rate_limit_exceeded", "account"),
        ("insufficient_quota", "account"),
        ("context_length_exceeded", "client"),
        ("invalid_encrypted_content", "client"),
        ("invalid_function_parameters", "client"),
        ("invalid_json_schema", "client"),
        ("invalid_prompt", "client"),
        ("invalid_request_error", "client"),
        ("previous_response_not_found", "client"),
        ("server_is_overloaded", "upstream"),
        ("anything else", "upstream"),
    ],
)
def test_a_failed_response_has_the_origin_of_its_code(code, origin):
    event = {"response": {"error": {"code": code, "message": "m"}, "status": "failed"}}
    failure = event_failure("response.failed", json.dumps(event), NOW)
    assert failure.origin == origin
    assert failure.phase == "first_event"
    assert failure.in_phase("stream").phase == "stream"


@pytest.mark.parametrize(("size", "is_kept"), [(65_536, True), (65_537, False)])
def test_the_error_of_an_event_is_kept_up_to_a_bound(size, is_kept):
    padding = "x" * (size - len('{"error":{"code":"c","param":""}}'))
    event = {"response": {"error": {"code": "c", "param": padding}}}
    failure = event_failure("response.failed", json.dumps(event), NOW)
    assert (failure.body is not None) == is_kept


def test_a_failed_response_without_an_error_still_has_a_message():
    for data in (b'{"response":{"error":null}}', b"{}", b"nonsense"):
        failure = event_failure("response.failed", data, NOW)
        assert failure.message == "The upstream response failed"
        assert failure.body is None
