"""Codex's auth.json is read or explained."""

import contextlib
import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.logins.auth_json import (
    claims,
    parse_login,
    read_login,
    tokens_to_credentials,
)
from tests.gateway.upstream.token_endpoint import document, jwt


def test_both_spellings_of_auth_json_are_read(tmp_path):
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(document()))
    snake = read_login(path)
    tokens = document()["tokens"]
    camel = parse_login(
        json.dumps(
            {
                "tokens": {
                    "idToken": tokens["id_token"],
                    "accessToken": tokens["access_token"],
                    "refreshToken": tokens["refresh_token"],
                    "accountId": "acc",
                },
                "lastRefreshAt": "2026-01-02T03:04:05Z",
            }
        )
    )
    assert snake.plan == camel.plan == "pro"
    assert snake.chatgpt_user_id == "user-1"
    assert abs(snake.refreshed_at - camel.refreshed_at) < 1
    assert "file-token" not in repr(snake)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "has no tokens"),
        ('{"OPENAI_API_KEY": "sk-secret"}', "accounts add"),
        ('{"tokens": {}}', "has no access token"),
        ('{"tokens": {"access_token": "secret"}}', "has no refresh token"),
        (
            '{"tokens": {"access_token": "secret", "refresh_token": "secret"}}',
            "does not say which",
        ),
    ],
)
def test_bad_files_are_explained_without_being_quoted(content, words):
    with pytest.raises(ValueError, match=words) as caught:
        parse_login(content)
    assert "secret" not in str(caught.value)


@st.composite
def nearly_documents(draw):
    """A file that Codex wrote, with one of its values another or left out."""
    made = document()
    part = made["tokens"] if draw(st.booleans()) else made
    name = draw(st.sampled_from([*part, "another"]))
    value = draw(st.none() | st.integers() | st.text() | st.just({}) | st.just([]))
    if value is None and draw(st.booleans()):
        part.pop(name, None)
    else:
        part[name] = value
    return json.dumps(made)


@given(nearly_documents() | st.binary() | st.text())
def test_any_file_is_read_or_explained(content):
    with contextlib.suppress(ValueError):
        parse_login(content)


@given(st.text() | st.builds("a.{}.b".format, st.text()))
def test_any_token_has_claims_or_none(token):
    assert isinstance(claims(token), dict)


@pytest.mark.parametrize("exp", ["NaN", "1e400", "9" * 400, "-5", '"x"', "[]", "true"])
def test_an_odd_expiry_does_not_cost_the_claims_beside_it(exp):
    told = f'{{"exp":{exp},"email":"one@example"}}'.encode()
    token = f"e30.{urlsafe_b64encode(told).decode()}.c2ln"
    assert claims(token)["email"] == "one@example"
    assert tokens_to_credentials(token, "refresh", None).expires_at is None


def test_a_login_that_names_no_user_is_of_the_one_without_a_name():
    made = document()
    about = {"https://api.openai.com/auth": {"chatgpt_account_id": "acc"}}
    made["tokens"]["id_token"] = jwt(**about)
    login = parse_login(json.dumps(made))
    assert (login.chatgpt_user_id, login.email, login.plan) == ("", None, None)
