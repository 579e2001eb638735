"""What of an answer's head and metadata reaches the client."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.headers import (
    filter_event,
    model_in_metadata,
    response_headers,
)

ANSWER = [
    ("Content-Type", "text/event-stream"),
    ("Retry-After", "1"),
    ("X-Codex-Turn-State", "t"),
    ("OpenAI-Processing-Ms", "5"),
    ("X-Reasoning-Included", "true"),
    ("OpenAI-Model", "gpt-5.4"),
    ("X-Codex-Primary-Used-Percent", "12"),
    ("X-Codex-Secondary-Reset-At", "99"),
    ("X-Codex-Credits-Balance", "0"),
    ("X-Models-Etag", "e"),
    ("Set-Cookie", "secret"),
    ("X-Request-Id", "upstream's"),
    ("CF-Ray", "x"),
    ("Content-Length", "5"),
    ("Content-Encoding", "gzip"),
    ("Transfer-Encoding", "chunked"),
]


def test_the_holder_of_a_key_sees_nothing_of_the_account():
    assert response_headers(ANSWER, requested_model="gpt-5.4", keys_in_use=True) == {
        "content-type": "text/event-stream",
        "retry-after": "1",
        "x-codex-turn-state": "t",
        "openai-processing-ms": "5",
        "x-reasoning-included": "true",
        "openai-model": "gpt-5.4",
    }


def test_without_keys_the_windows_of_the_account_pass():
    passed = response_headers(ANSWER, requested_model="gpt-5.4", keys_in_use=False)
    assert passed["x-codex-primary-used-percent"] == "12"
    assert passed["x-codex-secondary-reset-at"] == "99"
    assert passed["x-codex-credits-balance"] == "0"
    assert "x-models-etag" not in passed


OF_WINDOWS = [
    "x-codex-primary-used-percent",
    "x-codex-credits-balance",
    "x-codex-active-limit",
    "x-codex-promo-message",
    "x-codex-rate-limit-reached-type",
    "x-codex-spark_2-limit-name",
    "x-codex-spark-mini-primary-used-percent",
    "x-codex-spark-secondary-reset-at",
]


@pytest.mark.parametrize("name", OF_WINDOWS)
@pytest.mark.parametrize("keys_in_use", [False, True])
def test_what_tells_of_windows_passes_only_without_keys(name, keys_in_use):
    expected = {} if keys_in_use else {name: "1"}
    for headers in ([(name, "1")], [(name.title(), " 1 ")]):
        assert expected == response_headers(
            headers, requested_model=None, keys_in_use=keys_in_use
        )
    told = filter_event(
        "response.metadata",
        metadata({name: "1"}),
        requested_model=None,
        keys_in_use=keys_in_use,
    )
    assert json.loads(told)["headers"] == expected


@pytest.mark.parametrize(
    "name",
    ["x-codex-other", "x-codex-primary", "x-codex-a\r\n-primary-b", "x-models-etag"],
)
def test_no_other_name_of_the_family_passes_down(name):
    assert (
        response_headers([(name, "1")], requested_model=None, keys_in_use=False) == {}
    )


@pytest.mark.parametrize("requested", ["gpt-5", "GPT-5.4", None])
def test_another_model_than_the_requested_one_is_not_told(requested):
    assert "openai-model" not in response_headers(
        ANSWER, requested_model=requested, keys_in_use=True
    )


@pytest.mark.parametrize(
    ("metadata", "model"),
    [
        ('{"turn_id":"","model":"gpt-5.5"}', "gpt-5.5"),
        ('{"turn_id":""}', None),
        ('{"model":""}', None),
        ('{"model":["gpt-5.5"]}', None),
        ("gpt-5.5", None),
        ("", None),
    ],
)
def test_codex_names_its_model_before_its_first_frame(metadata, model):
    assert model_in_metadata({"x-codex-turn-metadata": metadata}) == model
    assert model_in_metadata({}) is None


def metadata(headers, holder=None):
    event = {"type": "response.metadata", "a": 1}
    event.update({holder: {"headers": headers}} if holder else {"headers": headers})
    return json.dumps(event).encode()


@pytest.mark.parametrize("holder", [None, "response"])
@pytest.mark.parametrize("name", ["openai-model", "OpenAI-Model", "x-openai-model"])
@pytest.mark.parametrize("value", ["other", ["other"], None, 5])
def test_metadata_does_not_tell_of_another_model(holder, name, value):
    filtered = filter_event(
        "response.metadata",
        metadata({name: value, "x-codex-turn-state": "t"}, holder),
        requested_model="gpt-5.4",
        keys_in_use=True,
    )
    assert filtered == metadata({"x-codex-turn-state": "t"}, holder).replace(b" ", b"")


def test_metadata_without_anything_to_hide_stays_byte_for_byte():
    data = metadata({"openai-model": "gpt-5.4", "x-codex-turn-state": "t"})
    filtered = filter_event(
        "response.metadata", data, requested_model="gpt-5.4", keys_in_use=True
    )
    assert filtered is data


def test_cookies_etags_and_windows_leave_the_metadata():
    data = metadata(
        {"Set-Cookie": "s", "x-models-etag": "e", "x-codex-primary-used-percent": "1"}
    )
    filtered = filter_event(
        "response.metadata", data, requested_model=None, keys_in_use=True
    )
    assert filtered is not None
    assert json.loads(filtered)["headers"] == {}


def test_rate_limits_of_the_account_are_for_keyless_use_only():
    data = b'{"type":"codex.rate_limits"}'
    for keys_in_use, expected in ((True, None), (False, data)):
        assert (
            filter_event(
                "codex.rate_limits",
                data,
                requested_model=None,
                keys_in_use=keys_in_use,
            )
            is expected
        )


@given(st.binary(), st.sampled_from(["response.metadata", "response.completed", ""]))
def test_data_that_is_no_json_passes_as_it_is(data, type):
    assert filter_event(type, data, requested_model="m", keys_in_use=True) is data


def test_metadata_too_deep_to_write_again_is_dropped():
    deep = b"[" * 400 + b"]" * 400
    data = b'{"headers":{"openai-model":"x"},"deep":' + deep + b"}"
    assert (
        filter_event("response.metadata", data, requested_model="m", keys_in_use=True)
        is None
    )
