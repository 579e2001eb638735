"""What a response came to, read from its events."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.facts import Usage, Window
from gateway.protocol.outcome import OutcomeReader
from gateway.protocol.sse import event_type

NOW = 1_700_000_000.0

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 15,
}


def read(*events):
    reader = OutcomeReader(clock=lambda: NOW)
    for event in events:
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        reader.feed(event_type(data), data)
    return reader


def test_a_completed_response_tells_usage_id_model_and_tier():
    reader = read(
        {"type": "response.created", "response": {"id": "resp_1"}},
        {
            "type": "response.completed",
            "response": {
                "id": "resp_1",
                "model": "gpt-5.4",
                "service_tier": "priority",
                "usage": USAGE,
            },
        },
    )
    assert reader.status == "completed"
    assert reader.is_terminal
    assert reader.response_id == "resp_1"
    assert reader.model == "gpt-5.4"
    assert reader.service_tier == "priority"
    assert reader.usage == Usage(10, 4, 3, 5, 2)
    assert reader.failure is None


def test_the_id_is_known_from_the_first_event():
    assert (
        read({"type": "response.created", "response": {"id": "resp_1"}}).response_id
        == "resp_1"
    )
    late = {"type": "response.created", "response": {"tools": [1], "id": "resp_2"}}
    assert read(late).response_id == "resp_2"


def test_the_first_of_two_terminal_events_counts():
    reader = read(
        {"type": "response.completed", "response": {"id": "a", "usage": USAGE}},
        {"type": "response.failed", "response": {"id": "b", "error": {"code": "x"}}},
    )
    assert (reader.status, reader.response_id, reader.failure) == (
        "completed",
        "a",
        None,
    )


def test_incomplete_and_failed_responses_have_usage_too():
    for status in ("incomplete", "failed"):
        reader = read({"type": f"response.{status}", "response": {"usage": USAGE}})
        assert reader.status == status
        assert reader.usage is not None
        assert reader.usage.output_tokens == 5


def test_wrong_types_in_usage_read_as_zero():
    usage = {
        "input_tokens": "ten",
        "input_tokens_details": [],
        "output_tokens": -1,
        "output_tokens_details": {"reasoning_tokens": True},
    }
    assert read(
        {"type": "response.completed", "response": {"usage": usage}}
    ).usage == Usage(0, 0, 0, 0, 0)
    assert read({"type": "response.completed", "response": {}}).usage is None


def test_a_terminal_event_that_is_no_json_does_not_end_the_response():
    assert not read(b'{"type":"response.completed", nonsense').is_terminal


def test_a_failed_response_tells_its_failure():
    reader = read(
        {
            "type": "response.failed",
            "response": {
                "error": {
                    "code": "rate_limit_exceeded",
                    "message": "Slow down, try again in 1.5s.",
                }
            },
        }
    )
    assert reader.status == "failed"
    assert reader.failure is not None
    assert reader.failure.code == "rate_limit_exceeded"
    assert reader.failure.retry_after == 1.5
    assert reader.failure.origin == "account"
    assert reader.failure.phase == "first_event"


def test_an_error_frame_ends_the_response():
    reader = read(
        {
            "type": "error",
            "status": 429,
            "error": {"type": "usage_limit_reached", "resets_in_seconds": 60},
        }
    )
    assert reader.status == "error"
    assert reader.failure is not None
    assert reader.failure.status == 429
    assert reader.failure.resets_at == NOW + 60


def test_an_error_without_a_type_is_an_error():
    reader = read({"error": {"message": "boom", "code": "server_error"}})
    assert reader.status == "error"
    assert reader.failure is not None
    assert reader.failure.message == "boom"
    assert not read({"delta": "error", "error": None}).is_terminal


def test_rate_limits_and_turn_state_are_read_from_their_events():
    reader = read(
        {
            "type": "codex.rate_limits",
            "plan_type": "plus",
            "rate_limits": {
                "primary": {
                    "used_percent": 12.5,
                    "window_minutes": 300,
                    "reset_at": 1_700_000_100,
                },
                "secondary": {"used_percent": "x"},
            },
        },
        {"type": "response.metadata", "headers": {"X-Codex-Turn-State": "t1"}},
    )
    assert reader.windows == (Window("primary", 12.5, 300, 1_700_000_100.0),)
    assert reader.plan_type == "plus"
    assert reader.turn_state == "t1"
    assert not reader.output_started
    assert not reader.is_terminal


def test_output_starts_with_the_first_event_that_is_not_held():
    reader = read(
        {"type": "response.created", "response": {}},
        {"type": "response.in_progress"},
        {"type": "response.queued"},
        {"type": "codex.keepalive"},
        b"",
    )
    assert not reader.output_started
    reader.feed("response.output_item.added", b"{}")
    assert reader.output_started


def test_a_failure_alone_is_no_output():
    reader = read({"type": "response.failed", "response": {"error": {"code": "x"}}})
    assert not reader.output_started


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "response",
                    "usage",
                    "error",
                    "headers",
                    "rate_limits",
                    "primary",
                    "id",
                    "message",
                    "resets_at",
                    "resets_in_seconds",
                    "retry-after",
                    "detail",
                    "status",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
types = st.sampled_from(
    [
        "response.created",
        "response.completed",
        "response.failed",
        "response.metadata",
        "codex.rate_limits",
        "error",
        "",
    ]
)


@given(types, anything | st.binary())
def test_odd_events_never_raise(type, value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    reader = OutcomeReader()
    reader.feed(type, data)
    reader.feed("response.completed", b'{"response":{"id":"x"}}')
    assert reader.is_terminal
