"""What upstream's failures say, in every shape they come in."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.failures import event_failure, read_failure

NOW = 1_700_000_000.0


def read(status, body, headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_failure(status, headers or {}, data, NOW)


def test_an_error_object_is_read_whole():
    body = {
        "error": {
            "type": "usage_limit_reached",
            "code": "usage_limit_reached",
            "message": "The usage limit has been reached",
            "param": "model",
            "plan_type": "plus",
            "resets_at": 1_700_003_600,
        }
    }
    failure = read(429, body, {"Retry-After": "7"})
    assert failure.phase == "headers"
    assert failure.origin == "account"
    assert failure.status == 429
    assert failure.type == failure.code == "usage_limit_reached"
    assert failure.message == "The usage limit has been reached"
    assert failure.param == "model"
    assert failure.plan_type == "plus"
    assert failure.resets_at == 1_700_003_600
    assert failure.retry_after == 7
    assert failure.body == json.dumps(body).encode()


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"message": "m", "code": "c"}}, "c", "m"),
        ({"error": {"message": "m", "code": 42}}, "42", "m"),
        ({"error": "invalid_grant", "error_description": "m"}, "invalid_grant", "m"),
        ({"error": "unauthorized"}, "unauthorized", "unauthorized"),
        ({"error": "Something went wrong"}, None, "Something went wrong"),
        ({"detail": "Unauthorized"}, None, "Unauthorized"),
        ({"detail": "Not here, sorry"}, None, "Not here, sorry"),
        ({"detail": {"code": "c", "message": "m"}}, "c", "m"),
        ({"detail": [{"loc": ["x"], "msg": "m"}]}, None, "m"),
        ({"message": "m", "code": "c"}, "c", "m"),
        ({}, None, "Upstream answered with status 400"),
        ({"error": None}, None, "Upstream answered with status 400"),
        ({"error": {"message": 5}}, None, "Upstream answered with status 400"),
        (b"", None, "Upstream answered with status 400"),
        (b"{half", None, "Upstream answered with status 400"),
        (b"plain words", None, "plain words"),
        (b"<html>x", None, "Upstream answered with status 400 and a web page"),
        (
            b"<html><head><title>Just a moment...</title>",
            None,
            "Upstream answered with status 400: Just a moment...",
        ),
    ],
)
def test_every_shape_of_body_gives_code_and_message(body, code, message):
    failure = read(400, body)
    assert (failure.code, failure.message) == (code, message)


@pytest.mark.parametrize(
    ("status", "code", "origin"),
    [
        (401, None, "account"),
        (402, None, "account"),
        (403, None, "account"),
        (429, None, "account"),
        (400, "usage_limit_reached", "account"),
        (400, "previous_response_not_found", "client"),
        (400, None, "client"),
        (404, None, "client"),
        (413, None, "client"),
        (500, "invalid_request_error", "upstream"),
        (503, "server_is_overloaded", "upstream"),
        (302, None, "upstream"),
        (200, None, "upstream"),
    ],
)
def test_the_origin_says_whose_fault_it_is(status, code, origin):
    assert read(status, {"error": {"code": code}}).origin == origin


@pytest.mark.parametrize(
    ("body", "is_kept"),
    [
        (b'{"error":{"code":"x"} }', True),
        (b'{ "detail":"x"}', True),
        (b'{"message":"x"}', False),
        (b'{"error":null}', False),
        (b'["error"]', False),
        (b"<html>", False),
        (b"", False),
        (b'{"error":"' + b"x" * 70_000 + b'"}', False),
    ],
)
def test_only_an_error_envelope_of_bounded_size_is_kept(body, is_kept):
    assert read(400, body).body == (body if is_kept else None)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-AbC123456789",
        "sk-abcd***********wxyz",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "Bearer abcdefghijkl",
        "rt_0123456789abcdefghij",
    ],
)
def test_secrets_are_struck_out_everywhere(secret):
    body = {"error": {"message": f"bad key {secret}!", "code": secret}}
    failures = [
        read(401, body),
        read(401, f"no: {secret}".encode()),
        event_failure("error", json.dumps({"type": "error", **body}), NOW),
        read(401, {"error": {"message": "x" * 290 + " " + secret}}),
    ]
    for failure in failures:
        assert secret not in repr(failure)
        assert secret[:10] not in failure.message
    assert failures[0].message == "bad key [redacted]!"
    assert json.loads(failures[0].body)["error"]["message"] == "bad key [redacted]!"


def test_messages_are_one_bounded_line():
    failure = read(500, {"error": {"message": "a\nb\x00\x1b" + "c" * 1000}})
    assert failure.message.startswith("a b  ccc")
    assert len(failure.message) == 300


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 1.5s.", 1.5),
        ("try again in 200ms", 0.2),
        ("Try Again in 6m0s", 360.0),
        ("try again in 1h2m3s", 3723.0),
        ("try again in 20 seconds.", 20.0),
        ("try again in 2 minutes and 5 seconds", 125.0),
        ("try again in 1 hour", 3600.0),
        ("try again in 2 days", 172800.0),
        ("try again in 500 milliseconds", 0.5),
        ("try again in a while", None),
        ("try again later", None),
    ],
)
def test_the_wait_is_read_from_the_message(text, seconds):
    failure = read(429, {"error": {"message": text}})
    assert failure.retry_after == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("fields", "resets_at"),
    [
        ({"resets_at": NOW + 5}, NOW + 5),
        ({"resets_at": str(int(NOW) + 5)}, NOW + 5),
        ({"resets_at": (NOW + 5) * 1000}, NOW + 5),
        ({"resets_at": "2023-11-14T22:13:25Z"}, NOW + 5),
        ({"resets_in_seconds": 5}, NOW + 5),
        ({"resets_at": None, "resets_in_seconds": 5.0}, NOW + 5),
        ({"resets_at": "soon"}, None),
        ({"resets_at": True}, None),
        ({"resets_at": -1}, None),
        ({"resets_in_seconds": 1e30}, NOW + 31 * 86400),
        ({}, None),
    ],
)
def test_the_reset_is_an_absolute_time(fields, resets_at):
    assert read(429, {"error": fields}).resets_at == resets_at


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "detail",
                    "message",
                    "code",
                    "resets_at",
                    "resets_in_seconds",
                    "response",
                    "msg",
                    "headers",
                    "retry-after",
                    "status",
                    "type",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(st.integers(100, 599), values | st.binary(), st.text())
def test_no_body_ever_raises(status, value, header):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    for failure in (
        read_failure(status, {"retry-after": header}, data, NOW),
        event_failure("error", data, NOW),
        event_failure("response.failed", data.decode("utf-8", "replace"), NOW),
    ):
        assert failure.message
        assert len(failure.message) <= 300


@given(st.text(), st.text(alphabet="0123456789. tryaginmshd,"))
def test_no_message_ever_raises(start, end):
    read(429, {"error": {"message": f"{start}try again in {end}"}})


def test_a_message_of_nothing_printable_gets_words_of_ours():
    body = '{"error": "\x85"}'.encode()
    assert read_failure(500, {}, body, 0.0).message == "The upstream service failed"
