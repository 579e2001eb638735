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
    is_metadata_of_login,
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


def in_frames(name):
    """As Codex writes a header in the `client_metadata` of a frame."""
    return "ws_request_header_" + name.lower().replace("-", "_")


@pytest.mark.parametrize("spelt", [str, str.title, in_frames])
def test_metadata_is_judged_as_the_headers_it_stands_for(spelt):
    for name in BOUND_TO_LOGIN:
        assert is_metadata_of_login(spelt(name), "true")
    for name in FREE_OF_LOGIN:
        assert not is_metadata_of_login(spelt(name), JWT)
    for value in (*CREDENTIALS, {"nested": JWT}):
        assert is_metadata_of_login(spelt("x-oai-new"), value)
        for name in ("x-codex-turn-metadata", "session_id", "x-codex-window-id"):
            assert not is_metadata_of_login(spelt(name), value)
    for value in ("true", 1, None, {}, "x" * 200):
        assert not is_metadata_of_login(spelt("x-openai-new"), value)


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
