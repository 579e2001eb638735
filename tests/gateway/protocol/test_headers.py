"""Which headers pass, and what upstream's headers tell."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.facts import Window
from gateway.protocol.headers import (
    BOUND_TO_LOGIN,
    FREE_OF_LOGIN,
    filter_event,
    model_in_metadata,
    request_headers,
    response_headers,
    retry_after,
)
from gateway.protocol.limit_windows import windows

NOW = 1_700_000_000.0

ALLOWED = [
    "accept",
    "content-type",
    "user-agent",
    "originator",
    "version",
    "openai-beta",
    "session-id",
    "session_id",
    "thread-id",
    "thread_id",
    "conversation_id",
    "x-client-request-id",
    "x-codex-turn-metadata",
    "x-openai-subagent",
    "x-oai-of-tomorrow",
    "x-responsesapi-include-timing-metrics",
    "traceparent",
    "tracestate",
]
REFUSED = [
    "authorization",
    "x-api-key",
    "chatgpt-account-id",
    "cookie",
    "origin",
    "referer",
    "host",
    "content-length",
    "content-encoding",
    "accept-encoding",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "forwarded",
    "x-forwarded-for",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "x-request-id",
    "sec-websocket-key",
    "proxy-authorization",
    "openai-organization",
]


@pytest.mark.parametrize("name", ALLOWED)
def test_a_header_of_the_list_goes_upstream_in_lower_case(name):
    assert request_headers([(name.title(), " v ")]) == {name: "v"}


@pytest.mark.parametrize("name", REFUSED)
def test_no_other_header_goes_upstream(name):
    assert request_headers([(name, "v"), ("accept", "a")]) == {"accept": "a"}


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\rb", "a\0b", "a\x7f", "☃"])
def test_a_value_that_could_become_another_header_is_dropped(value):
    assert request_headers([("x-codex-a", value)]) == {}
    assert (
        response_headers(
            [("content-type", value)], requested_model=None, keys_in_use=False
        )
        == {}
    )


def test_a_name_that_is_none_is_dropped():
    assert request_headers([("x-codex-a b", "v"), ("x-codex-\r\nx", "v")]) == {}


JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
CREDENTIALS = [
    JWT,
    "eyJhbGciOiJSUzI1NiJ9..c2lnbmF0dXJl",
    f"v1 {JWT}",
    json.dumps({"assertion": JWT}),
    "Bearer abc",
    "bEARER abc",
    json.dumps({"authorization": "Bearer abc"}),
    "x" * 201,
]


@pytest.mark.parametrize("name", sorted(BOUND_TO_LOGIN))
@pytest.mark.parametrize("value", ["", "1", "true", "Bearer abc"])
def test_what_is_bound_to_the_client_s_login_never_goes_upstream(name, value):
    assert request_headers([(name.title(), value), ("accept", "a")]) == {"accept": "a"}


@pytest.mark.parametrize("name", ["x-openai-new", "X-OAI-New", "x-openai-fedramp-2"])
@pytest.mark.parametrize("value", CREDENTIALS)
def test_an_unknown_header_of_these_families_carries_no_credential(name, value):
    assert request_headers([(name, value)]) == {}
    assert request_headers([(name, "plain"), (name, value)]) == {}
    assert request_headers([(name, "x" * 150), (name, "x" * 150)]) == {}


@pytest.mark.parametrize("name", ["x-openai-new", "x-oai-new", "x-openai-fedramp-2"])
@pytest.mark.parametrize(
    "value",
    ["true", "x" * 200, "a.b.c", "1.2.3", "forbearer", "01a2-f6.eyJ.x.y", JWT[:36]],
)
def test_an_unknown_header_without_a_credential_passes(name, value):
    assert request_headers([(name, value)]) == {name: value}


@pytest.mark.parametrize(
    "name", [*sorted(FREE_OF_LOGIN), "x-codex-turn-metadata", "x-responsesapi-a"]
)
@pytest.mark.parametrize("value", CREDENTIALS)
def test_known_headers_and_other_families_pass_whatever_they_hold(name, value):
    assert request_headers([(name, value)]) == {name: value}


def test_the_rules_name_the_headers_of_the_login_table():
    rules = Path(__file__).parents[3] / "docs" / "rules.md"
    rows = dict(
        re.findall(r"^\| `(x-[a-z-]+)` \| ([^|]+) \|$", rules.read_text(), re.M)
    )
    assert {name for name, told in rows.items() if told == "never"} == BOUND_TO_LOGIN
    assert {name for name, told in rows.items() if told == "as it is"} == FREE_OF_LOGIN


def test_repeated_headers_are_joined():
    assert request_headers([("Accept", "a"), ("accept", "b")]) == {"accept": "a, b"}


def test_what_connection_names_stays_with_the_connection():
    assert request_headers(
        [
            ("x-codex-a", "1"),
            ("Connection", "keep-alive, X-Codex-A"),
            ("x-codex-b", "2"),
        ]
    ) == {"x-codex-b": "2"}


# Names that pass, in any case, and such as only look like them.
names = st.sampled_from(
    [
        *ALLOWED,
        *map(str.title, ALLOWED),
        "x-codex-a",
        "X-Codex-B",
        "x-openai-c",
        "x-responsesapi-d",
        "x-codex-é",
        "x-codex-\r\nx",
        "connection",
        "cookie",
        "x",
    ]
)
values = st.text("ab \t\r\n\0é", max_size=6) | st.sampled_from(["1", "x-codex-a"])


@given(st.lists(st.tuples(names | st.text(), values | st.text()), max_size=8))
def test_only_clean_headers_of_the_list_ever_pass(headers):
    for name, value in request_headers(headers).items():
        assert name == name.lower()
        assert name in ALLOWED or name.startswith(("x-codex-", "x-o", "x-responsesapi"))
        assert not set(value) & set("\r\n\0")


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


def test_windows_are_read_from_headers():
    assert windows(
        {
            "x-codex-primary-used-percent": "12.5",
            "x-codex-primary-window-minutes": "300",
            "x-codex-primary-reset-at": "1700000000",
            "x-codex-secondary-used-percent": "3",
        },
        NOW,
    ) == (
        Window("primary", 12.5, 300, 1700000000.0),
        Window("secondary", 3.0, None, None),
    )


@pytest.mark.parametrize("used", ["", "x", "nan", "inf"])
def test_a_window_without_a_percentage_is_none(used):
    assert windows({"x-codex-primary-used-percent": used}, NOW) == ()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10.0),
        ({"retry-after": "Mon, 13 Nov 2023 22:13:30 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers, seconds):
    assert retry_after(headers, NOW) == seconds


@given(st.text(), st.text())
def test_odd_values_never_raise(a, b):
    for name in ("used-percent", "window-minutes", "reset-at"):
        windows(
            {"x-codex-primary-used-percent": "1", f"x-codex-primary-{name}": a}, NOW
        )
    wait = retry_after({"retry-after": a, "Retry-After-Ms": b}, NOW)
    assert wait is None or wait >= 0


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
